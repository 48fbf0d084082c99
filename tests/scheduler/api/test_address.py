"""One subject, one id, one address: whatever else decodes to the same text is refused."""

from typing import TYPE_CHECKING, Any

import pytest

from sublife.events.token import Role

if TYPE_CHECKING:
    from tests.scheduler.api.conftest import Client, Door

EVENTS = {"request": "register", "lifecycle": "customer", "data": {"country": "DE"}}


def sell(client: "Client", raw: str) -> Any:
    headers = {"Idempotency-Key": "k"}
    return client.send("POST", f"/v1/subjects/{raw}/events", json=EVENTS, headers=headers)


@pytest.mark.parametrize(
    "raw",
    [
        "%FF",
        "%FE",
        "sub%C0%AF1",
        "%E0%80%AF",
        "%ED%A0%80",
        "%F4%90%80%80",
        "%C3",
        "sub%1",
        "sub%zz",
        "sub%",
        "sub%u0041",
    ],
)
def test_an_address_that_is_no_text_is_refused(memory_door: "Door", raw: str) -> None:
    """Each used to be the subject of U+FFFD, or of a text that `%25` writes too."""
    client = memory_door.client(Role.OPERATE)
    headers = [
        ("Authorization", f"Bearer {client.token}"),
        ("Content-Type", "application/json"),
        ("Idempotency-Key", "k"),
    ]
    body = b'{"request": "register", "lifecycle": "customer", "data": {"country": "DE"}}'

    answer = client.send_as_is("POST", f"/v1/subjects/{raw}/events", body, headers)
    query = client.send_as_is("GET", f"/v1/records?customer={raw}", b"", headers[:1])

    assert (answer.status_code, answer.json()["code"]) == (400, "BAD_URL")
    assert (query.status_code, query.json()["code"]) == (400, "BAD_URL")
    assert memory_door.store.of("acme").all() == {}


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        ("sub-1%20", "begins or ends with a blank"),
        ("%20sub-1", "begins or ends with a blank"),
        ("sub-1%0A", "begins or ends with a blank"),
        ("sub-1%C2%A0", "begins or ends with a blank"),
        ("%20", "begins or ends with a blank"),
        ("sub%00", "string should match pattern"),
        ("sub%7F1", "U+007F"),
        ("sub%C2%851", "U+0085"),
        ("sub%E2%80%A81", "U+2028"),
        ("sub%E2%80%AE1", "U+202E"),
        ("sub%EF%BF%BD", "U+FFFD"),
        ("e%CC%81", "normalization form C"),
        ("%E2%84%AA", "normalization form C"),
        ("sub-1;v=2", "a meaning of its own"),
        ("sub-1%3Bv", "a meaning of its own"),
        ("a%5Cb", "a meaning of its own"),
        ("a%3Fb", "a meaning of its own"),
        ("a%23b", "a meaning of its own"),
        ("a%252Fb", "looks like an encoded character"),
        ("%2541", "looks like an encoded character"),
        ("..%2Fsub-1", "between slashes"),
        ("%2E", "between slashes"),
        ("a%2F%2E%2E%2Fb", "between slashes"),
        ("a%2F", "between slashes"),
        ("%2Fa", "between slashes"),
        ("a%2F%2Fb", "between slashes"),
    ],
)
def test_an_id_that_could_be_taken_for_another_is_refused(
    memory_door: "Door", raw: str, why: str
) -> None:
    client = memory_door.client(Role.OPERATE)

    answers = [sell(client, raw), client.get(f"/v1/subjects/{raw}/history")]

    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (422, "BAD_DATA")
        assert answer.json()["errors"][0]["parameter"] == "subject"
        assert why in answer.json()["detail"]
    assert memory_door.store.of("acme").all() == {}


@pytest.mark.parametrize("raw", ["sub%2D1", "%73ub-1", "%73%75%62%2d%31"])
def test_an_escape_that_need_not_be_is_the_same_address(memory_door: "Door", raw: str) -> None:
    """RFC 3986, section 6.2.2.2: clients differ in what they escape."""
    client = memory_door.client(Role.OPERATE)
    sell(client, "sub-1")

    assert client.get(f"/v1/subjects/{raw}").json()["id"] == "sub-1"


@pytest.mark.parametrize("raw", ["Sub-1", "sub-1%20a", "SUB-1", "sub-1.", "%E6%9D%B1", "a%25b c"])
def test_ids_that_differ_are_different_subjects(memory_door: "Door", raw: str) -> None:
    client = memory_door.client(Role.OPERATE)
    sell(client, "sub-1")

    assert client.get(f"/v1/subjects/{raw}").status_code == 404


@pytest.mark.parametrize("name", ["a%2Fb", "..", "hook ", "a\u202eb", "e\u0301"])
def test_endpoints_have_such_ids_too(memory_door: "Door", name: str) -> None:
    body = {"id": name, "url": "https://example.com/hook"}

    answer = memory_door.client().send("POST", "/v1/endpoints", json=body)

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/id")
