"""The login's probe and the accounts' probe: on the lab, and against answers of other products."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import pytest

from core.units import Amount
from fixtures.probes.canary.client import CanaryClient
from fixtures.probes.errors import NotOffered, Unreachable
from fixtures.probes.http.client import Answer, HttpClient
from fixtures.probes.login.probe import LoginProbe, OneLogin
from fixtures.probes.login.visit import Routes, Visit
from fixtures.probes.postgres.accounts import AccountsProbe
from fixtures.target.model import Login
from lab import accounts
from tests.lab.fix_made_api import MadeApi
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    import psycopg

    from lab.state import Lab

ROUTES = Routes(
    "/auth/login",
    "email",
    "password",
    token_pointer="/data/token",
    me="/auth/me",
    logout="/auth/logout",
)
COLUMNS = Login().model_dump(
    include={
        *("users_table", "id_column", "status_column", "locked_statuses"),
        *("attempts_table", "outcome_column", "success_values", "time_column"),
    }
)
"""The tables and columns of a target that names none."""
WINDOW = 900.0
SOME = Amount.parse("5%")


@pytest.fixture
def login_of() -> Iterator[Callable[..., LoginProbe]]:
    """Make login probes of a URL; their clients are closed after the test."""
    clients: list[HttpClient] = []

    def make(url: str, password: str = "pass-word", **settings: Any) -> LoginProbe:
        timeout = settings.pop("timeout", PATIENCE)
        http, sender = HttpClient(url, PATIENCE, "the API"), CanaryClient(url, timeout, "the API")
        clients.extend((http, sender))
        login = settings.pop("login", (accounts.CHECKS_ACCOUNT, password))
        routes = settings.pop("routes", ROUTES)
        once = settings.pop("once", OneLogin())
        return LoginProbe(http, sender, "/readyz", routes, login, once, timeout)

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def accounts_probe(services: Lab) -> Iterator[AccountsProbe]:
    """The accounts of the lab, as the monitor's role sees them."""
    tables = {"users_table": "users", "attempts_table": "login_attempts"}
    probe = AccountsProbe(services.dsn, PATIENCE, **COLUMNS | tables)
    yield probe
    probe.close()


def test_a_login_that_works(login_of: Callable[..., LoginProbe], services: Lab) -> None:
    """On a healthy lab the account is let in, and its token is accepted and valid now."""
    probe = login_of(services.api_url, services.passwords.login)
    assert probe.reach().ok
    assert not probe.route().problem
    assert not probe.errors().problem
    assert probe.time().is_within(PATIENCE)
    assert not probe.rate().refused
    assert probe.credentials().accepted
    assert probe.token().accepted
    assert probe.delay().is_at_most(PATIENCE)
    assert probe.token_times().is_valid_now(60)


def test_the_session_ends_with_the_visit(
    login_of: Callable[..., LoginProbe],
    services: Lab,
    owner: psycopg.Connection[tuple[Any, ...]],
) -> None:
    """A run leaves one more session, and it is revoked."""
    count = (
        "SELECT count(*), count(*) FILTER (WHERE revoked_at IS NULL) FROM sessions"
        " WHERE user_id = (SELECT id::text FROM users WHERE email = %s)"
    )
    before = owner.execute(count, (accounts.CHECKS_ACCOUNT,)).fetchone()
    assert login_of(services.api_url, services.passwords.login).token().accepted
    after = owner.execute(count, (accounts.CHECKS_ACCOUNT,)).fetchone()
    assert before is not None
    assert after == (before[0] + 1, before[1])


def test_no_secret_is_in_what_is_seen(login_of: Callable[..., LoginProbe], services: Lab) -> None:
    """Neither the account nor its password nor the token is in a sentence or in its fields."""
    probe = login_of(services.api_url, services.passwords.login)
    results = (
        probe.errors(),
        probe.time(),
        probe.credentials(),
        probe.token(),
        probe.token_times(),
    )
    for result in results:
        text = f"{result} {result!r}"
        assert services.passwords.login not in text
        assert accounts.CHECKS_ACCOUNT not in text
        assert "eyJ" not in text


def test_a_429_is_never_sent_again(login_of: Callable[..., LoginProbe], made_api: MadeApi) -> None:
    """One login a run: the next look has the first one's answer, and no question repeats it."""
    made_api.manners.posts = [(429, {"error": "too many"}, {"Retry-After": "30"})]
    once = OneLogin()
    rate = login_of(made_api.url, once=once).rate()
    assert rate.refused
    assert "asks to wait 30 s" in str(rate)
    second = login_of(made_api.url, once=once)
    assert second.rate() == rate
    with pytest.raises(Unreachable, match="says nothing about the account"):
        second.credentials()
    with pytest.raises(Unreachable, match="before it looks at the password"):
        second.time()
    posts = [path for method, path, _, _ in made_api.asked if method == "POST"]
    assert posts == ["/auth/login"]


@pytest.mark.parametrize("status", [400, 401, 403, 422, 423])
def test_a_refused_account_is_no_broken_route(
    login_of: Callable[..., LoginProbe], made_api: MadeApi, status: int
) -> None:
    """Products refuse an account with different statuses; the route works all the same."""
    made_api.manners.posts = [(status, {"error": "no"}, {})]
    probe = login_of(made_api.url)
    assert not probe.route().problem
    assert not probe.errors().problem
    assert not probe.credentials().accepted
    with pytest.raises(Unreachable, match="no token was issued"):
        probe.token()


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_server_error_says_nothing_else(
    login_of: Callable[..., LoginProbe], made_api: MadeApi, status: int
) -> None:
    """After a server error neither the route, the limit nor the account is known."""
    made_api.manners.posts = [(status, {}, {})]
    probe = login_of(made_api.url)
    assert probe.errors().problem
    for question in (probe.route, probe.rate, probe.credentials, probe.token):
        with pytest.raises(Unreachable):
            question()


def test_a_route_that_is_gone(login_of: Callable[..., LoginProbe], made_api: MadeApi) -> None:
    """404 is a missing route, and no server error."""
    made_api.manners.posts = [(404, {"error": "no such route"}, {})]
    probe = login_of(made_api.url)
    assert "there is no such route" in str(probe.route())
    assert not probe.errors().problem


@pytest.mark.parametrize(
    ("status", "headers"), [(200, {"Content-Type": "text/html"}), (302, {"Location": "/sign-in"})]
)
def test_a_page_in_place_of_data_is_no_login(
    login_of: Callable[..., LoginProbe],
    made_api: MadeApi,
    status: int,
    headers: dict[str, str],
) -> None:
    """The route is broken; that anybody is let in, how fast, and how often is not known."""
    made_api.manners.posts = [(status, {}, headers)]
    probe = login_of(made_api.url)
    assert probe.route().problem
    for question in (probe.time, probe.rate, probe.credentials, probe.token):
        with pytest.raises(Unreachable):
            question()


def test_a_page_in_place_of_data_accepts_no_token(
    login_of: Callable[..., LoginProbe], made_api: MadeApi
) -> None:
    """A wrong `me_path` leads to the start page of the site, whatever the token."""
    once = OneLogin()
    page = Answer(200, "text/html", "", "", b"<html>")
    data = Answer(200, "application/json", "", "", b"{}")
    once._made = Future()
    once._made.set_result(Visit(0.1, data, has_token=True, me=page))
    with pytest.raises(Unreachable, match=r"says nothing about the token; check login\.me_path"):
        login_of(made_api.url, once=once).token()


def test_the_limit_of_a_proxy_is_no_broken_route(
    login_of: Callable[..., LoginProbe], made_api: MadeApi
) -> None:
    """nginx refuses too many requests with a page of its own, whatever route they are for."""
    made_api.manners.posts = [(429, {}, {"Content-Type": "text/html"})]
    probe = login_of(made_api.url)
    assert probe.rate().refused
    with pytest.raises(Unreachable, match="says nothing about the route"):
        probe.route()


def test_a_login_without_an_answer_is_slow(
    login_of: Callable[..., LoginProbe], made_api: MadeApi
) -> None:
    """An API that answers other requests and not the login is too slow; nothing else is known."""
    made_api.manners.silent = True
    probe = login_of(made_api.url, timeout=0.5)
    slow = probe.time()
    assert not slow.is_within(3)
    assert "answers other requests" in str(slow)
    with pytest.raises(Unreachable, match="did not answer"):
        probe.errors()


def test_an_api_that_is_down_gets_no_login(login_of: Callable[..., LoginProbe]) -> None:
    """Where nothing listens, the reason is told once and no login is sent."""
    probe = login_of("http://127.0.0.1:9")
    assert not probe.reach().ok
    with pytest.raises(Unreachable, match="cannot be reached"):
        probe.errors()


def test_what_is_not_configured_is_skipped(
    login_of: Callable[..., LoginProbe], made_api: MadeApi
) -> None:
    """Without an account nobody logs in, and the reason names the key."""
    with pytest.raises(NotOffered, match="account and password"):
        login_of(made_api.url, login=None).errors()
    with pytest.raises(NotOffered, match="has no path"):
        login_of(made_api.url, routes=None).errors()
    made_api.manners.posts = [(200, {"data": {"token": "opaque"}}, {})]
    routes = Routes("/auth/login", "email", "password", token_pointer="/data/token")
    probe = login_of(made_api.url, routes=routes)
    with pytest.raises(NotOffered, match="me_path"):
        probe.token()
    with pytest.raises(NotOffered, match="no JWT"):
        probe.token_times()


def test_the_lab_s_accounts(accounts_probe: AccountsProbe) -> None:
    """Few accounts are locked, users get in, and connections are free."""
    assert accounts_probe.reach().ok
    assert not accounts_probe.locked(SOME).are_too_many
    attempts = accounts_probe.attempts(WINDOW, 10)
    assert attempts.usual > 50
    assert not attempts.have_stopped
    assert accounts_probe.outcomes(WINDOW, 10).succeed_at_least(Amount.parse("50%"))
    assert accounts_probe.connections().are_free(Amount.parse("5%"))
    assert not accounts_probe.locks(PATIENCE).are_blocking
    assert accounts_probe.writes(PATIENCE).accepted


def test_few_logins_prove_nothing(accounts_probe: AccountsProbe) -> None:
    """Where fewer logins are usual than the limit, nothing is concluded."""
    with pytest.raises(NotOffered, match="too few to say"):
        accounts_probe.attempts(WINDOW, 10**6)
    with pytest.raises(NotOffered, match="too few to judge"):
        accounts_probe.outcomes(WINDOW, 10**6)


def test_locked_accounts_are_named_by_id(
    accounts_probe: AccountsProbe, owner: psycopg.Connection[tuple[Any, ...]]
) -> None:
    """The accounts that are locked are counted and named, without an address."""
    lock = "UPDATE users SET status = %s WHERE email IN (%s, %s)"
    pair = (accounts.email_of(0), accounts.email_of(1))
    owner.execute(lock, ("locked", *pair))
    try:
        locked = accounts_probe.locked(Amount.parse("1"))
    finally:
        owner.execute(lock, ("active", *pair))
    assert locked.locked == 2
    assert [one.status for one in locked.affected()] == ["locked", "locked"]
    assert "@" not in f"{locked.affected()} {locked}"


def test_outcomes_may_be_words(services: Lab, owner: psycopg.Connection[tuple[Any, ...]]) -> None:
    """A column of text counts as well as a flag, in any case; so does a time without a zone."""
    owner.execute("CREATE TABLE logins_as_text (result text, at timestamp)")
    try:
        owner.execute(
            "INSERT INTO logins_as_text SELECT result, localtimestamp - make_interval(secs => age)"
            " FROM (VALUES ('SUCCESS', 10), ('Failure', 20), ('success', 2000)) AS r (result, age)"
        )
        owner.execute("GRANT SELECT ON logins_as_text TO veza_checks")
        columns = {"outcome_column": "result", "time_column": "at"}
        tables = {"attempts_table": "logins_as_text"}
        probe = AccountsProbe(services.dsn, PATIENCE, **COLUMNS | columns | tables)
        attempts = probe.outcomes(WINDOW, 1)
        probe.close()
    finally:
        owner.execute("DROP TABLE logins_as_text")
    assert (attempts.total, attempts.succeeded, attempts.usual) == (2, 1, 0.25)
    with pytest.raises(NotOffered, match="users_table"):
        probe.locked(SOME)


def test_a_missing_table_is_named(services: Lab) -> None:
    """A table that is not there is unreachable, with its name."""
    probe = AccountsProbe(services.dsn, PATIENCE, **COLUMNS | {"users_table": "people"})
    with pytest.raises(Unreachable, match="people"):
        probe.locked(SOME)
    with pytest.raises(Unreachable, match=r"login\.users_table"):
        probe.locks(1.0)
    with pytest.raises(NotOffered, match="attempts_table"):
        probe.attempts(WINDOW, 1)
    probe.close()
