"""A row that cannot be read is a problem with its own code, and its content is not shown."""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from sublife.events.intake import settle
from sublife.events.outbox import relay
from sublife.events.store.daemon import Daemon
from sublife.scheduler.api.interface import Limits

if TYPE_CHECKING:
    from tests.scheduler.api.conftest import Client, Door

HOOK = {"id": "billing", "url": "https://hooks.example/sublife"}
ROW = {
    "subject": "id = 'bad'",
    "journal": "subject = 'bad' AND sequence = 1",
    "activity": "subscription = 'bad'",
    "order": "subscription = 'bad'",
    "delivery": "subject = 'bad'",
    "endpoint": "id = 'billing'",
    "pause": "lifecycle = 'migration'",
    "simulation": "tenant = 'whatif'",
    "daemon": "id = 'd1'",
}
SUBJECT = ("/v1/subjects/bad", "/v1/subjects/bad/allowed", "/v1/subjects/bad/may/suspend")
ROUTES: tuple[tuple[str, str, object, tuple[str, ...]], ...] = (
    ("subject", "snapshot", "[]", SUBJECT),
    ("subject", "snapshot", "{nope", SUBJECT),
    ("subject", "lifecycle", "warranty", SUBJECT),
    ("subject", "sequence", "marker", SUBJECT),
    ("subject", "due_at", "0 marker", (*SUBJECT, "/v1/due")),
    ("journal", "data", "{nope", ("/v1/subjects/bad/history", "/v1/why?of=order-bad%230")),
    ("journal", "outcome", "[]", ("/v1/subjects/bad/history", "/v1/why?of=order-bad")),
    ("journal", "recorded_at", "marker", ("/v1/subjects/bad/history",)),
    ("activity", "kind", "marker", ("/v1/records",)),
    ("activity", "effective_at", "marker", ("/v1/records",)),
    ("activity", "version", "marker", ("/v1/records",)),
    ("order", "amount", "marker", ("/v1/orders", "/v1/orders?subscription=bad")),
    ("order", "quantity", "marker", ("/v1/orders",)),
    ("order", "recorded_at", 20251001, ("/v1/orders",)),
    ("delivery", "status", "marker", ("/v1/deliveries",)),
    ("delivery", "attempts", "marker", ("/v1/deliveries",)),
    ("delivery", "created_at", "marker", ("/v1/deliveries",)),
    ("endpoint", "body", "marker", ("/v1/endpoints", "/v1/endpoints/billing")),
    ("endpoint", "filters", "marker", ("/v1/endpoints", "/v1/endpoints/billing")),
    ("endpoint", "previous_until", "marker", ("/v1/endpoints/billing",)),
    ("pause", "paused_at", "marker", ("/v1/pauses",)),
)
UNTOUCHED = ("/v1/subjects/good", "/v1/subjects/good/history", "/v1/orders?subscription=good")


def filled(door: "Door") -> "Client":
    """Fill the tenant with two subscriptions that have renewed, an endpoint and a pause."""
    client = door.client()
    assert client.send("POST", "/v1/endpoints", json=HOOK).status_code == 201
    for name in ("bad", "good"):
        assert client.sell(name, key=f"order-{name}").status_code == 201
    store = door.store.of("acme")
    door.clock.move(door.clock.now() + timedelta(days=380))
    settle(store, door.clock.now())
    relay(store, door.clock.now())
    asked = {"reason": "moving", "lifecycle": "migration"}
    assert client.send("POST", "/v1/pauses", json=asked).status_code == 201
    return client


def damage(door: "Door", table: str, column: str, value: object) -> None:
    statement = f"UPDATE sublife_{table} SET {column} = :v WHERE {ROW[table]}"  # noqa: S608 – names of this test
    with door.store.engine.begin() as connection:
        assert connection.execute(text(statement), {"v": value}).rowcount


@pytest.mark.parametrize(
    ("table", "column", "value", "routes"), ROUTES, ids=[f"{t}.{c}={v}" for t, c, v, _ in ROUTES]
)
def test_the_problem_names_the_row_and_the_column_but_not_the_content(
    table: str,
    column: str,
    value: object,
    routes: tuple[str, ...],
    memory_door: "Door",
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = filled(memory_door)
    damage(memory_door, table, column, value)

    for route in routes:
        caplog.clear()
        with caplog.at_level(logging.ERROR, logger="sublife"):
            answer = client.get(route)

        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (500, "UNREADABLE"), (route, problem)
        assert f"sublife_{table} cannot be read (column {column})" in problem["detail"]
        assert problem.get("subject", "bad") == "bad"
        assert "marker" not in answer.text
        assert "Retry-After" not in answer.headers
        (line,) = [vars(each) for each in caplog.records if each.getMessage() == "request_failed"]
        assert f"sublife_{table} cannot be read" in line["reason"]
    if table != "pause":
        for route in UNTOUCHED:
            assert client.get(route).status_code == 200, route


@pytest.mark.parametrize(("column", "value"), [("snapshot", "[]"), ("lifecycle", "warranty")])
def test_a_request_to_a_damaged_subject_names_it_and_changes_nothing(
    column: str, value: str, memory_door: "Door"
) -> None:
    client = filled(memory_door)
    damage(memory_door, "subject", column, value)

    refused = client.ask("bad", "turn_autorenew_off")
    other = client.ask("good", "turn_autorenew_off")

    assert (refused.status_code, refused.json()["code"]) == (500, "UNREADABLE")
    assert refused.json()["subject"] == "bad"
    assert other.status_code == 200


def test_the_forecast_names_it_among_what_is_stuck(memory_door: "Door") -> None:
    client = filled(memory_door)
    damage(memory_door, "subject", "snapshot", "[]")

    found = client.get("/v1/forecast?days=400").json()

    assert [each["subject"] for each in found["stuck"]] == ["bad"]
    assert {each["subject"] for each in found["items"]} == {"good"}


@pytest.mark.parametrize(
    ("column", "value"), [("role", "god"), ("created_at", "soon"), ("expires_at", "never")]
)
def test_nobody_gets_in_with_a_token_whose_row_is_damaged(
    column: str, value: str, memory_door: "Door", caplog: pytest.LogCaptureFixture
) -> None:
    client, other = memory_door.client(), memory_door.client()
    identifier = (client.token or "").split("_")[1]
    statement = f"UPDATE sublife_token SET {column} = :v WHERE id = :i"  # noqa: S608 – names of this test
    with memory_door.store.engine.begin() as connection:
        connection.execute(text(statement), {"v": value, "i": identifier})

    answer = client.get("/v1/due")

    assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHORIZED")
    assert other.get("/v1/due").status_code == 200
    (line,) = [vars(each) for each in caplog.records if each.getMessage() == "token_unreadable"]
    assert line["token"] == identifier


def test_a_daemon_whose_row_is_damaged_leaves_the_others_ready(
    open_door: Callable[..., "Door"],
) -> None:
    door = open_door()
    door.interface.limits = Limits(beat=timedelta(minutes=1))
    now = door.clock.now()
    for name in ("d1", "d2"):
        door.store.daemons.beat(Daemon(name, "host", 1, "1", now, now))
    damage(door, "daemon", "beat_at", "soon")

    answer = door.anybody().get("/readyz")

    assert (answer.status_code, answer.json()["status"]) == (200, "ready")


def test_an_endpoint_whose_row_is_damaged_holds_up_no_other(
    memory_door: "Door", caplog: pytest.LogCaptureFixture
) -> None:
    client = filled(memory_door)
    other = {**HOOK, "id": "other", "from_start": True}
    assert client.send("POST", "/v1/endpoints", json=other).status_code == 201
    damage(memory_door, "endpoint", "body", "fax")

    count = relay(memory_door.store.of("acme"), memory_door.clock.now())

    assert count > 0
    assert "endpoint_unreadable" in [each.getMessage() for each in caplog.records]


@pytest.mark.parametrize(
    ("table", "column", "value", "route"),
    [
        ("subject", "snapshot", "[]", "/v1/subjects/bad"),
        ("journal", "outcome", "[]", "/v1/subjects/bad/history"),
        ("endpoint", "body", "fax", "/v1/endpoints"),
    ],
)
def test_on_postgresql_it_is_the_same(
    table: str,
    column: str,
    value: str,
    route: str,
    migrated_database: str,
    open_door: Callable[..., "Door"],
) -> None:
    door = open_door(migrated_database)
    client = filled(door)
    is_json = column in {"snapshot", "outcome"}
    cast = "CAST(:v AS JSONB)" if is_json else ":v"
    statement = f"UPDATE sublife_{table} SET {column} = {cast} WHERE {ROW[table]}"  # noqa: S608 – names of this test
    with door.store.engine.begin() as connection:
        connection.execute(text(statement), {"v": value})

    answer = client.get(route)

    assert (answer.status_code, answer.json()["code"]) == (500, "UNREADABLE")
