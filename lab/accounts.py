"""Accounts: passwords, their hashes, the tokens of logins, and the accounts' SQL."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psycopg.rows import DictRow

    from lab.database import Connection

ROUNDS = 20_000
"""Cost of a password's hash: about ten milliseconds."""
TOKEN_SECONDS = 3600
LEEWAY = 30.0
"""Seconds by which the clocks of two machines may differ."""
CHECKS_ACCOUNT = "synthetic@veza.example"
"""The account that the checks log in with."""
USERS = 40


class TokenError(Exception):
    """A token is not accepted; `str()` is the reason."""


def email_of(number: int) -> str:
    """Return the address of a made-up user, by its number from 0 to USERS - 1."""
    return f"user{number:02d}@veza.example"


def hash_password(password: str, rounds: int = ROUNDS) -> str:
    """Return a password's hash as algorithm$rounds$salt$digest."""
    salt = secrets.token_bytes(12)
    return f"pbkdf2${rounds}${salt.hex()}${_digest(password, salt, rounds).hex()}"


def is_password(password: str, stored: str) -> bool:
    """Return whether a stored hash is that of the password."""
    _, rounds, salt, digest = stored.split("$")
    made = _digest(password, bytes.fromhex(salt), int(rounds))
    return hmac.compare_digest(made.hex(), digest)


def rounds_of(stored: str) -> int:
    """Return the cost of a stored hash."""
    return int(stored.split("$")[1])


def _digest(password: str, salt: bytes, rounds: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)


def sign(claims: dict[str, Any], key: str) -> str:
    """Return a token with these claims, a JWT signed with HS256."""
    parts = ({"alg": "HS256", "typ": "JWT"}, claims)
    text = ".".join(_encode(json.dumps(part).encode()) for part in parts)
    return f"{text}.{_signature(text, key)}"


def verify(token: str, key: str) -> dict[str, Any]:
    """Return the claims of a token; raises TokenError."""
    text, _, signature = token.rpartition(".")
    if not hmac.compare_digest(_signature(text, key), signature):
        raise TokenError("signature is invalid")
    payload = text.partition(".")[2]
    claims: dict[str, Any] = json.loads(
        base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    )
    now = time.time()
    if claims["nbf"] > now + LEEWAY:
        raise TokenError("token is not valid yet")
    if claims["exp"] < now - LEEWAY:
        raise TokenError("token is expired")
    return claims


def claims_of(user: str, session: str, now: float) -> dict[str, Any]:
    """Return the claims of a token that a user gets at `now`."""
    return {
        "sub": user,
        "jti": session,
        "iat": int(now),
        "nbf": int(now),
        "exp": int(now) + TOKEN_SECONDS,
    }


def _signature(text: str, key: str) -> str:
    return _encode(hmac.digest(key.encode(), text.encode(), "sha256"))


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def find_user(session: Connection, email: str) -> DictRow | None:
    """Return the account of this address, None when there is none."""
    return session.execute(
        "SELECT id::text, password_hash, status::text FROM users WHERE email = %s", (email,)
    ).fetchone()


def find_session(session: Connection, session_id: str) -> DictRow | None:
    """Return the account of a session that has not ended, None when there is none."""
    return session.execute(
        "SELECT u.id::text, u.status::text FROM sessions s JOIN users u ON u.id::text = s.user_id"
        " WHERE s.id = %s AND s.revoked_at IS NULL",
        (session_id,),
    ).fetchone()


def record_attempt(session: Connection, user: str | None, reason: str | None, address: str) -> None:
    """Insert a login; `reason` is None for one that succeeded."""
    session.execute(
        "INSERT INTO login_attempts (user_id, succeeded, reason, address) VALUES (%s, %s, %s, %s)",
        (user, reason is None, reason, address),
    )


def open_session(session: Connection, user: str, expires: float) -> str:
    """Insert a session and return its id; `expires` is in seconds since 1970."""
    session_id = secrets.token_hex(16)
    session.execute(
        "INSERT INTO sessions (id, user_id, expires_at) VALUES (%s, %s, to_timestamp(%s))",
        (session_id, user, expires),
    )
    session.execute("UPDATE users SET last_login_at = now() WHERE id = %s", (user,))
    return session_id


def end_session(session: Connection, session_id: str) -> None:
    """Mark a session as ended."""
    session.execute("UPDATE sessions SET revoked_at = now() WHERE id = %s", (session_id,))


def set_password_hash(session: Connection, user: str, stored: str) -> None:
    """Replace an account's hash."""
    session.execute("UPDATE users SET password_hash = %s WHERE id = %s", (stored, user))
