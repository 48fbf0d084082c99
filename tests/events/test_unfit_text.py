"""A cursor that was changed, or a text that no database holds, is a clear error everywhere."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from sublife.events.intake import submit
from sublife.events.store import CursorError, Page, Store
from sublife.events.store.delivery import UnknownConsumerError
from sublife.events.store.error import UnfitTextError
from sublife.events.store.page import cursor_of, key_of
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.model import Actor, ActorKind, Event
from sublife.lifecycle.subscription.model import Product, Purchase
from sublife.scheduler.clock import SimulatedClock
from tests.events.conftest import SOLD_AT

if TYPE_CHECKING:
    from tests.cluster import Databases

AMY = Actor(ActorKind.USER, "amy")


def history(store: Store, **page: Any) -> Page[Any]:
    return store.history("sub-1", **page)


def deliveries(store: Store, **page: Any) -> Page[Any]:
    return store.deliveries.list(**page)


LISTS: dict[str, Callable[..., Page[Any]]] = {
    "due": Store.due,
    "history": history,
    "records": Store.records,
    "orders": Store.orders,
    "deliveries": deliveries,
}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """A store that these tests only read, with two rows in every list but the deliveries."""
    if request.param == "sqlite":
        with filled("sqlite://") as found:
            yield found
        return
    databases: Databases = request.getfixturevalue("databases")
    with databases.one() as address, filled(address) as found:
        yield found


@contextmanager
def filled(url: str) -> Generator[Store]:
    clock = SimulatedClock(SOLD_AT)
    opened = Store.open(url, clock=clock)
    for number in (1, 2):
        order = Purchase("tailspin", "contoso", Product("E3"), 30, Term.P1Y, Billing.MONTHLY)
        event = Event(f"order-{number}", "purchase", f"sub-{number}", clock.now(), AMY, order)
        submit(opened, event)
        clock.move(clock.now() + timedelta(seconds=1))
    yield opened
    opened.close()


def changed(cursor: str, number: int, value: object) -> str:
    """Return a cursor with one part replaced, such as anybody can make."""
    parts = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    parts[number] = value
    return urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


VALUES: list[object] = [
    "\ud800",
    "a\x00b",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "2025-10-01T00:00:00",
    2**31,
    2**63,
    -1,
    1e308,
    True,
    None,
    [],
    {"a": 1},
    "x",
]


@pytest.mark.parametrize("value", VALUES, ids=ascii)
@pytest.mark.parametrize("name", ["due", "history", "orders"])
def test_a_cursor_with_a_changed_part_is_refused(store: Store, name: str, value: object) -> None:
    cursor = LISTS[name](store, limit=1).next
    assert cursor is not None
    parts = len(json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))))

    for number in range(parts):
        with pytest.raises(CursorError, match="is no cursor of"):
            LISTS[name](store, after=changed(cursor, number, value))


FORGED: list[Sequence[object]] = [
    *([value, "sub-1"] for value in VALUES),
    *(["2024-10-01T02:35:00+00:00", value] for value in VALUES if not isinstance(value, str)),
    *(["2024-10-01T02:35:00+00:00", text] for text in ("\ud800", "a\x00b", "\udfff")),
]


@pytest.mark.parametrize("key", FORGED, ids=ascii)
def test_a_forged_cursor_is_refused_before_the_database_sees_it(
    store: Store, key: Sequence[object]
) -> None:
    """Also where it was made by the rules."""
    with pytest.raises(CursorError, match="is no cursor of"):
        store.due(after=cursor_of("due of tenant default", key))


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "\ud800",
        "é",
        "W10",
        "bnVsbA",
        "eyJhIjoxfQ",
        "W1tbW1tb" * 1000,
        "\x00",
        "====",
        "MQ",
    ],
    ids=lambda text: ascii(text)[:20],
)
def test_what_is_no_cursor_is_refused_briefly(store: Store, name: str, cursor: str) -> None:
    with pytest.raises(CursorError) as caught:
        LISTS[name](store, after=cursor)

    assert len(str(caught.value)) < 300


def test_a_cursor_leads_past_an_id_of_any_letters() -> None:
    key = ["2024-10-01T02:35:00+00:00", "\U0001f600" * 500]

    cursor = cursor_of("due", key)

    assert key_of("due", cursor, ("due_at", "id")) == {"due_at": key[0], "id": key[1]}
    assert len(cursor) < 4000


READS: dict[str, Callable[[Store, str], object]] = {
    "get": Store.get,
    "history": Store.history,
    "records of a customer": lambda store, text: store.records(customer=text),
    "orders of a subscription": lambda store, text: store.orders(subscription=text),
    "deliveries of a subject": lambda store, text: store.deliveries.list(subject=text),
    "endpoint": lambda store, text: store.endpoints.get(text),
    "token": lambda store, text: store.tokens.find(text),
    "another tenant": lambda store, text: store.of(text).get("sub-1"),
}


@pytest.mark.parametrize("text", ["sub\ud8001", "\udfff", "\udc80sub"], ids=ascii)
@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_a_question_with_half_a_character_is_refused(
    store: Store, read: Callable[[Store, str], object], text: str
) -> None:
    with pytest.raises(UnfitTextError, match="which no database text can hold"):
        read(store, text)

    assert store.get("sub-1") is not None


@pytest.mark.parametrize("text", ["sub\x001", "\x00", "sub\x00"], ids=ascii)
@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_a_question_with_nul_finds_nothing_or_is_refused(
    store: Store, read: Callable[[Store, str], object], text: str
) -> None:
    """SQLite holds NUL, so that nothing is found there; PostgreSQL does not take it."""
    if store.engine.dialect.name == "postgresql":
        with pytest.raises(UnfitTextError, match="which no database text can hold"):
            read(store, text)
    else:
        assert not _found(read, store, text)

    assert store.get("sub-1") is not None


def _found(read: Callable[[Store, str], object], store: Store, text: str) -> object:
    try:
        return read(store, text)
    except UnknownConsumerError:
        return None
