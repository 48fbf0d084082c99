"""Signatures as Standard Webhooks has them."""

from datetime import UTC, datetime

import pytest
from freezegun import freeze_time
from standardwebhooks import Webhook

from sublife.events.webhook.body import Message
from sublife.events.webhook.signature import header_id, headers, is_secret, secret_of

AT = datetime(2024, 10, 1, 2, 35, 0, 900000, tzinfo=UTC)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 – of the standard's own example
SAID = Message("event-1#0", "application/json", '{"name":"Köln"}'.encode())


def test_the_headers_of_a_post_are_these_and_no_others() -> None:
    assert headers(SAID, [SECRET], AT) == {
        "content-type": "application/json",
        "user-agent": "sublife",
        "webhook-id": "event-1#0",
        "webhook-timestamp": "1727750100",
        "webhook-signature": "v1,xDXfnK3XZsFhVCw3EdquPQBuxg0jv6i7Hwdgc/76IjU=",
    }


def test_the_standards_own_example_has_its_signature() -> None:
    """The example of the specification, checked by figures that are not ours."""
    at = datetime.fromtimestamp(1614265330, UTC)
    said = Message("msg_p5jXN8AQM9LWM0D4loKWxJek", "application/json", b'{"test": 2432232314}')

    signature = headers(said, [SECRET], at)["webhook-signature"]

    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_receivers_library_takes_it() -> None:
    with freeze_time(AT):
        assert Webhook(SECRET).verify(SAID.body, headers(SAID, [SECRET], AT)) == {"name": "Köln"}


def test_each_valid_secret_signs() -> None:
    other = secret_of(b"x" * 32)
    given = headers(SAID, [SECRET, other], AT)

    assert len(given["webhook-signature"].split()) == 2
    with freeze_time(AT):
        for each in (SECRET, other):
            Webhook(each).verify(SAID.body, given)


@pytest.mark.parametrize(
    ("identifier", "header"),
    [
        ("event-1#0", "event-1#0"),
        (
            "timer:s1/grace_ended/2024-10-01T00:00:00Z#0",
            "timer:s1/grace_ended/2024-10-01T00:00:00Z#0",
        ),
        ("a.b#0", "a%2Eb#0"),
        ("a%2Eb#0", "a%252Eb#0"),
        ("größe 1#0", "gr%C3%B6%C3%9Fe%201#0"),
        ("a\r\nx-evil: 1#0", "a%0D%0Ax-evil:%201#0"),
    ],
)
def test_an_id_can_always_be_a_header(identifier: str, header: str) -> None:
    """No two ids share a header, and the full stop divides what is signed."""
    assert header_id(identifier) == header


@pytest.mark.parametrize(
    ("text", "good"),
    [
        (SECRET, True),
        (secret_of(b"x" * 24), True),
        (secret_of(b"x" * 64), True),
        (secret_of(b"x" * 23), False),
        (secret_of(b"x" * 65), False),
        (SECRET.removeprefix("whsec_"), False),
        ("whsec_", False),
        ("whsec_größe", False),
        ("whsec_!!!!", False),
    ],
)
def test_a_secret_is_base64_of_24_to_64_bytes(text: str, *, good: bool) -> None:
    assert is_secret(text) is good
