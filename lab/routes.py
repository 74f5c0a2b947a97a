"""The routes of uploads and tracks: upload, status, track, delete."""

import hashlib
from collections.abc import Iterator
from typing import Any

import anyio.from_thread
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect

from lab import database
from lab.bugs import is_unusual, read_bugs
from lab.form_file import FormFile, NoFileError
from lab.processing import stored_name
from lab.publisher import Publisher
from lab.state import Lab
from lab.zaplog import ZapLog

MAX_BYTES = 50 * 1024 * 1024
PROGRESS_STEP = 20
TOO_LARGE = "an upload can have 50 MB at most"


class RefusedError(Exception):
    """A request is refused with an HTTP status, a code and a message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class Uploads:
    """The request handlers; `publisher` is None in a lab without a broker."""

    def __init__(
        self, lab: Lab, pool: database.Pool, publisher: Publisher | None, zap: ZapLog
    ) -> None:
        self._lab = lab
        self._variant = lab.variant
        self._pool = pool
        self._publisher = publisher
        self._zap = zap
        # The bug `caches_statuses`: filled at upload and never updated.
        self._cached: dict[str, dict[str, Any]] = {}

    def router(self) -> APIRouter:
        """Return the routes for the application."""
        routes = self._variant.routes
        router = APIRouter()
        router.add_api_route(
            routes.upload,
            self.upload,
            methods=["POST"],
            status_code=self._variant.accepted_status,
        )
        router.add_api_route(routes.status, self.status)
        router.add_api_route(routes.track, self.track)
        by_track = "{track_id}" in routes.delete
        delete = self.delete_by_track if by_track else self.delete_by_upload
        router.add_api_route(routes.delete, delete, methods=["DELETE"])
        return router

    def upload(self, request: Request) -> Any:
        user = self._caller(request)
        content_type = request.headers.get("content-type", "")
        try:
            form_file = FormFile(content_type, _body_of(request), self._variant.file_field)
        except NoFileError as exc:
            raise RefusedError(422, "NO_FILE", str(exc)) from exc
        filename = (form_file.filename or "upload.wav")[:200].replace("\0", "")
        with self._pool.connection() as session:
            owner = user or self._variant.ids.operator
            upload = database.create_upload(session, owner, filename)
        self._zap.info("handlers/upload.go:88", "upload accepted", id=upload, status="uploading")
        expected = int(request.headers["content-length"])
        try:
            size = self._receive(upload, filename, form_file, expected)
        except ClientDisconnect:
            # The row stays as it is: the client may come back. Nobody gets this answer.
            self._zap.warn("handlers/upload.go:103", "upload abandoned by its client", id=upload)
            return JSONResponse({}, 499)
        with self._pool.connection() as session:
            database.set_received(session, upload, size)
            dropped = read_bugs(self._lab.directory).drops_jobs and is_unusual(filename)
            job = None if dropped else database.create_job(session, self._variant, upload)
            if read_bugs(self._lab.directory).caches_statuses:
                self._cached[upload] = self._status_of(self._row(session, upload))
        if job and self._publisher:
            self._publisher.publish(job)
        in_json = self._variant.ids.in_json(upload)
        return self._variant.success({"upload_id": in_json, "status": "uploading", "size": size})

    def _row(self, session: database.Connection, upload: str) -> dict[str, Any]:
        row = database.find_upload(session, upload, self._variant.track_column)
        assert row is not None, "this request has just created it"
        return row

    def status(self, request: Request, upload_id: str) -> Any:
        row = self._find(request, upload_id)
        data = self._status_of(row)
        if read_bugs(self._lab.directory).caches_statuses:
            data = self._cached.get(row["id"], data)
        return self._variant.success(data)

    def _status_of(self, row: dict[str, Any]) -> dict[str, Any]:
        data = {
            "id": self._variant.ids.in_json(row["id"]),
            "status": row["status"],
            "progress": row["progress"],
            "created_at": row["created_at"].isoformat(),
            "updated_at": row["updated_at"].isoformat(),
        }
        if row["error_message"]:
            data["error_message"] = row["error_message"]
        if row["track_id"] != row["id"] and row["status"] == "completed":
            data["track_id"] = row["track_id"]
        return data

    def track(self, request: Request, track_id: str) -> Any:
        row = self._find(request, track_id, by_track=True)
        if row["status"] != "completed":
            raise RefusedError(404, "NOT_READY", f"the track is {row['status']}")
        path = self._lab.stored_file(row["id"], stored_name(row["filename"]))
        try:
            # Opened, because a file that exists but cannot be read cannot be played either.
            with path.open("rb") as stored:
                size = stored.seek(0, 2)
        except OSError as exc:
            self._zap.error(
                "handlers/track.go:52", "track unreadable", id=track_id, reason=exc.strerror
            )
            message = "the track's file cannot be read"
            raise RefusedError(500, "FILE_UNAVAILABLE", message) from exc
        data = {
            "id": self._variant.ids.in_json(row["track_id"]),
            "filename": row["filename"],
            "size": size,
            "status": row["status"],
            "created_at": row["created_at"].isoformat(),
        }
        return self._variant.success(data)

    def delete_by_track(self, request: Request, track_id: str) -> Any:
        return self._delete(self._find(request, track_id, by_track=True), track_id)

    def delete_by_upload(self, request: Request, upload_id: str) -> Any:
        return self._delete(self._find(request, upload_id), upload_id)

    def _delete(self, row: dict[str, Any], asked_id: str) -> Any:
        with self._pool.connection() as session:
            database.delete_upload(session, row["id"])
        self._lab.delete_stored_file(row["id"], stored_name(row["filename"]))
        in_json = self._variant.ids.in_json(asked_id)
        return self._variant.success({"id": in_json, "status": "deleted"})

    def _receive(self, upload: str, filename: str, form_file: FormFile, expected: int) -> int:
        """Store a file while it arrives and return its size in bytes.

        `expected` is the size of the request. Raises RefusedError, ClientDisconnect.
        """
        path = self._lab.stored_file(upload, stored_name(filename))
        size, saved = 0, 0
        try:
            # The upload directory itself is never made: a missing one is for an operator to repair.
            if path.parent != self._lab.uploads:
                path.parent.mkdir(mode=0o755)
            with path.open("wb") as target:
                for chunk in form_file:
                    size += len(chunk)
                    if size > MAX_BYTES:
                        raise RefusedError(413, "TOO_LARGE", TOO_LARGE)
                    target.write(chunk)
                    progress = 100 * size // expected
                    if saved + PROGRESS_STEP <= progress < 100:
                        saved = progress
                        with self._pool.connection() as session:
                            database.set_progress(session, upload, progress)
            path.chmod(0o644)
        except OSError as exc:
            message = f"{exc.strerror}: {exc.filename or path.parent}"
            self._zap.error(
                "handlers/upload.go:117", "upload storage error", id=upload, error=message
            )
            with self._pool.connection() as session:
                # Recorded, so that an operator can find the upload and have it sent again.
                database.keep_for_operator(session, upload, message)
                job = database.create_job(session, self._variant, upload)
                database.fail_job(session, job, message)
            raise RefusedError(507, "STORAGE_ERROR", "the file could not be stored") from exc
        return size

    def _caller(self, request: Request) -> str | None:
        """Return the user of the bearer token, None for operations, who may read every upload."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise RefusedError(401, "UNAUTHORIZED", "a bearer token is needed")
        digest = hashlib.sha256(token.encode()).hexdigest()
        with self._pool.connection() as session:
            row = database.find_token(session, digest)
        if row is None:
            raise RefusedError(401, "UNAUTHORIZED", "the token is not valid")
        user: str | None = row["user_id"]
        return user

    def _find(self, request: Request, text: str, *, by_track: bool = False) -> dict[str, Any]:
        """Return the row of an upload that the caller may read; raises RefusedError."""
        user = self._caller(request)
        if not self._variant.ids.pattern.fullmatch(text):
            raise RefusedError(self._variant.malformed_id_status, "NOT_FOUND", "no such upload")
        with self._pool.connection() as session:
            row = database.find_upload(session, text, self._variant.track_column, by_track=by_track)
        if row is None:
            raise RefusedError(404, "NOT_FOUND", "no such upload")
        if user is not None and row["user_id"] != user:
            raise RefusedError(403, "FORBIDDEN", "this upload belongs to somebody else")
        return row


def _body_of(request: Request) -> Iterator[bytes]:
    """Yield the body of a request as it arrives, in a thread of a handler.

    Raises ClientDisconnect when the client closes the connection before the end.
    """
    stream = request.stream()

    async def read() -> bytes:
        return await anext(stream, b"")

    while chunk := anyio.from_thread.run(read):
        yield chunk
