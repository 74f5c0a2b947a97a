"""Seed data of logins: the accounts, and two hours of attempts."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import psycopg

from lab import accounts
from lab.database import WRITABLE

if TYPE_CHECKING:
    from lab.state import Lab

HISTORY_SECONDS = 2 * 3600
EVERY_SECONDS = 6


def seed(lab: Lab) -> None:
    """Insert the accounts, and their logins of the last two hours."""
    stored = accounts.hash_password(lab.passwords.login)
    emails = [accounts.CHECKS_ACCOUNT, *map(accounts.email_of, range(accounts.USERS))]
    with psycopg.connect(lab.owner_dsn) as session, session.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO users (email, password_hash, status) VALUES (%s, %s, 'active')",
            [(email, stored) for email in emails],
        )
    replace_attempts(lab)


def replace_attempts(lab: Lab) -> None:
    """Replace all logins by those of two ordinary hours; one in ten has failed."""
    random_source = random.Random(20251216)  # noqa: S311 - made-up data, the same in every lab
    now = datetime.now(UTC)
    with psycopg.connect(lab.owner_dsn, options=WRITABLE) as session, session.cursor() as cursor:
        users = [row[0] for row in cursor.execute("SELECT id::text FROM users ORDER BY 1")]
        cursor.execute("DELETE FROM login_attempts")
        cursor.executemany(
            "INSERT INTO login_attempts (user_id, succeeded, reason, address, created_at)"
            " VALUES (%s, %s, %s, %s, %s)",
            [
                (
                    random_source.choice(users),
                    reason is None,
                    reason,
                    f"198.51.100.{random_source.randrange(1, 255)}",
                    now - timedelta(seconds=age),
                )
                for age in range(HISTORY_SECONDS, 0, -EVERY_SECONDS)
                for reason in ("wrong password" if random_source.random() < 0.1 else None,)
            ],
        )
