"""Subjects and lists: how one stands, history, records, due list, page by page."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sublife.events.token import Role

if TYPE_CHECKING:
    from tests.scheduler.api.conftest import Client, Door


def pages(client: "Client", path: str) -> list[list[dict[str, Any]]]:
    """Follow the links of a list to its end."""
    found: list[list[dict[str, Any]]] = []
    following: str | None = path
    while following is not None:
        answer = client.get(following)
        assert answer.status_code == 200
        body = answer.json()
        found.append(body["items"])
        following = body["next"]
        link = f'<{following}>; rel="next"' if following else None
        assert answer.headers.get("Link") == link
    return found


def test_a_subject_is_shown_as_it_stands_now(door: "Door") -> None:
    client = door.client()
    client.sell("sub-1")
    client.ask("sub-1", "turn_autorenew_off")
    door.clock.move(datetime(2025, 10, 2, tzinfo=UTC))

    answer = client.get("/v1/subjects/sub-1")

    body = answer.json()
    assert (body["id"], body["lifecycle"], body["state"]) == ("sub-1", "subscription", "grace")
    assert answer.headers["ETag"] == f'"{body["version"]}"' == '"5"'
    assert (body["customer"], body["partner"]) == ("tailspin", "contoso")
    assert body["due"] == [{"timer": "grace_ended", "due_at": "2025-10-31T00:00:00Z"}]
    assert body["snapshot"]["quantity"] == 30
    assert door.store.of("acme").get("sub-1").version == 3  # type: ignore[union-attr]


def test_the_etag_that_is_shown_is_the_one_that_is_compared(door: "Door") -> None:
    client = door.client()
    client.sell("sub-1")
    client.ask("sub-1", "turn_autorenew_off")
    door.clock.move(datetime(2025, 10, 2, tzinfo=UTC))
    shown = client.get("/v1/subjects/sub-1").headers["ETag"]

    answer = client.ask("sub-1", "rename", {"friendly_name": "x"}, headers={"If-Match": shown})

    assert answer.status_code in {200, 409}
    assert client.get("/v1/subjects/sub-1/history").json()["items"][-1]["name"] == "rename"


def test_an_id_may_have_a_slash(door: "Door") -> None:
    client = door.client()

    made = client.sell("a%2Fb%25%2Fhistory")

    assert made.json()["subject"] == "a/b%/history"
    assert client.get("/v1/subjects/a%2Fb%25%2Fhistory").json()["id"] == "a/b%/history"
    assert len(client.get("/v1/subjects/a%2Fb%25%2Fhistory/history").json()["items"]) == 2
    assert client.get("/v1/subjects/a/b").status_code == 404


def test_history_is_read_page_by_page_and_tells_all(door: "Door") -> None:
    client = door.client()
    client.sell("sub-1", key="order-1")
    for number in range(4):
        client.ask("sub-1", "add_seats", {"quantity": 1}, key=f"more-{number}")

    found = pages(client, "/v1/subjects/sub-1/history?limit=2")

    assert [len(page) for page in found] == [2, 2, 2]
    entries = client.get("/v1/subjects/sub-1/history").json()["items"]
    assert [each for page in found for each in page] == entries
    assert [each["sequence"] for each in entries] == [1, 2, 3, 4, 5, 6]
    first = entries[0]
    assert (first["event"], first["name"]) == ("order-1", "purchase")
    assert first["data"]["quantity"] == 30
    assert first["facts"][0]["id"] == "order-1#0"
    assert first["rules"] == ["SUB-01", "TRM-01", "TRM-11"]
    assert first["refusal"] is None


def test_records_and_orders_are_filtered_and_paged(door: "Door") -> None:
    """A renewal has one record when it starts and one when it is done (EVT-05), and an order."""
    client = door.client()
    for name in ("sub-1", "sub-2", "sub-3"):
        client.sell(name)
    door.clock.move(datetime(2025, 10, 2, tzinfo=UTC))
    for name in ("sub-1", "sub-2", "sub-3"):
        client.ask(name, "add_seats", {"quantity": 1})

    renewals = pages(client, "/v1/records?kind=renewal&customer=tailspin&limit=2")

    assert [len(page) for page in renewals] == [2, 2, 2]
    stages = [each["stage"] for page in renewals for each in page]
    assert sorted(stages) == ["progress"] * 3 + ["succeeded"] * 3
    of_one = client.get("/v1/records", params={"subscription": "sub-2"}).json()["items"]
    assert {each["subscription"] for each in of_one} == {"sub-2"}
    assert client.get("/v1/records?customer=nobody").json()["items"] == []
    orders = [each for page in pages(client, "/v1/orders?limit=4") for each in page]
    assert len(orders) == len(client.get("/v1/orders").json()["items"]) > 3
    early = client.get("/v1/orders", params={"until": "2024-10-02T00:00:00Z"}).json()["items"]
    assert {each["transaction"] for each in early} == {"new"}
    assert len(early) == 3


def test_the_due_list_has_the_earliest_first(door: "Door") -> None:
    client = door.client()
    client.sell("sub-2")
    door.clock.move(door.clock.now() + timedelta(days=3))
    client.sell("sub-1")

    found = pages(client, "/v1/due?limit=1")

    assert [page[0]["subject"] for page in found] == ["sub-2", "sub-1"]
    assert client.get("/v1/due?until=2025-10-01T00:00:00Z").json()["items"] == found[0]


def test_the_forecast_shows_what_the_calendar_will_bring(door: "Door") -> None:
    """It lapses on its own days: expired, grace, disabled (SUB-03, SUB-04, SUB-05)."""
    client = door.client(Role.OPERATE)
    client.sell("sub-1")
    client.ask("sub-1", "turn_autorenew_off")

    near = client.get("/v1/forecast?days=364").json()
    far = client.get("/v1/forecast?days=400&customer=tailspin").json()
    other = client.get("/v1/forecast?days=400&customer=nobody").json()
    part = client.get("/v1/forecast?days=400&limit=1").json()

    assert (near["items"], near["complete"], near["stuck"]) == ([], True, [])
    assert [(each["at"], each["state"]) for each in far["items"]] == [
        ("2025-10-01T00:00:00Z", "expired"),
        ("2025-10-01T00:00:00Z", "grace"),
        ("2025-10-31T00:00:00Z", "disabled"),
    ]
    assert other["items"] == []
    assert (part["items"], part["complete"]) == (far["items"][:1], False)
    assert client.get("/v1/subjects/sub-1").json()["state"] == "active"


def test_what_may_be_asked_is_told_with_the_rule(door: "Door") -> None:
    client = door.client()
    client.sell("sub-1")

    may = client.get("/v1/subjects/sub-1/may/suspend").json()
    may_not = client.get("/v1/subjects/sub-1/may/reactivate").json()
    allowed = client.get("/v1/subjects/sub-1/allowed").json()["requests"]

    assert (may["may"], may["refusal"]) == (True, None)
    assert (may_not["may"], may_not["refusal"]["code"]) == (False, "BAD_STATE")
    assert "suspend" in allowed
    assert "reactivate" not in allowed
    later = client.get("/v1/subjects/sub-1/allowed?at=2024-12-01T00:00:00Z").json()["requests"]
    assert "cancel" in allowed
    assert "cancel" not in later


def test_why_a_fact_happened_is_explained(door: "Door") -> None:
    """Grace follows from the end of the term, and lasts as long as the policy says (SUB-04)."""
    client = door.client()
    client.sell("sub-1", key="order-1")
    client.ask("sub-1", "turn_autorenew_off")
    door.clock.move(datetime(2025, 10, 2, tzinfo=UTC))
    client.ask("sub-1", "reactivate", key="again")
    history = client.get("/v1/subjects/sub-1/history").json()["items"]
    grace = next(each for each in history if each["state"] == "grace")["facts"][0]

    found = client.get("/v1/why", params={"of": grace["id"]}).json()
    refused = client.get("/v1/why", params={"of": "again"}).json()

    assert (found["id"], found["fact"], found["tenant"]) == (grace["id"], grace["name"], "acme")
    assert "SUB-04" in [each["id"] for each in found["rules"]]
    assert "grace" in [each["name"] for each in found["figures"]]
    assert "2025-10-31T00:00:00Z" in [each["result"] for each in [*found["dates"], *found["next"]]]
    assert found["chain"]
    assert found["doubts"] == []
    assert refused["refusal"]["code"] == history[-1]["refusal"]["code"]
    for wrong in ("order-1#9", "nothing", "order-1#x"):
        answer = client.get("/v1/why", params={"of": wrong})
        assert (answer.status_code, answer.json()["code"]) == (404, "UNKNOWN_ID")


def test_what_is_not_there_is_told(door: "Door") -> None:
    client = door.client()
    client.sell("sub-1")

    for path in (
        "/v1/subjects/x",
        "/v1/subjects/x/history",
        "/v1/subjects/x/allowed",
        "/v1/subjects/x/may/suspend",
        "/v1/subjects/sub-1/may/fly",
        "/v1/lifecycles/x",
        "/v1/lifecycles/x/snapshot",
        "/v1/lifecycles/subscription/requests/fly",
        "/v1/lifecycles/subscription/requests/arise",
    ):
        assert client.get(path).status_code == 404, path


def test_lifecycles_show_the_schema_of_every_payload(door: "Door") -> None:
    from jsonschema import Draft202012Validator  # noqa: PLC0415 – takes its time

    client = door.client(Role.READ)

    found = client.get("/v1/lifecycles").json()

    assert [each["name"] for each in found][:2] == ["subscription", "migration"]
    subscription = client.get("/v1/lifecycles/subscription").json()
    assert subscription == found[0]
    assert "purchase" in subscription["requests"]
    assert "arise" not in subscription["requests"]
    schema = client.get("/v1/lifecycles/subscription/requests/add_seats").json()
    Draft202012Validator.check_schema(schema)
    validator: Any = Draft202012Validator(schema)
    assert not list(validator.iter_errors({"quantity": 1}))
    assert list(validator.iter_errors({"quantity": 1, "more": 2}))
    for each in found:
        Draft202012Validator.check_schema(
            client.get(f"/v1/lifecycles/{each['name']}/snapshot").json()
        )
