"""A host name that cannot exist is refused when it is registered, and fails an attempt later."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sublife.events.outbox import Endpoint, add_endpoint
from sublife.events.outbox.endpoint import new_secret
from sublife.events.store import Store
from sublife.events.webhook.address import AddressError
from sublife.events.webhook.answer import LONGEST_ERROR, Answer
from sublife.events.webhook.internet import EndpointPoster
from sublife.events.webhook.post import Poster, Target
from sublife.scheduler.clock import SimulatedClock

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PUBLIC = "93.184.215.14"
INVALID = {
    "a Punycode label of a control character": "http://xn--a",
    "the same in capitals": "https://XN--A.example",
    "the same behind another label": "https://hooks.xn--a.example",
    "nothing behind xn--": "https://xn--/in",
    "a label that is not Punycode": "https://xn--zzzzzzzzz.example",
    "a character that IDNA does not allow": "https://xn--ls8h.example",
    "a full stop inside a label": "https://xn--a-ecp.example",
    "an empty label behind a sign": "https://☃..example",
    "a sign": "https://☃.example",
    "a zero width joiner": "https://\u200d.example",
    "ideographic full stops": "https://a\u3002\u3002b/",
    "half a surrogate pair": "https://\ud800.example/",
    "an empty label": "https://a..b/",
    "an empty label in front": "https://.a/",
    "two dots at the end": "https://a../",
    "a dot alone": "https://./",
    "a label of 64 characters": f"https://{'a' * 64}.example",
    "a label that is too long in Punycode": f"https://ü{'b' * 70}.example",
    "a name of 300 characters": f"https://{'.'.join(['abcdefghi'] * 30)}/",
    "a name of 70,000 characters": f"https://{'a' * 70_000}",
    "half a surrogate pair in the path": "https://hooks.example/\ud800",
    "half a surrogate pair in the query": "https://hooks.example/?\udfff",
    "port 0": "https://hooks.example:0/",
    "a negative port": "https://hooks.example:-1/",
    "a port that is too high": "https://hooks.example:65536/",
    "a port in letters": "https://hooks.example:abc/",
    "brackets that do not close": "https://[::1/",
}
VALID = {
    "münchen.example": "xn--mnchen-3ya.example",
    "xn--mnchen-3ya.example": "xn--mnchen-3ya.example",
    "XN--MNCHEN-3YA.example": "xn--mnchen-3ya.example",
    "株式会社.example": "xn--6oqv20b1zgzxr.example",
    "hooks.example.": "hooks.example.",
    "hooks_1.internal": "hooks_1.internal",
    f"{'a' * 63}.example": f"{'a' * 63}.example",
}


async def to_public(_host: str, _port: int) -> Sequence[str]:
    """Find a public address for every name."""
    return [PUBLIC]


def post(endpoint: Endpoint) -> Answer:
    """Post to an endpoint as a delivery does."""

    async def run() -> Answer:
        poster = EndpointPoster(
            Poster(
                timeout_seconds=5,
                redirects=3,
                resolve=to_public,
                transport=lambda: httpx.MockTransport(lambda _request: httpx.Response(204)),
            )
        )
        try:
            return await poster.post(endpoint, b"{}", {})
        finally:
            await poster.close()

    return asyncio.run(run())


def endpoint_at(url: str, **more: Any) -> Endpoint:
    """Return an endpoint that may do without TLS."""
    secret = new_secret(bytes(range(32)))
    return Endpoint(id="hook", url=url, secret=secret, allow_http=True, **more)


@pytest.fixture(scope="module")
def store() -> Store:
    """An empty store in memory."""
    return Store.open("sqlite://", clock=SimulatedClock(NOW))


@pytest.mark.parametrize("url", INVALID.values(), ids=INVALID.keys())
@pytest.mark.parametrize("allow_private", [False, True], ids=["public", "private"])
def test_an_invalid_name_is_refused_at_registration(
    url: str, allow_private: bool, store: Store
) -> None:
    """In a short message on one line, which any screen or log can take."""
    with pytest.raises(AddressError) as raised:
        add_endpoint(store, endpoint_at(url, allow_private=allow_private), NOW)

    said = str(raised.value)
    assert said.isprintable()
    assert len(said) < 500
    assert store.endpoints.all() == ()


@pytest.mark.parametrize("url", INVALID.values(), ids=INVALID.keys())
def test_an_invalid_name_is_a_failed_attempt(url: str) -> None:
    """For an endpoint that was registered by an earlier release."""
    answer = post(endpoint_at(url))

    assert (answer.status, answer.is_accepted) == (None, False)
    assert answer.error is not None
    assert answer.error.isprintable()
    assert len(answer.error) <= LONGEST_ERROR


@pytest.mark.parametrize(("name", "asked"), VALID.items())
def test_a_valid_name_is_taken(name: str, asked: str) -> None:
    target = Target.of(f"https://{name}/in", allow_private=False, allow_http=False)

    assert target.host == asked
    assert post(endpoint_at(f"https://{name}/in")).is_accepted


@pytest.mark.parametrize(
    "url",
    [
        "https://amy:s3cret@hooks.example:abc/",
        "https://amy:s3cret@xn--a/",
        "https://amy:s3/cret@hooks.example/",
        "https://amy:s3cret@☃..example/",
        "ftp://amy:s3cret@hooks.example/",
        "https://amy:s3cret@hooks.example/",
    ],
)
def test_no_message_about_an_address_repeats_its_password(url: str) -> None:
    with pytest.raises(AddressError) as raised:
        Target.of(url, allow_private=False, allow_http=True)

    assert "s3" not in str(raised.value)
    assert "cret" not in str(raised.value)


@given(st.text(), st.sampled_from(["", "xn--", "a.xn--", "ü", "[", "1.2."]))
def test_no_name_at_all_raises_at_delivery(name: str, before: str) -> None:
    answer = post(endpoint_at(f"https://{before}{name}"))

    assert answer.is_accepted == (answer.error is None)
