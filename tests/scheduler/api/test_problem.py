"""What is wrong with a request: problem details with a JSON pointer, a status, and no secret."""

import json
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from sublife.events.store import Store
from sublife.events.token import Role
from sublife.scheduler.api.problem import pointer

if TYPE_CHECKING:
    from tests.scheduler.api.conftest import Door

MEDIA_TYPE = "application/problem+json"
PURCHASE: dict[str, Any] = {
    "customer": "tailspin",
    "partner": "contoso",
    "product": {"sku": "E3", "name": "Office E3"},
    "quantity": 30,
    "term": "P1Y",
    "billing": "monthly",
}


@pytest.mark.parametrize(
    ("change", "place", "detail"),
    [
        ({"quantity": "x"}, "/data/quantity", "'x': input should be a valid integer"),
        ({"quantity": 2**31}, "/data/quantity", "2147483648 is above 2147483647"),
        ({"quantity": 10**400}, "/data/quantity", "is above 2147483647"),
        ({"quantity": 0}, "/data", "quantity 0 is below 1"),
        ({"seats": 3}, "/data/seats", "unknown field; remove it or fix its name"),
        ({"term": "P9Y"}, "/data/term", "'P9Y': input should be 'P1M', 'P1Y' or 'P3Y'"),
        ({"customer": "a\x00b"}, "/data/customer", "has a character that no text can hold"),
        ({"customer": "x" * 501}, "/data/customer", "has more than 500 characters"),
        ({"product": {"sku": "E3", "a/b~": 1}}, "/data/product/a~1b~0", "unknown field"),
        ({"price": {"currency": "EUR"}}, "/data/price/unit", "is missing; add it"),
        ({"customer": None}, "/data/customer", "None: input should be a valid string"),
    ],
)
def test_what_is_wrong_with_a_payload_is_told_with_its_place(
    door: "Door", change: dict[str, Any], place: str, detail: str
) -> None:
    client = door.client(Role.OPERATE)

    answer = client.ask("sub-1", "purchase", {**PURCHASE, **change})

    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == MEDIA_TYPE
    assert answer.json()["code"] == "BAD_DATA"
    told = {each["pointer"]: each["detail"] for each in answer.json()["errors"]}
    assert detail in told[place]
    assert client.get("/v1/subjects/sub-1").status_code == 404


def test_every_fault_is_told_at_once(door: "Door") -> None:
    body = {"request": "suspend", "dat": {}, "by": {"user": "amy", "application": "x"}}

    answer = door.client(Role.OPERATE).send("POST", "/v1/subjects/sub-1/events", json=body)

    told = [each.get("pointer", each.get("parameter")) for each in answer.json()["errors"]]
    assert sorted(told) == ["/by", "/dat", "Idempotency-Key"]


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"{", 400, "BAD_JSON"),
        (b"\xff", 400, "BAD_REQUEST"),
        (b"[" * 100_000, 400, "BAD_REQUEST"),
        (b"[]", 422, "BAD_DATA"),
        (b'{"request": "\\ud800"}', 422, "BAD_DATA"),
        (b'{"request": "suspend", "data": {"reasons": ["\\ud800"]}}', 422, "BAD_DATA"),
        (b'{"request": "suspend", "data": {"reasons": [NaN]}}', 422, "BAD_DATA"),
        (b'{"request": "suspend", "data": {"\\ud800": 1}}', 422, "BAD_DATA"),
        (b'{"request": "suspend", "data": ' + b'{"a":' * 40 + b"1" + b"}" * 41, 422, "BAD_DATA"),
        (b'{"request": "walk"}', 422, "UNKNOWN_REQUEST"),
        (b'{"request": "arise"}', 422, "UNKNOWN_REQUEST"),
        (b'{"request": "term_ended"}', 422, "UNKNOWN_REQUEST"),
        (b'{"request": "suspend", "at": "2024-10-01T00:00:00"}', 422, "BAD_DATA"),
        (b'{"request": "suspend", "at": 1}', 422, "BAD_DATA"),
        (b'{"request": "suspend", "at": "1969-10-01T00:00:00Z"}', 422, "BAD_DATA"),
        (b'{"request": "suspend", "at": "9999-12-31T23:59:59-14:00"}', 422, "BAD_DATA"),
        (b" " * 300_000, 413, "BODY_TOO_LARGE"),
    ],
)
def test_a_body_that_cannot_be_is_answered_with_problem_details(
    memory_door: "Door", content: bytes, status: int, code: str
) -> None:
    answer = memory_door.client(Role.OPERATE).send(
        "POST",
        "/v1/subjects/sub-1/events",
        content=content,
        headers={"Content-Type": "application/json", "Idempotency-Key": "k"},
    )

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["Content-Type"] == MEDIA_TYPE
    assert answer.json()["status"] == status


def test_a_figure_beyond_all_reckoning_is_refused_and_changes_nothing(door: "Door") -> None:
    price = {"unit": "1e30", "currency": "EUR"}
    client = door.client(Role.OPERATE)

    answer = client.ask("sub-1", "purchase", {**PURCHASE, "price": price})

    assert (answer.status_code, answer.json()["code"]) == (422, "OUT_OF_RANGE")
    assert client.get("/v1/subjects/sub-1").status_code == 404


@pytest.mark.parametrize("sort", ["text/plain", "application/json; charset=latin-1", "", "json"])
def test_what_is_no_json_is_not_read(memory_door: "Door", sort: str) -> None:
    answer = memory_door.client(Role.OPERATE).send(
        "POST", "/v1/pauses", content=b'{"reason": "x"}', headers={"Content-Type": sort}
    )

    assert (answer.status_code, answer.json()["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert memory_door.store.pauses.all() == ()


def test_a_body_that_comes_in_parts_is_measured_too(memory_door: "Door") -> None:
    async def parts() -> Any:
        for _ in range(400):
            yield b" " * 1000

    answer = memory_door.client(Role.OPERATE).send(
        "POST", "/v1/pauses", content=parts(), headers={"Content-Type": "application/json"}
    )

    assert (answer.status_code, answer.json()["code"]) == (413, "BODY_TOO_LARGE")


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/due/", "/docs", "/redoc", "/v1/nothing"])
def test_what_is_not_there_is_problem_details_too(memory_door: "Door", path: str) -> None:
    answer = memory_door.client().get(path)

    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")
    assert answer.headers["Content-Type"] == MEDIA_TYPE


def test_a_method_that_is_not_taken_names_those_that_are(memory_door: "Door") -> None:
    answer = memory_door.client().send("PUT", "/v1/pauses")

    assert (answer.status_code, answer.json()["code"]) == (405, "METHOD_NOT_ALLOWED")
    assert answer.headers["Allow"] == "DELETE, GET, HEAD, POST"
    assert answer.headers["Content-Type"] == MEDIA_TYPE


@pytest.mark.parametrize(
    ("path", "status", "parameter"),
    [
        ("/v1/due?limit=0", 422, "limit"),
        ("/v1/due?limit=1001", 422, "limit"),
        ("/v1/due?until=2024-10-01T00:00:00", 422, "until"),
        ("/v1/records?kind=other", 422, "kind"),
        ("/v1/records?customer=%00", 422, "customer"),
        ("/v1/subjects/a%00b", 422, "subject"),
        ("/v1/due?after=x", 400, None),
    ],
)
def test_a_wrong_parameter_is_named(
    door: "Door", path: str, status: int, parameter: str | None
) -> None:
    answer = door.client(Role.READ).get(path)

    assert answer.status_code == status
    if parameter is not None:
        assert [each["parameter"] for each in answer.json()["errors"]] == [parameter]


def test_an_error_of_ours_tells_nothing_but_its_place_in_the_log(
    door: "Door",
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(_store: Store, _subject: str) -> None:
        raise RuntimeError("tailspin owes 30 EUR")

    monkeypatch.setattr(Store, "get", broken)
    caplog.set_level(logging.DEBUG, "sublife")
    client = door.client(Role.READ)

    answer = client.get("/v1/subjects/tailspin")

    assert (answer.status_code, answer.json()["code"]) == (500, "INTERNAL_ERROR")
    assert "tailspin" not in answer.text
    told = json.dumps([each.__dict__ for each in caplog.records], default=str)
    assert "RuntimeError" in told
    assert "tailspin" not in told
    assert str(client.token) not in told
    assert str(client.token)[-43:] not in told


def test_a_pointer_leaves_out_what_is_no_part_of_the_document() -> None:
    data = {"a": [{"b": {"c": 1}}]}

    assert pointer(["a", 0, "Shape", "b", "c"], data) == "/a/0/b/c"
    assert pointer(["a", 0, "Shape", "missing"], data) == "/a/0/missing"
    assert pointer(["a", 0, "b", "c", "int"], data, ("data",)) == "/data/a/0/b/c"
    assert pointer([], data) == ""


def test_an_amount_that_the_column_does_not_hold_is_the_callers_matter(
    migrated_database: str, open_door: Callable[..., "Door"]
) -> None:
    """PostgreSQL keeps 16 digits before the point; sending it again would never help."""
    price = {"unit": "99999999999999999999", "currency": "EUR"}
    client = open_door(migrated_database).client(Role.OPERATE)

    answer = client.ask("sub-1", "purchase", {**PURCHASE, "price": price})

    assert (answer.status_code, answer.json()["code"]) == (422, "OUT_OF_RANGE")
    assert client.get("/v1/subjects/sub-1").status_code == 404
