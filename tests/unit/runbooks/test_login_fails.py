"""The runbook "Login fails": its evidence fits its prose and its checks, and tells each fault."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from core.outcome import Outcome, Status
from fixtures.target.model import Target
from fixtures.target.summary import summary_of
from reports.cli.lint import checks_of, filling
from reports.diagnosis.diagnose import diagnose
from reports.diagnosis.evidence import Evidence
from reports.diagnosis.evidence_file import load_evidence
from reports.model.lint import lint
from reports.runbook.markdown import load_runbook
from reports.runbook.placeholders import fill_step

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "runbooks/login_fails"
CHECKS = ROOT / "checks/login_fails"

ROUTE, TOKENS, SLOW = "login_route_broken", "tokens_refused", "password_check_slow"
LIMIT, LOCKED, BLOCKED = "rate_limit_hits_everybody", "accounts_locked", "database_blocks_logins"

STOPPED = "signal/logins_have_not_stopped"
NO_TOKEN = (
    "session/new_token_is_accepted session/new_token_is_valid_now session/login_is_not_slow_alone"
)
REFUSED = "session/new_token_is_accepted session/new_token_is_valid_now"
AFTER_AN_ERROR = (
    "signal/most_logins_succeed login/login_route_exists login/login_is_not_rate_limited"
    f" login/account_is_let_in {NO_TOKEN}"
)
NO_API = (
    "login/login_route_exists login/login_answers_without_server_error login/login_is_fast"
    f" login/login_is_not_rate_limited login/account_is_let_in {NO_TOKEN}"
)
NO_DATABASE = (
    f"{STOPPED} signal/most_logins_succeed accounts/few_accounts_are_locked"
    " database/no_lock_blocks_logins database/connections_are_free"
    " database/database_accepts_writes"
)
NO_LOGS = (
    "logs/no_crash_of_the_login_is_logged logs/few_logins_are_rate_limited"
    " logs/few_tokens_are_refused"
)
ERROR = "login/login_answers_without_server_error"
CRASH = "logs/no_crash_of_the_login_is_logged"
LOCK = "database/no_lock_blocks_logins"

# name: (the true cause, the checks that fail, the checks that say nothing)
SINGLES: dict[str, tuple[str, str, str]] = {
    "login-panics": (ROUTE, f"{STOPPED} {ERROR} {CRASH}", AFTER_AN_ERROR),
    "login-panics, moments ago": (ROUTE, f"{ERROR} {CRASH}", AFTER_AN_ERROR),
    "login-route-gone": (
        ROUTE,
        f"{STOPPED} login/login_route_exists",
        f"login/login_is_fast {AFTER_AN_ERROR.replace('login/login_route_exists', '')}",
    ),
    "the proxy answers with a page": (
        ROUTE,
        "login/login_route_exists",
        f"login/login_is_fast login/account_is_let_in {NO_TOKEN} {NO_LOGS}",
    ),
    "signing-key-changed": (
        TOKENS,
        "session/new_token_is_accepted logs/few_tokens_are_refused",
        "",
    ),
    "signing-key-changed, tokens of no known form": (
        TOKENS,
        "session/new_token_is_accepted",
        f"session/new_token_is_valid_now {NO_LOGS}",
    ),
    "tokens-born-expired": (TOKENS, f"{REFUSED} logs/few_tokens_are_refused", ""),
    "tokens-born-expired, no logs": (TOKENS, REFUSED, NO_LOGS),
    "hash-cost-raised": (SLOW, "login/login_is_fast session/login_is_not_slow_alone", ""),
    "hash-cost-raised, no database to see": (
        SLOW,
        "login/login_is_fast session/login_is_not_slow_alone",
        f"database/database_is_reachable {NO_DATABASE}",
    ),
    "hash-cost-raised, longer than the checks wait": (
        SLOW,
        "login/login_is_fast",
        f"{ERROR} {AFTER_AN_ERROR}",
    ),
    "rate-limit-by-proxy": (
        LIMIT,
        f"{STOPPED} login/login_is_not_rate_limited logs/few_logins_are_rate_limited",
        f"login/login_is_fast login/account_is_let_in {NO_TOKEN} signal/most_logins_succeed",
    ),
    "rate-limit-by-proxy, no logs": (
        LIMIT,
        f"{STOPPED} login/login_is_not_rate_limited",
        f"login/login_is_fast login/account_is_let_in {NO_TOKEN} {NO_LOGS}",
    ),
    "accounts-locked": (LOCKED, "signal/most_logins_succeed accounts/few_accounts_are_locked", ""),
    "accounts-locked, the synthetic one too": (
        LOCKED,
        (
            f"{STOPPED} signal/most_logins_succeed accounts/few_accounts_are_locked"
            " login/account_is_let_in"
        ),
        NO_TOKEN,
    ),
    "accounts-table-locked": (
        BLOCKED,
        f"{STOPPED} {ERROR} login/login_is_fast {LOCK}",
        f"{AFTER_AN_ERROR} accounts/few_accounts_are_locked",
    ),
    "accounts-table-locked, the login hangs": (
        BLOCKED,
        f"login/login_is_fast {LOCK}",
        f"{AFTER_AN_ERROR} {ERROR} accounts/few_accounts_are_locked",
    ),
    "connections-exhausted": (
        BLOCKED,
        f"{STOPPED} {ERROR} database/connections_are_free",
        AFTER_AN_ERROR,
    ),
}

# name: (the cause outside the runbook, the checks that fail, the checks that say nothing)
OUTSIDE: dict[str, tuple[str, str, str]] = {
    "api-down": ("api_failing", "login/api_is_reachable", NO_API),
    "api-down, for long": ("api_failing", f"{STOPPED} login/api_is_reachable", NO_API),
    "database-down": (
        "database_down",
        f"{ERROR} database/database_is_reachable",
        f"{AFTER_AN_ERROR} {NO_DATABASE}",
    ),
    "database-readonly": (
        "database_read_only",
        f"{ERROR} database/database_accepts_writes",
        AFTER_AN_ERROR,
    ),
    "passwords are guessed": (
        "passwords_guessed",
        "signal/most_logins_succeed logs/few_logins_are_rate_limited",
        "",
    ),
    "this machine is cut off": (
        "cut_off",
        "login/api_is_reachable database/database_is_reachable",
        f"{NO_API} {NO_DATABASE} {NO_LOGS}",
    ),
}


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    """The shipped model."""
    return load_evidence(FOLDER / "evidence.toml")


def results(evidence: Evidence, failed: str, silent: str) -> list[Outcome]:
    """Return a result for each check: every one that is not named has passed."""
    known = {row.id for row in evidence.checks}
    assert set(failed.split()) | set(silent.split()) <= known
    statuses: dict[str, Status] = dict.fromkeys(silent.split(), "unreachable")
    statuses |= dict.fromkeys(failed.split(), "failed")
    return [Outcome(row.id, statuses.get(row.id, "passed")) for row in evidence.checks]


@pytest.mark.parametrize("name", SINGLES)
def test_a_fault_of_the_runbook_is_named(evidence: Evidence, name: str) -> None:
    """The true hypothesis comes first and is named, and no other one is."""
    cause, failed, silent = SINGLES[name]
    diagnosis = diagnose(evidence, results(evidence, failed, silent))
    assert diagnosis.hypotheses[0].id == cause
    assert diagnosis.certainty in ("certain", "likely"), diagnosis.hypotheses
    assert set(diagnosis.most_likely_set) == {cause}
    assert not diagnosis.most_likely_outside


PAIRS = [
    pair
    for pair in itertools.combinations(SINGLES, 2)
    if SINGLES[pair[0]][0] != SINGLES[pair[1]][0]
]


@pytest.mark.parametrize("pair", PAIRS, ids="+".join)
def test_two_faults_at_once_accuse_no_third(evidence: Evidence, pair: tuple[str, str]) -> None:
    """One may hide the other; what is named is true."""
    (one, failed, silent), (two, failed_too, silent_too) = (SINGLES[name] for name in pair)
    unseen = {*silent.split(), *silent_too.split()}
    seen_failing = {*failed.split(), *failed_too.split()} - unseen
    diagnosis = diagnose(evidence, results(evidence, " ".join(seen_failing), " ".join(unseen)))
    if diagnosis.certainty in ("none", "unclear"):
        return
    assert {*diagnosis.most_likely_set, *diagnosis.most_likely_outside} <= {one, two}


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_fault_outside_accuses_no_hypothesis(evidence: Evidence, name: str) -> None:
    """The cause outside is named, and every hypothesis stays below one half."""
    cause, failed, silent = OUTSIDE[name]
    diagnosis = diagnose(evidence, results(evidence, failed, silent))
    assert diagnosis.certainty == "outside", diagnosis.hypotheses
    assert set(diagnosis.most_likely_outside) == {cause}
    assert diagnosis.hypotheses[0].probability < 0.5


@pytest.mark.parametrize(
    "failed",
    [
        STOPPED,
        "login/account_is_let_in",
        "signal/most_logins_succeed",
        CRASH,
        "logs/few_tokens_are_refused",
    ],
)
def test_one_sign_that_many_things_bring_about_names_nothing(
    evidence: Evidence, failed: str
) -> None:
    """A holiday, a changed password, a bad minute, a crash that is over, tokens that expired."""
    diagnosis = diagnose(evidence, results(evidence, failed, ""))
    assert not {one.id for one in diagnosis.hypotheses if one.probability >= 0.9}
    assert diagnosis.certainty != "certain"


def test_a_slow_login_alone_accuses_nothing_while_the_database_is_unseen(
    evidence: Evidence,
) -> None:
    """It may wait for the database as well as for the password's hash."""
    silent = f"database/database_is_reachable {NO_DATABASE} {NO_TOKEN}"
    diagnosis = diagnose(evidence, results(evidence, "login/login_is_fast", silent))
    assert diagnosis.certainty == "unclear"
    assert "database" in {one.component for one in diagnosis.unseen}


def test_nothing_is_missing() -> None:
    """Document, evidence table and checks agree, as `python -m reports lint` says."""
    assert [str(one) for one in lint(FOLDER, checks_of(FOLDER), filling())] == []


def test_nothing_in_it_is_about_uploads() -> None:
    """The second runbook speaks of its own subject alone."""
    for path in (*FOLDER.iterdir(), *CHECKS.glob("*.py")):
        lines = [
            line
            for line in path.read_text(encoding="utf-8").splitlines()
            if "runbooks/upload_stuck/" not in line
        ]
        assert "upload" not in "\n".join(lines).lower(), path


@pytest.mark.parametrize("document", ["runbook.md", "runbook.fr.md"])
def test_locked_accounts_are_unlocked_by_the_names_of_the_target(document: str) -> None:
    """A column and words of its own are in what a person pastes, all of the words."""
    table = {
        "users_table": "auth.accounts",
        "status_column": "state",
        "locked_statuses": ["blocked", "it's off"],
    }
    target = Target.model_validate({"name": "live", "environment": "live", "login": table})
    group = load_runbook(FOLDER / document).actions[4]
    values = summary_of(target).placeholders
    texts = [one.text for step in group.steps for one in fill_step(step, values).commands]
    where = """ "state"::text IN ('blocked', 'it''s off')"""
    assert 'FROM "auth"."accounts" WHERE' + where in texts[0]
    assert """UPDATE "auth"."accounts" SET "state" = 'active'""" in texts[1]
    assert "WHERE" + where + " AND updated_at BETWEEN" in texts[1]
