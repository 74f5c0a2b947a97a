"""The routes of sessions: log in, the user of a token, log out."""

import threading
import time
from collections import defaultdict, deque
from typing import Annotated, Any

from fastapi import APIRouter, Body, Request, Response
from fastapi.responses import JSONResponse
from psycopg.rows import DictRow

from lab import accounts, database
from lab.bugs import read_bugs
from lab.routes import RefusedError
from lab.state import Lab
from lab.zaplog import ZapLog

ATTEMPTS_MAX = 20
"""Logins of one address within RATE_SECONDS."""
RATE_SECONDS = 60.0
ADDRESSES_MAX = 10_000

STACK = (
    "goroutine 41 [running]: handlers.(*Auth).Login(0x0, 0xc0001a2000) handlers/login.go:57 +0x1d; "
    "net/http.HandlerFunc.ServeHTTP(...) net/http/server.go:2136"
)


class RateLimit:
    """Limits the logins of each address. Refused ones count too."""

    def __init__(self) -> None:
        self._attempts: defaultdict[str, deque[float]] = defaultdict(deque)
        self._lock = threading.Lock()

    def wait_for(self, address: str) -> float:
        """Count a login of an address; return the seconds that it has to wait, 0 for none."""
        now = time.monotonic()
        with self._lock:
            if len(self._attempts) > ADDRESSES_MAX:
                self._attempts.clear()
            attempts = self._attempts[address]
            while attempts and attempts[0] < now - RATE_SECONDS:
                attempts.popleft()
            attempts.append(now)
            excess = len(attempts) - ATTEMPTS_MAX
            return attempts[excess - 1] + RATE_SECONDS - now if excess > 0 else 0.0


class Logins:
    """The request handlers."""

    def __init__(self, lab: Lab, pool: database.Pool, zap: ZapLog) -> None:
        self._lab = lab
        self._variant = lab.variant
        self._pool = pool
        self._zap = zap
        self._limit = RateLimit()

    def router(self) -> APIRouter:
        """Return the routes for the application."""
        login = self._variant.login
        router = APIRouter()
        router.add_api_route(login.path, self.login, methods=["POST"])
        router.add_api_route(login.me, self.me)
        router.add_api_route(login.logout, self.logout, methods=["POST"], status_code=204)
        return router

    def login(self, request: Request, body: Annotated[dict[str, Any], Body()]) -> Any:
        bugs = read_bugs(self._lab.directory)
        if bugs.login_route_gone:
            raise RefusedError(404, "NOT_FOUND", f"no such route: {request.url.path}")
        if bugs.login_panics:
            self._zap.error(
                "middleware/recovery.go:41",
                "panic recovered: nil pointer dereference",
                path=request.url.path,
                stack=STACK,
            )
            raise RefusedError(500, "INTERNAL_ERROR", "internal server error")
        address = self._address(request, trusts_proxy=not bugs.ignores_proxy)
        seconds = self._limit.wait_for(address)
        if seconds:
            self._zap.warn("middleware/ratelimit.go:33", "login rate limited", address=address)
            message = self._variant.failure("RATE_LIMITED", "too many logins; wait and try again")
            return JSONResponse(message, 429, headers={"Retry-After": str(int(seconds) + 1)})
        email = str(body.get(self._variant.login.email_field, ""))[:200]
        password = str(body.get("password", ""))[:200]
        with self._pool.connection() as session:
            user = accounts.find_user(session, email)
        # The hash takes its time outside of a transaction.
        reason = _refusal(user, password)
        if user and not reason and accounts.rounds_of(user["password_hash"]) < bugs.hash_rounds:
            stored = accounts.hash_password(password, bugs.hash_rounds)
            with self._pool.connection() as session:
                accounts.set_password_hash(session, user["id"], stored)
        with self._pool.connection() as session:
            accounts.record_attempt(session, user["id"] if user else None, reason, address)
            if user and not reason:
                now = time.time() + bugs.token_clock_offset
                opened = accounts.open_session(
                    session, user["id"], time.time() + accounts.TOKEN_SECONDS
                )
        if reason or not user:
            self._zap.warn("handlers/login.go:81", "login failed", reason=reason)
            locked = reason == "locked"
            raise RefusedError(
                403 if locked else 401,
                "ACCOUNT_LOCKED" if locked else "INVALID_CREDENTIALS",
                "the account is locked" if locked else "wrong address or password",
            )
        self._zap.info("handlers/login.go:96", "login succeeded", user=user["id"])
        token = accounts.sign(
            accounts.claims_of(user["id"], opened, now), self._lab.passwords.signing_key
        )
        data = {self._variant.login.token: token, "expires_in": accounts.TOKEN_SECONDS}
        return self._variant.success(data)

    def me(self, request: Request) -> Any:
        with self._pool.connection() as session:
            user = accounts.find_session(session, self._claims(request)["jti"])
        if user is None:
            raise RefusedError(401, "UNAUTHORIZED", "the session has ended")
        in_json = self._variant.ids.in_json(user["id"])
        return self._variant.success({"id": in_json, "status": user["status"]})

    def logout(self, request: Request) -> Response:
        with self._pool.connection() as session:
            accounts.end_session(session, self._claims(request)["jti"])
        return Response(status_code=204)

    def _claims(self, request: Request) -> dict[str, Any]:
        """Return the claims of the bearer token; raises RefusedError."""
        _, _, token = request.headers.get("authorization", "").partition(" ")
        key = self._lab.passwords.signing_key
        if read_bugs(self._lab.directory).verifies_with_old_key:
            key = f"old-{key}"
        try:
            return accounts.verify(token, key)
        except accounts.TokenError as exc:
            self._zap.warn("middleware/auth.go:48", "token refused", reason=str(exc))
            raise RefusedError(401, "UNAUTHORIZED", "the token is not valid") from exc

    @staticmethod
    def _address(request: Request, *, trusts_proxy: bool) -> str:
        """Return the client's address, which the proxy before the API names."""
        peer = request.client.host if request.client else ""
        named = request.headers.get("x-forwarded-for", "").partition(",")[0].strip()
        return (named if trusts_proxy else "")[:45] or peer


def _refusal(user: DictRow | None, password: str) -> str | None:
    """Return why an account may not log in, None if it may."""
    if user is None:
        return "unknown account"
    if not accounts.is_password(password, user["password_hash"]):
        return "wrong password"
    return None if user["status"] == "active" else str(user["status"])
