"""If-Match and If-None-Match: lists, weak tags, and what is malformed (RFC 9110, 13.1)."""

from itertools import count
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.scheduler.api.conftest import Client, Door

_numbers = count(1)


def sold(door: "Door") -> tuple["Client", str, str]:
    """Return a client, the id of a new subscription, and its ETag."""
    client, subject = door.client(), f"sub-{next(_numbers)}"
    assert client.sell(subject).status_code == 201
    return client, subject, client.get(f"/v1/subjects/{subject}").headers["ETag"]


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ("{tag}", 200),
        ('"1", {tag}', 200),
        ('{tag},"77"', 200),
        (', {tag} ,, "77"', 200),
        ('W/"77", {tag}', 200),
        ("*", 200),
        (" * ", 200),
        ("W/{tag}", 412),
        ('W/{tag}, "77"', 412),
        ('"77"', 412),
        ('"77", "78"', 412),
        ('"a,b"', 412),
        ('"a b"', 400),
        ('"02"', 412),
        ('""', 412),
        ("", 400),
        ("2", 400),
        ("'2'", 400),
        ('"2', 400),
        ('w/"2"', 400),
        ('"2" "3"', 400),
        ('*, "2"', 400),
        (",", 400),
        ('W/ "2"', 400),
    ],
)
def test_if_match_compares_strongly(shared_door: "Door", form: str, status: int) -> None:
    """A list matches where one of its strong tags does; a weak tag never matches."""
    client, subject, tag = sold(shared_door)
    headers = {"If-Match": form.replace("{tag}", tag)}

    answer = client.ask(subject, "rename", {"friendly_name": "x"}, headers=headers)

    assert answer.status_code == status, answer.text
    if status == 400:
        assert answer.json()["code"] == "BAD_CONDITION"
        assert answer.json()["errors"][0]["parameter"] == "If-Match"
        assert "send the ETag of GET" in answer.json()["detail"]
    if status != 200:
        assert client.get(f"/v1/subjects/{subject}").headers["ETag"] == tag


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ("{tag}", 304),
        ("W/{tag}", 304),
        ('"77", W/{tag}', 304),
        ("*", 304),
        ('"77"', 200),
        ('W/"77", "78"', 200),
        ("2", 400),
        ('"2', 400),
        ("", 400),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_if_none_match_of_get_compares_weakly(
    shared_door: "Door", method: str, form: str, status: int
) -> None:
    """What the client has seen already is not sent again."""
    client, subject, tag = sold(shared_door)
    headers = {"If-None-Match": form.replace("{tag}", tag)}

    answer = client.send(method, f"/v1/subjects/{subject}", headers=headers)

    assert answer.status_code == status
    if status != 400:
        assert answer.headers["ETag"] == tag
    assert bool(answer.content) == (method == "GET" and status != 304)


def test_a_repeated_request_has_its_first_outcome_whatever_its_list_says(
    shared_door: "Door",
) -> None:
    """The version has moved on by the request itself."""
    client, subject, tag = sold(shared_door)
    headers = {"If-Match": f'{tag}, "77"'}

    first, second = (
        client.ask(
            subject, "rename", {"friendly_name": "x"}, key=f"again-{subject}", headers=headers
        )
        for _ in range(2)
    )

    assert (first.status_code, second.status_code) == (200, 200)
    assert second.headers["Idempotent-Replayed"] == "true"


def test_a_list_of_tags_for_a_subject_that_does_not_exist(shared_door: "Door") -> None:
    """There is nothing that could be at one of the versions."""
    answer = shared_door.client().sell("never-sold", headers={"If-Match": '"1", "2"'})

    assert answer.status_code == 412
