"""Endpoints, deliveries, pauses, clocks, health and metrics over HTTP."""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from sublife.events.outbox import Status, relay
from sublife.events.store.daemon import Daemon
from sublife.events.store.delivery import Result
from sublife.events.token import Role

if TYPE_CHECKING:
    from tests.scheduler.api.conftest import Client, Door

HOOK = {"id": "billing", "url": "https://hooks.example/sublife"}


def created(client: "Client", **more: object) -> dict[str, object]:
    answer = client.send("POST", "/v1/endpoints", json={**HOOK, **more})
    assert answer.status_code == 201
    body: dict[str, object] = answer.json()
    return body


def test_the_secret_of_an_endpoint_is_shown_once(door: "Door") -> None:
    client = door.client()

    made = created(client, filters={"facts": ["subscription-renewed"]})

    secret = str(made.pop("secret"))
    assert secret.startswith("whsec_")
    shown = client.get("/v1/endpoints/billing")
    assert shown.json() == made
    assert client.get("/v1/endpoints").json() == [made]
    assert secret not in shown.text
    assert door.store.of("acme").endpoints.get("billing").secret == secret


def test_an_endpoint_is_rotated_and_removed(door: "Door") -> None:
    client = door.client()
    first = created(client)["secret"]

    rotated = client.send("POST", "/v1/endpoints/billing/rotate", json={"hours": 2}).json()

    until = door.clock.now() + timedelta(hours=2)
    kept = door.store.of("acme").endpoints.get("billing")
    assert (kept.secret, kept.previous_secret) == (rotated["secret"], first)
    assert kept.previous_until == until
    assert client.send("DELETE", "/v1/endpoints/billing").status_code == 204
    assert client.get("/v1/endpoints").json() == []
    assert client.send("DELETE", "/v1/endpoints/billing").status_code == 404


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"url": "http://hooks.example/x"}, 422, "BAD_ADDRESS"),
        ({"url": "https://127.0.0.1/x"}, 422, "BAD_ADDRESS"),
        ({"url": "no address"}, 422, "BAD_DATA"),
        ({"allow_private": True}, 422, "BAD_DATA"),
        ({"allow_http": True}, 422, "BAD_DATA"),
        ({"filters": {"facts": ["subscription-renewd"]}}, 422, "BAD_ENDPOINT"),
        ({"id": ""}, 422, "BAD_DATA"),
        ({}, 409, "NAME_TAKEN"),
    ],
)
def test_an_endpoint_that_cannot_be_is_refused(
    door: "Door", change: dict[str, object], status: int, code: str
) -> None:
    client = door.client()
    created(client)

    answer = client.send(
        "POST", "/v1/endpoints", json={**HOOK, "id": "b2", **change} if change else HOOK
    )

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert [each["id"] for each in client.get("/v1/endpoints").json()] == ["billing"]


def test_deliveries_are_listed_and_sent_again(open_door: Callable[..., "Door"], url: str) -> None:
    door = open_door(url)
    client = door.client()
    created(client)
    client.sell("sub-1", key="order-1")
    store = door.store.of("acme")
    relay(store, door.clock.now())
    pending = client.get("/v1/deliveries?status=pending&limit=1")
    claimed = store.deliveries.claim(
        "billing", door.clock.now(), door.clock.now() + timedelta(hours=1), limit=1
    )
    store.deliveries.mark(
        [Result(claimed=claimed[0], status=Status.DEAD, error="no")], door.clock.now()
    )

    dead = client.get("/v1/deliveries?status=dead&endpoint=billing").json()["items"]
    one = client.send(
        "POST", "/v1/deliveries/resend", json={"endpoint": "billing", "fact_id": "order-1#0"}
    )
    again = client.send("POST", "/v1/deliveries/resend", json={"endpoint": "billing", "dead": True})

    assert pending.json()["items"][0]["fact_id"] == "order-1#0"
    assert pending.json()["next"] is not None
    assert [(each["fact_id"], each["error"]) for each in dead] == [("order-1#0", "no")]
    assert one.json() == {"endpoint": "billing", "due_again": 1}
    assert again.json() == {"endpoint": "billing", "due_again": 0}
    assert client.get("/v1/deliveries?status=dead").json()["items"] == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"endpoint": "billing"}, 422),
        ({"endpoint": "billing", "fact_id": "x#0", "dead": True}, 422),
        ({"endpoint": "billing", "fact_id": "x"}, 422),
        ({"endpoint": "billing", "fact_id": "x#0"}, 404),
        ({"endpoint": "nothing", "dead": True}, 404),
    ],
)
def test_what_cannot_be_sent_again_is_told(
    door: "Door", body: dict[str, object], status: int
) -> None:
    client = door.client()
    created(client)

    assert client.send("POST", "/v1/deliveries/resend", json=body).status_code == status


def test_a_lifecycle_is_paused_and_goes_on(door: "Door") -> None:
    client = door.client(Role.OPERATE, label="ops")
    client.sell("sub-1")

    made = client.send(
        "POST", "/v1/pauses", json={"reason": "wrong price", "lifecycle": "subscription"}
    )
    refused = client.ask("sub-1", "suspend")
    wrong = client.send("DELETE", "/v1/pauses")
    ended = client.send("DELETE", "/v1/pauses?lifecycle=subscription")

    assert made.status_code == 201
    identifier = door.store.tokens.all()[-1].id
    assert made.json() == {
        "tenant": "acme",
        "lifecycle": "subscription",
        "paused_at": "2024-10-01T02:35:00Z",
        "paused_by": f"ops:{identifier}",
        "reason": "wrong price",
    }
    assert (refused.status_code, refused.json()["code"]) == (409, "PAUSED")
    assert (wrong.status_code, wrong.json()["code"]) == (404, "NOT_PAUSED")
    assert (ended.status_code, ended.json()) == (200, made.json())
    assert client.ask("sub-1", "suspend").status_code == 200


def test_the_installation_is_paused_for_every_tenant(door: "Door") -> None:
    admin, client = door.client(tenant=None), door.client()

    admin.send("POST", "/v1/installation/pauses", json={"reason": "moving house"})

    assert client.sell("sub-1").json()["code"] == "PAUSED"
    assert client.get("/v1/pauses").json() == admin.get("/v1/installation/pauses").json()
    assert client.send("DELETE", "/v1/pauses").status_code == 404
    assert admin.send("DELETE", "/v1/installation/pauses").status_code == 200
    assert client.sell("sub-1").status_code == 201


@pytest.mark.parametrize("body", [{}, {"reason": " "}, {"reason": "x", "lifecycle": "nothing"}])
def test_a_pause_needs_a_reason_and_a_lifecycle_that_is_there(
    door: "Door", body: dict[str, object]
) -> None:
    assert door.client().send("POST", "/v1/pauses", json=body).status_code == 422


def test_a_live_clock_is_shown_and_cannot_be_moved(door: "Door") -> None:
    client = door.client()
    client.sell("sub-1")

    shown = client.get("/v1/clock").json()
    moved = client.send("POST", "/v1/clock/advance", json={"to": "2030-01-01T00:00:00Z"})

    assert shown == {"tenant": "acme", "simulated": False, "now": "2024-10-01T02:35:00Z"}
    assert (moved.status_code, moved.json()["code"]) == (409, "LIVE_TENANT")
    assert client.get("/v1/subjects/sub-1").json()["state"] == "active"


def test_a_live_subject_is_forked_and_its_future_seen(
    url: str, open_door: Callable[..., "Door"]
) -> None:
    door = open_door(url)
    admin, live = door.client(tenant=None), door.client()
    live.sell("sub-1")
    live.ask("sub-1", "turn_autorenew_off")
    before = live.get("/v1/subjects/sub-1").json()
    whatif = door.client(Role.OPERATE, tenant="whatif")

    forked = admin.send(
        "POST",
        "/v1/installation/forks",
        json={"tenant": "acme", "subjects": ["sub-1"], "into": "whatif"},
    )
    moved = whatif.send("POST", "/v1/clock/advance", json={"to": "2026-06-01T00:00:00Z"})
    back = whatif.send("POST", "/v1/clock/advance", json={"to": "2025-06-01T00:00:00Z"})

    assert (forked.status_code, forked.json()["subjects"]) == (201, ["sub-1"])
    assert moved.status_code == 200
    assert moved.json()["count"] > 2
    assert back.status_code == 409
    assert whatif.get("/v1/clock").json()["now"] == "2026-06-01T00:00:00Z"
    assert whatif.get("/v1/subjects/sub-1").json()["state"] == "deleted"
    assert live.get("/v1/subjects/sub-1").json() == before
    listed = admin.get("/v1/installation/simulations").json()
    assert [(each["tenant"], each["subjects"]) for each in listed] == [("whatif", 1)]


def test_a_simulated_tenant_is_made_at_any_instant(door: "Door") -> None:
    admin, client = door.client(tenant=None), door.client(tenant="then")
    body = {"tenant": "then", "at": "2020-02-29T00:00:00Z"}

    made = admin.send("POST", "/v1/installation/simulations", json=body)
    again = admin.send("POST", "/v1/installation/simulations", json=body)
    client.sell("sub-1")

    assert (made.status_code, again.status_code) == (201, 409)
    history = client.get("/v1/subjects/sub-1/history").json()["items"]
    assert {each["at"] for each in history} == {"2020-02-29T00:00:00Z"}


def test_it_is_ready_while_a_daemon_beats(url: str, open_door: Callable[..., "Door"]) -> None:
    door = open_door(url, beat=timedelta(seconds=60))
    client = door.anybody()
    before = client.get("/readyz")
    now = door.clock.now()
    door.store.daemons.beat(Daemon("d", "host", 1, "0", now, now))
    beaten = client.get("/readyz")
    door.clock.move(now + timedelta(seconds=61))

    after = client.get("/readyz")

    assert (before.status_code, before.json()["code"]) == (503, "NO_BEAT")
    assert (beaten.status_code, beaten.json()) == (200, {"status": "ready"})
    assert (after.status_code, after.json()["code"]) == (503, "NO_BEAT")
    assert client.get("/healthz").json() == {"status": "alive"}


def test_it_is_not_ready_on_tables_of_another_release(door: "Door") -> None:
    with door.store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE sublife_schema SET version_num = '0.1.0'")

    answer = door.anybody().get("/readyz")

    assert (answer.status_code, answer.json()["code"]) == (503, "SCHEMA")


def test_metrics_count_requests_and_refusals_without_naming_a_subject(door: "Door") -> None:
    client = door.client()
    client.sell("sub-1", key="order-1")
    client.ask("sub-1", "reactivate", key="again")
    client.ask("sub-1", "reactivate", key="again")
    door.interface.metrics.settled("acme", 3, 0.02)
    door.interface.metrics.look(1.5, 7)

    text = door.client(Role.READ, tenant=None).get("/metrics").text

    assert 'sublife_refused_total{code="BAD_STATE"} 1.0' in text
    route = 'method="POST",route="/v1/subjects/{subject}/events"'
    assert f'sublife_requests_total{{{route},status="409"}} 2.0' in text
    assert 'sublife_settled_total{tenant="acme"} 3.0' in text
    assert "sublife_lag_seconds 1.5" in text
    assert "sublife_due 7.0" in text
    assert "sub-1" not in text
    assert "tailspin" not in text


def test_a_request_is_traced_by_its_route_and_nothing_more(
    door: "Door", monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(ended))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    client = door.client()

    client.sell("sub-1", key="order-1")

    submit, request = ended.get_finished_spans()
    provider.shutdown()
    assert (submit.name, request.name) == ("submit", "request")
    assert dict(submit.attributes or {}) == {
        "sublife.request": "purchase",
        "sublife.lifecycle": "subscription",
    }
    assert dict(request.attributes or {}) == {
        "http.route": "/v1/subjects/{subject}/events",
        "http.request.method": "POST",
        "http.response.status_code": 201,
    }
    told = submit.to_json() + request.to_json()
    assert not [
        each for each in ("sub-1", "tailspin", "order-1", client.token) if str(each) in told
    ]


def test_the_log_of_a_request_names_the_token_and_no_customer(
    door: "Door", caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "sublife")
    client = door.client(label="billing")

    client.sell("sub-1", key="order-1")
    client.get("/v1/records?customer=tailspin")

    (line,) = [each for each in caplog.records if each.msg == "request_answered"]
    identifier = door.store.tokens.all()[-1].id
    said = {name: line.__dict__[name] for name in ("route", "method", "status", "token", "tenant")}
    assert said == {
        "route": "/v1/subjects/{subject}/events",
        "method": "POST",
        "status": 201,
        "token": identifier,
        "tenant": "acme",
    }
    told = str([each.__dict__ for each in caplog.records])
    assert not [each for each in ("tailspin", str(client.token)) if each in told]
