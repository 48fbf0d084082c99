"""Requests to a subject: taken in once, dated, conditional, refused by rule, by whom (GEN, EVT)."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from sublife.events.token import Role
from sublife.lifecycle.model import iso

if TYPE_CHECKING:
    from tests.scheduler.api.conftest import Door


def test_a_purchase_makes_a_subject_and_shows_what_happened(door: "Door") -> None:
    client = door.client(Role.OPERATE)

    answer = client.sell("sub-1", key="order-1")

    assert answer.status_code == 201
    assert answer.headers["ETag"] == '"2"'
    assert "Idempotent-Replayed" not in answer.headers
    body = answer.json()
    assert (body["event"], body["subject"], body["state"]) == ("order-1", "sub-1", "active")
    assert (body["version"], body["repeated"]) == (2, False)
    assert [each["name"] for each in body["happened"]] == ["purchase", "provisioning_ended"]
    assert [fact["name"] for each in body["happened"] for fact in each["facts"]] == [
        "subscription-created",
        "subscription-provisioned",
    ]


def test_the_same_key_again_has_the_first_outcome_and_no_second_effect(door: "Door") -> None:
    client = door.client(Role.OPERATE)
    first = client.sell("sub-1", key="order-1")
    door.clock.move(door.clock.now() + timedelta(hours=1))

    second = client.sell("sub-1", key="order-1")

    assert second.status_code == first.status_code
    assert second.headers["Idempotent-Replayed"] == "true"
    assert second.json() == {**first.json(), "repeated": True}
    assert len(client.get("/v1/subjects/sub-1/history").json()["items"]) == 2


def test_a_key_may_be_sent_in_quotes(door: "Door") -> None:
    client = door.client(Role.OPERATE)
    client.sell("sub-1", key="order-1")

    assert client.sell("sub-1", key='"order-1"').headers["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize(
    "other",
    [
        {"data": {"quantity": 2}},
        {"request": "remove_seats"},
        {"at": "2024-10-01T02:34:00Z"},
        {"by": {"user": "amy", "role": "admin-agent"}},
    ],
    ids=["data", "request", "at", "by"],
)
def test_the_same_key_with_another_body_is_refused(door: "Door", other: dict[str, Any]) -> None:
    client = door.client(Role.OPERATE)
    client.sell("sub-1")
    asked = {"request": "add_seats", "data": {"quantity": 1}}
    headers = {"Idempotency-Key": "more"}
    path = "/v1/subjects/sub-1/events"
    first = client.send("POST", path, json=asked, headers=headers)

    second = client.send("POST", path, json={**asked, **other}, headers=headers)

    assert first.status_code == 200
    assert second.status_code == 422
    assert second.json()["code"] == "IDEMPOTENCY_KEY_REUSED"
    assert client.get("/v1/subjects/sub-1").json()["snapshot"]["quantity"] == 31


def test_a_request_without_a_key_is_not_taken(door: "Door") -> None:
    client = door.client(Role.OPERATE)

    answer = client.send("POST", "/v1/subjects/sub-1/events", json={"request": "suspend"})

    assert (answer.status_code, answer.json()["code"]) == (400, "IDEMPOTENCY_KEY")
    assert answer.json()["errors"] == [
        {"parameter": "Idempotency-Key", "detail": "is missing; add it"}
    ]


@pytest.mark.parametrize("key", ["timer:sub-1/x", "order#1"])
def test_keys_that_belong_to_others_are_refused(door: "Door", key: str) -> None:
    answer = door.client(Role.OPERATE).sell("sub-1", key=key)

    assert (answer.status_code, answer.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")


def test_a_refusal_has_code_rule_and_sentence_and_is_written_down(door: "Door") -> None:
    """A subscription that is active cannot be reactivated (table 1.2)."""
    client = door.client(Role.OPERATE)
    client.sell("sub-1")

    answer = client.ask("sub-1", "reactivate", key="again")

    assert answer.status_code == 409
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["ETag"] == '"2"'
    assert answer.json() == {
        "type": "urn:sublife:problem:bad-state",
        "title": "Conflict",
        "status": 409,
        "detail": "The subscription is active; reactivate is not possible in that state.",
        "code": "BAD_STATE",
        "rule": "1.2",
        "subject": "sub-1",
        "details": {
            "api_error": 800040,
            "event": "reactivate",
            "reason": "it is active",
            "state": "active",
        },
    }
    latest = client.get("/v1/subjects/sub-1/history").json()["items"][-1]
    assert (latest["event"], latest["refusal"]["code"]) == ("again", "BAD_STATE")
    assert client.ask("sub-1", "reactivate", key="again").headers["Idempotent-Replayed"] == "true"


def test_if_match_lets_in_only_who_has_seen_the_latest_version(door: "Door") -> None:
    client = door.client(Role.OPERATE)
    seen = client.sell("sub-1").headers["ETag"]

    first = client.ask("sub-1", "add_seats", {"quantity": 1}, headers={"If-Match": seen})
    second = client.ask("sub-1", "add_seats", {"quantity": 1}, headers={"If-Match": seen})

    assert first.status_code == 200
    assert (second.status_code, second.json()["code"]) == (412, "STALE_VERSION")
    assert second.json()["subject"] == "sub-1"
    assert client.get("/v1/subjects/sub-1").headers["ETag"] == first.headers["ETag"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If-Match": "*"}, 412),
        ({"If-Match": '"1"'}, 412),
        ({"If-Match": "1"}, 400),
        ({"If-Match": 'W/"1"'}, 412),
        ({"If-None-Match": '"1"'}, 400),
        ({"If-None-Match": "*", "If-Match": "*"}, 400),
        ({"If-None-Match": "*"}, 201),
    ],
)
def test_conditions_on_a_subject_that_is_not_there(
    door: "Door", headers: dict[str, str], status: int
) -> None:
    client = door.client(Role.OPERATE)

    assert client.sell("sub-1", headers=headers).status_code == status


def test_a_subject_that_must_be_new_and_is_not_is_refused(door: "Door") -> None:
    client = door.client(Role.OPERATE)
    client.sell("sub-1")

    answer = client.sell("sub-1", headers={"If-None-Match": "*"})
    other = client.ask("sub-1", "add_seats", {"quantity": 1}, headers={"If-Match": "*"})

    assert (answer.status_code, answer.json()["code"]) == (412, "STALE_VERSION")
    assert other.status_code == 200


def test_what_was_due_happens_before_the_request(door: "Door") -> None:
    """Due before command (GEN-08): the term that ended comes first."""
    client = door.client(Role.OPERATE)
    client.sell("sub-1")
    client.ask("sub-1", "turn_autorenew_off")
    door.clock.move(door.clock.now() + timedelta(days=366))

    answer = client.ask("sub-1", "suspend", key="late")

    assert answer.status_code == 409
    names = [each["name"] for each in client.get("/v1/subjects/sub-1/history").json()["items"]]
    assert names[-3:] == ["term_ended", "expiry_ended", "suspend"]


def test_a_request_of_the_future_is_refused(door: "Door") -> None:
    later = iso(door.clock.now() + timedelta(seconds=1))

    answer = door.client(Role.OPERATE).sell("sub-1", at=later)

    assert (answer.status_code, answer.json()["code"]) == (422, "EVENT_IN_FUTURE")


def test_every_change_carries_the_label_and_the_id_of_the_token(door: "Door") -> None:
    """Every change names its actor (EVT-06)."""
    token, _ = door.token(Role.OPERATE)
    client = door.client(Role.OPERATE, label="billing")
    client.sell("sub-1")
    identifier = door.store.tokens.all()[-1].id

    actor = client.get("/v1/subjects/sub-1/history").json()["items"][0]["actor"]

    assert actor["kind"] == "application"
    assert actor["id"] == f"billing:{identifier}"
    assert identifier != token.id


def test_a_token_may_say_on_whose_behalf_it_asks(door: "Door") -> None:
    client = door.client(Role.OPERATE, label="billing")
    by = {"user": "amy", "role": "admin-agent", "partner": "contoso", "partner_type": "direct-bill"}
    client.sell("sub-1", by=by)

    actor = client.get("/v1/subjects/sub-1/history").json()["items"][0]["actor"]

    identifier = door.store.tokens.all()[-1].id
    assert actor == {
        "kind": "user",
        "id": f"amy by way of billing:{identifier}",
        "role": "admin-agent",
        "partner": "contoso",
        "partner_type": "direct-bill",
    }


def test_a_subject_goes_on_in_its_own_lifecycle(door: "Door") -> None:
    """The lifecycle is said once, when the subject begins (EA-03)."""
    client = door.client(Role.OPERATE)
    client.ask("tailspin", "register", {"country": "DE"}, lifecycle="customer")

    answer = client.ask("tailspin", "end_relationship", {"partner": "contoso"})

    assert (answer.status_code, answer.json()["code"]) == (409, "RELATIONSHIP_NONE")


def test_a_lifecycle_that_is_not_there_is_told_with_its_place(door: "Door") -> None:
    answer = door.client(Role.OPERATE).ask("sub-1", "purchase", {}, lifecycle="nothing")

    assert (answer.status_code, answer.json()["code"]) == (422, "UNKNOWN_LIFECYCLE")
    assert answer.json()["errors"][0]["pointer"] == "/lifecycle"


def test_a_subject_that_is_not_there_is_told(door: "Door") -> None:
    answer = door.client(Role.OPERATE).ask("nothing", "suspend")

    assert (answer.status_code, answer.json()["code"]) == (404, "UNKNOWN_SUBJECT")
