"""The routes under /api/v1: upload, status, track. Every answer has Veza's envelope."""

import hashlib
import shutil
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID, uuid4

from fastapi import APIRouter, Request, UploadFile
from fastapi.responses import JSONResponse

from lab import database
from lab.bugs import is_unusual, read_bugs
from lab.processing import stored_name
from lab.publisher import Publisher
from lab.state import Lab
from lab.zaplog import ZapLog

MAX_BYTES = 50 * 1024 * 1024
CHUNK = 256 * 1024
TOO_LARGE = "an upload can have 50 MB at most"


class RefusedError(Exception):
    """A request is refused with an HTTP status, a code and a message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def envelope(status: int, code: str, message: str) -> JSONResponse:
    """Return an error in Veza's envelope."""
    return JSONResponse({"success": False, "error": {"code": code, "message": message}}, status)


class Uploads:
    """The request handlers; `publisher` is None in a lab without a broker."""

    def __init__(
        self, lab: Lab, pool: database.Pool, publisher: Publisher | None, zap: ZapLog
    ) -> None:
        self._lab = lab
        self._pool = pool
        self._publisher = publisher
        self._zap = zap

    def router(self) -> APIRouter:
        """Return the routes for the application."""
        router = APIRouter(prefix="/api/v1")
        router.add_api_route("/upload", self.upload, methods=["POST"], status_code=202)
        router.add_api_route("/uploads/{upload_id}/status", self.status)
        router.add_api_route("/tracks/{track_id}", self.track)
        router.add_api_route("/tracks/{track_id}", self.delete, methods=["DELETE"])
        return router

    def upload(self, request: Request, file: UploadFile) -> Any:
        user = self._caller(request)
        filename = (file.filename or "upload.wav")[:200].replace("\0", "")
        upload_id = uuid4()
        with self._pool.connection() as session:
            database.create_upload(session, upload_id, user or UUID(int=0), filename)
        self._zap.info(
            "handlers/upload.go:88", "upload accepted", id=str(upload_id), status="uploading"
        )
        size = self._receive(upload_id, filename, file.file)
        with self._pool.connection() as session:
            database.set_received(session, upload_id, size)
            dropped = read_bugs(self._lab.directory).drops_jobs and is_unusual(filename)
            job = None if dropped else database.create_job(session, upload_id)
        if job and self._publisher:
            self._publisher.publish(job)
        data = {"upload_id": str(upload_id), "status": "uploading", "size": size}
        return {"success": True, "data": data}

    def status(self, request: Request, upload_id: str) -> Any:
        row = self._find(request, upload_id)
        data = {
            "id": upload_id,
            "status": row["status"],
            "progress": row["progress"],
            "created_at": row["created_at"].isoformat(),
            "updated_at": row["updated_at"].isoformat(),
        }
        if row["error_message"]:
            data["error_message"] = row["error_message"]
        return {"success": True, "data": data}

    def track(self, request: Request, track_id: str) -> Any:
        row = self._find(request, track_id)
        if row["status"] != "completed":
            raise RefusedError(404, "NOT_READY", f"the track is {row['status']}")
        path = self._lab.uploads / str(row["id"]) / stored_name(row["filename"])
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
            "id": track_id,
            "filename": row["filename"],
            "size": size,
            "status": row["status"],
            "created_at": row["created_at"].isoformat(),
        }
        return {"success": True, "data": data}

    def delete(self, request: Request, track_id: str) -> Any:
        upload: UUID = self._find(request, track_id)["id"]
        with self._pool.connection() as session:
            database.delete_upload(session, upload)
        shutil.rmtree(self._lab.uploads / str(upload), ignore_errors=True)
        return {"success": True, "data": {"id": track_id, "status": "deleted"}}

    def _receive(self, upload: UUID, filename: str, source: BinaryIO) -> int:
        """Store an uploaded file and return its size in bytes; raises RefusedError."""
        directory = self._lab.uploads / str(upload)
        try:
            return _store(source, directory / stored_name(filename))
        except OSError as exc:
            message = f"{exc.strerror}: {exc.filename or directory}"
            self._zap.error(
                "handlers/upload.go:117", "upload storage error", id=str(upload), error=message
            )
            with self._pool.connection() as session:
                # Recorded, so that an operator can find the upload and have it sent again.
                database.keep_for_operator(session, upload, message)
                database.fail_job(session, database.create_job(session, upload), message)
            raise RefusedError(507, "STORAGE_ERROR", "the file could not be stored") from exc

    def _caller(self, request: Request) -> UUID | None:
        """Return the user of the bearer token, None for operations, who may read every upload."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise RefusedError(401, "UNAUTHORIZED", "a bearer token is needed")
        digest = hashlib.sha256(token.encode()).hexdigest()
        with self._pool.connection() as session:
            row = database.find_token(session, digest)
        if row is None:
            raise RefusedError(401, "UNAUTHORIZED", "the token is not valid")
        user: UUID | None = row["user_id"]
        return user

    def _find(self, request: Request, text: str) -> dict[str, Any]:
        """Return the row of an upload that the caller may read; raises RefusedError."""
        user = self._caller(request)
        try:
            upload = UUID(text)
        except ValueError:
            raise RefusedError(404, "NOT_FOUND", "no such upload") from None
        with self._pool.connection() as session:
            row = database.find_upload(session, upload)
        if row is None:
            raise RefusedError(404, "NOT_FOUND", "no such upload")
        if user is not None and row["user_id"] != user:
            raise RefusedError(403, "FORBIDDEN", "this upload belongs to somebody else")
        return row


def _store(source: BinaryIO, path: Path) -> int:
    """Write a file and return its size in bytes; raises OSError, or RefusedError if too large."""
    path.parent.mkdir(mode=0o755)
    size = 0
    with path.open("wb") as target:
        while chunk := source.read(CHUNK):
            size += len(chunk)
            if size > MAX_BYTES:
                raise RefusedError(413, "TOO_LARGE", TOO_LARGE)
            target.write(chunk)
    path.chmod(0o644)
    return size
