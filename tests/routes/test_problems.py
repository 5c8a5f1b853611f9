import importlib
import json
import pkgutil

import pytest

from db.errors import StoreUnavailable, StoreUnknown
from media.hls_writer.errors import TooFarAhead
from routes import problems, tokens, wire
from routes.access import BearerMissing
from routes.problems import INTERNAL, TABLE, Problem, codes, problem_of, problem_of_status, row_of
from routes.rate_limit import TooManyTries
from rsocket_server.doors import HandlerTimeout, MembersOnly
from rsocket_server.gate_errors import GateError
from rsocket_server.room import TooFast

# Their errors never meet a visitor: they end a process at its start, or their only door turns them into a refusal.
UNMET = {
    *("db.migrate", "db.refresh_tokens", "routes.process", "routes.settings", "routes.speech"),
    *("rsocket_server.upgrade", "rsocket_server.websocket"),  # A status and a close code, before there is RSocket.
}
FLOORS = ("db", "rsocket_server", "media", "routes")


def _modules():
    for floor in FLOORS:
        package = importlib.import_module(floor)
        for found in pkgutil.walk_packages(package.__path__, f"{floor}."):
            if not found.name.endswith("__main__"):
                yield importlib.import_module(found.name)


def _error_classes():
    for module in _modules():
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, BaseException) and value.__module__ == module.__name__:
                yield value


def test_every_error_class_of_the_house_has_a_row_or_inherits_one():
    without = [f"{each.__module__}.{each.__name__}" for each in _error_classes() if row_of(each) is None]
    without = [name for name in without if name.rpartition(".")[0] not in UNMET]

    assert without == []


def test_the_walk_finds_the_errors_of_every_floor():
    found = {each.__module__.partition(".")[0] for each in _error_classes()}

    assert found == set(FLOORS)


def test_the_rows_are_all_of_living_classes():
    assert {each for each in TABLE if each.__module__.partition(".")[0] not in FLOORS} == set()


def test_one_code_has_one_row():
    rows = {}
    for row in (*TABLE.values(), *problems.HTTP_ONLY.values(), INTERNAL):
        assert rows.setdefault(row.code, row) == row


@pytest.mark.parametrize("row", codes().values(), ids=lambda row: row.code)
def test_a_row_keeps_its_promises(row):
    assert 400 <= row.status <= 599
    assert row.says.endswith(".")
    # REJECTED promises that nothing was done, CANCELED that it may be: only that one may be sent again unchanged.
    assert row.rsocket != problems.CANCELED or (row.code == "store.unknown" and row.retry)
    assert not row.retry or row.status in {404, 429, 500, 503}


def test_an_unknown_error_is_internal_with_an_incident_and_without_its_text():
    problem = problem_of(RuntimeError("postgresql://commeow:hunter2@db"), "incident1")

    assert problem == Problem(INTERNAL, incident="incident1")
    for data in (problem.as_http(), problem.as_rsocket()):
        assert b"hunter2" not in data
        assert json.loads(data)["incident"] == "incident1"


def test_a_known_error_shows_no_incident():
    assert problem_of(BearerMissing(), "incident1").incident is None


@pytest.mark.parametrize(
    ("error", "code", "status", "rsocket", "retry"),
    [
        (wire.WireShape("points"), "wire.shape", 400, 0x204, False),
        (wire.WireTooLarge(1), "wire.too_large", 413, 0x204, False),
        (tokens.TokenExpired(1.0), "auth.token_expired", 401, 0x202, False),
        (tokens.TokenInvalid("x"), "auth.token_invalid", 401, 0x202, False),
        (tokens.SecretTooShort(), "internal", 500, 0x201, True),
        (MembersOnly(), "auth.members_only", 401, 0x202, False),
        (TooManyTries(5), "limit.too_fast", 429, 0x202, True),
        (TooFast(5), "limit.too_fast", 429, 0x202, True),
        (StoreUnavailable("x"), "store.unavailable", 503, 0x202, True),
        (StoreUnknown("x"), "store.unknown", 503, 0x203, True),
        (HandlerTimeout(), "store.unknown", 503, 0x203, True),
        (TooFarAhead(7, None), "hls.too_far_ahead", 400, 0x204, False),
        (GateError(), "protocol.violation", 400, 0x204, False),
        (KeyError("x"), "internal", 500, 0x201, True),
    ],
)
def test_what_the_world_is_told(error, code, status, rsocket, retry):
    row = problem_of(error, "i").row

    assert (row.code, row.status, row.rsocket, row.retry) == (code, status, rsocket, retry)


def test_details_are_ours_and_the_same_on_both_roads():
    http = json.loads(problem_of(wire.WireShape("points"), "i").as_http())
    rsocket = json.loads(problem_of(wire.WireShape("points"), "i").as_rsocket())
    fast = json.loads(problem_of(TooFast(900), "i").as_rsocket())

    assert rsocket == {"code": "wire.shape", "retry": False, "field": "points"}
    assert http == {
        **rsocket,
        "type": "urn:commeow:problem:wire.shape",
        "title": "The request has not the shape this door takes.",
        "status": 400,
    }
    assert fast == {"code": "limit.too_fast", "retry": True, "retry_after_ms": 900}


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (404, "http.not_found"),
        (405, "http.method"),
        (413, "wire.too_large"),
        (400, "wire.shape"),
        (500, "internal"),
        (503, "internal"),
    ],
)
def test_the_http_servers_own_refusals_have_codes_too(status, code):
    assert problem_of_status(status).row.code == code
