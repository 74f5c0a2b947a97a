"""Verification 5: the upload directory, its free space, and the files of stuck uploads."""


def test_directory_exists(storage):
    """The upload directory exists."""
    directory = storage.directory()
    assert directory.exists, directory


def test_directory_is_writable_by_service(storage):
    """The service user may enter the upload directory and write to it."""
    access = storage.access()
    assert access.is_granted, access


def test_disk_space_is_free(storage, limits):
    """At least `disk_free_min` of the upload directory's file system is free."""
    space = storage.space()
    assert space.is_at_least(limits.disk_free_min), space


def test_inodes_are_free(storage, limits):
    """At least `inodes_free_min` of the file system's inodes are free."""
    inodes = storage.inodes()
    assert inodes.is_at_least(limits.inodes_free_min), inodes


def test_stuck_files_exist(storage, unprocessed):
    """Each received upload that is stuck, in `processing` too long, or failed unnoticed, has a
    file.
    """
    files = storage.files(unprocessed)
    assert files.all_good, files


def test_stuck_files_are_readable(storage, unprocessed):
    """The service user may read the files of uploads that are stuck, in `processing` too long, or
    failed unnoticed.
    """
    files = storage.readable_files(unprocessed)
    assert files.all_good, files


def test_stuck_files_are_whole(storage, unprocessed):
    """The files of uploads that are stuck, in `processing` too long, or failed unnoticed, have the
    recorded size and are not empty.
    """
    files = storage.whole_files(unprocessed)
    assert files.all_good, files
