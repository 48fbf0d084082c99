"""Values of an event have the types that their fields declare, or the event is refused."""

from collections.abc import Iterator
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass, replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, cast, get_type_hints
from uuid import UUID

import pytest

from sublife.lifecycle.catalog import LIFECYCLES
from sublife.lifecycle.conform import LARGEST, ValueTypeError, conform
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.machine import lifecycle_named
from sublife.lifecycle.model import Actor, ActorKind, Event, FigureError, ModelError, Payload, Role
from sublife.lifecycle.seats import MOST_SEATS
from sublife.lifecycle.subscription.model import ChangeSeats, Price, Product, Purchase

AT = datetime(2024, 10, 1, 9, tzinfo=UTC)
AMY = Actor(ActorKind.USER, "amy")
ORDER = Purchase("tailspin", "contoso", Product("E3"), 30, Term.P1Y, Billing.MONTHLY)


class Name(str):
    """A text of a class of its own, as numpy has one."""

    __slots__ = ()


class Stamp(datetime):
    """An instant of a class of its own, as pandas and pendulum have one."""

    nanosecond = 0


class NotATime(datetime):
    """What pandas has for no instant: a datetime that does not equal itself."""

    def __eq__(self, other: object) -> bool:
        return False

    def __ne__(self, other: object) -> bool:
        return True

    __hash__ = datetime.__hash__


class Count:
    """A whole number of a class of its own, as numpy has one."""

    def __init__(self, value: int) -> None:
        self._value = value

    def __index__(self) -> int:
        return self._value

    def __lt__(self, other: int) -> bool:
        return self._value < other

    def __gt__(self, other: int) -> bool:
        return self._value > other


def event(data: Payload = ORDER, **changes: Any) -> Event:
    return replace(Event("order-1", "purchase", "sub-1", AT, AMY, data), **changes)


def made(shape: type[Any], **values: Any) -> Any:
    """Return a payload past its own checks, as a host's unpickled or mutated one would be."""
    payload = object.__new__(shape)
    for each in fields(shape):
        default = None if each.default is MISSING else each.default
        object.__setattr__(payload, each.name, values.get(each.name, default))
    return payload


def test_what_has_the_plain_types_comes_back_as_it_is() -> None:
    given = event()

    assert conform(given) is given


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"por": None}, "data.por is None; make it a text"),
        ({"quantity": 30.5}, "data.quantity is 30.5 (float); make it a whole number"),
        ({"quantity": 30.0}, "data.quantity is 30.0 (float); make it a whole number"),
        ({"quantity": True}, "data.quantity is True (bool); make it a whole number"),
        ({"quantity": float("nan")}, "data.quantity is nan (float); make it a whole number"),
        ({"quantity": Decimal(30)}, "data.quantity is Decimal('30') (Decimal)"),
        ({"quantity": "30"}, "data.quantity is '30' (str); make it a whole number"),
        ({"customer": 7}, "data.customer is 7 (int); make it a text"),
        ({"customer": UUID(int=1)}, "(UUID); make it a text"),
        ({"customer": "a\ud800"}, "the character U+D800, which no database text can hold"),
        ({"customer": "a\0"}, "the character U+0000, which no database text can hold"),
        ({"customer": "a" * 10_001}, "has 10,001 characters; use at most 10,000"),
        ({"term": "P1Y"}, "data.term is 'P1Y' (str); make it Term.P1Y"),
        ({"term": "P9Y"}, "data.term is 'P9Y' (str); make it a Term"),
        ({"billing": Term.P1Y}, "make it a Billing"),
        ({"product": "E3"}, "data.product is 'E3' (str); make it a Product"),
        ({"product": Product("E3", plans="x")}, "data.product.plans is 'x' (str)"),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        ({"product": Product("E3", plans=("x", 1))}, "data.product.plans[1] is 1 (int)"),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        ({"price": Price(20.0, "EUR")}, 'make it a Decimal of a text, such as Decimal("20.00")'),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        ({"price": Price(Decimal("NaN"), "EUR")}, "data.price.unit is Decimal('NaN')"),
        ({"price": Price(Decimal("Infinity"), "EUR")}, "make it a finite number"),
        ({"custom_end_on": AT}, "make it a date without time"),
    ],
    ids=str,
)
def test_another_type_is_refused_with_field_value_and_remedy(
    change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueTypeError) as refused:
        conform(event(made(Purchase, **{**_values(ORDER), **change})))

    assert message in str(refused.value)
    assert str(refused.value).startswith("event 'order-1': data.")


def _values(payload: Payload) -> dict[str, Any]:
    return {each.name: getattr(payload, each.name) for each in fields(payload)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": 7}, "event: id is 7 (int); make it a text"),
        ({"id": UUID(int=1)}, "(UUID); make it a text"),
        ({"id": "  "}, "give it a text that is not blank"),
        ({"subject": "s\ud800"}, "U+D800"),
        ({"name": None}, "name is None; make it a text"),
        ({"cause": 3}, "cause is 3 (int)"),
        ({"actor": "amy"}, "actor is 'amy' (str); make it an Actor"),
        ({"actor": Actor("user", "amy")}, "actor.kind is 'user' (str); make it ActorKind.USER"),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        ({"actor": Actor(ActorKind.USER, None)}, "actor.id is None"),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        ({"actor": Actor(ActorKind.USER, " ")}, "actor.id is ' ' (str); give it a text"),
        ({"actor": Actor(ActorKind.USER, "amy", "god")}, "actor.role is 'god' (str)"),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        ({"data": {"quantity": 1}}, "make it the payload of the request"),
        ({"data": None}, "data is None; make it the payload of the request"),
        ({"at": NotATime(2024, 1, 1, tzinfo=UTC)}, "make it a datetime with a time zone"),
    ],
    ids=str,
)
def test_the_fields_of_the_event_itself_are_checked(change: dict[str, Any], message: str) -> None:
    given = event()
    for name, value in change.items():
        object.__setattr__(given, name, value)

    with pytest.raises(ValueTypeError) as refused:
        conform(given)

    assert message in str(refused.value)


@pytest.mark.parametrize("at", [None, "2024-10-01T09:00:00Z", 1_727_773_200, date(2024, 10, 1)])
def test_an_event_of_no_instant_cannot_be_made(at: Any) -> None:
    with pytest.raises(ModelError, match="make it a datetime with a time zone"):
        event(at=at)


def test_what_means_the_same_is_brought_to_the_plain_type() -> None:
    """It would else be written as one thing and read as another."""
    cest = timezone(timedelta(hours=2))
    given = event(
        made(
            Purchase,
            **{
                **_values(ORDER),
                "customer": Name("tailspin"),
                "quantity": Count(30),
                "product": Product("E3", plans=["x"]),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
                "price": Price(20, "EUR"),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
            },
        ),
        id=Name("order-1"),
    )
    object.__setattr__(given, "at", Stamp(2024, 10, 1, 11, tzinfo=cest))

    found = conform(given)

    data = found.data
    assert isinstance(data, Purchase)
    assert data.price is not None
    assert found.at == AT
    assert (type(found.at), found.at.tzinfo) == (datetime, UTC)
    assert (type(found.id), type(data.customer), type(data.quantity)) == (str, str, int)
    assert (data.product.plans, type(data.price.unit)) == (("x",), Decimal)


@pytest.mark.parametrize("nanosecond", [1, 999])
def test_an_instant_with_nanoseconds_is_refused(nanosecond: int) -> None:
    """The databases keep microseconds; what is cut off would be lost without a word."""
    given, at = event(), Stamp(2024, 10, 1, 9, tzinfo=UTC)
    at.nanosecond = nanosecond
    object.__setattr__(given, "at", at)

    with pytest.raises(ValueTypeError, match="round it to microseconds"):
        conform(given)


@pytest.mark.parametrize("quantity", [2**31 - 1, MOST_SEATS + 1, 10**30])
def test_more_seats_than_any_offer_has_are_refused(quantity: int) -> None:
    with pytest.raises(ModelError, match="is above 10,000,000; give at most that many"):
        ChangeSeats(quantity)


@pytest.mark.parametrize("unit", ["1000000000000", "1e30", "-1000000000000.01"])
def test_a_unit_price_of_no_seat_is_refused(unit: str) -> None:
    given = event(made(Purchase, **_values(ORDER) | {"price": Price(Decimal(unit), "EUR")}))

    with pytest.raises(FigureError, match="use at most 12 digits before the decimal point"):
        conform(given)


def test_a_whole_number_that_others_would_round_is_refused() -> None:
    given = event(made(Purchase, **{**_values(ORDER), "quantity": LARGEST + 1}))

    with pytest.raises(FigureError, match="use at most 9,007,199,254,740,992"):
        conform(given)


def _payloads() -> Iterator[tuple[str, type[Payload]]]:
    for name in LIFECYCLES:
        for request, shape in lifecycle_named(name).requests.items():
            yield f"{name}.{request}", shape


PAYLOADS = [(name, shape, each) for name, shape in _payloads() for each in fields(shape)]
BAD: tuple[Any, ...] = (
    object(),
    b"x",
    {},
    30.5,
    float("nan"),
    UUID(int=1),
    "\ud800",
    Decimal("NaN"),
)


@pytest.mark.parametrize(
    ("shape", "field"),
    [pytest.param(shape, each, id=f"{name}.{each.name}") for name, shape, each in PAYLOADS],
)
def test_no_field_of_any_payload_takes_any_of_these(
    shape: type[Payload], field: "Field[Any]"
) -> None:
    """Whatever a host hands over, in every request of every lifecycle."""
    sound = {each.name: _example(get_type_hints(shape)[each.name]) for each in fields(shape)}
    for bad in BAD:
        with pytest.raises(ValueTypeError):
            conform(event(made(shape, **sound | {field.name: bad})))


def _example(hint: Any) -> Any:
    """Return `None`, which every other field may keep: the first that is wrong is named."""
    plain = {
        str: "x",
        int: 1,
        bool: False,
        Decimal: Decimal(1),
        date: date(2024, 1, 1),
        datetime: AT,
    }
    if hint in plain:
        return plain[hint]
    if isinstance(hint, type) and is_dataclass(hint):
        hints = get_type_hints(hint)
        return made(hint, **{each.name: _example(hints[each.name]) for each in fields(hint)})
    members: dict[str, Any] = getattr(cast("Any", hint), "__members__", {})
    return next(iter(members.values()), None)


@dataclass(frozen=True, slots=True)
class Loose(Payload):
    """A payload of a host's own lifecycle, with types that ours do not have."""

    labels: dict[str, str]
    pair: tuple[int, str]
    marks: frozenset[str] = frozenset()


def test_payloads_of_a_hosts_own_lifecycle_are_checked_too() -> None:
    given = event(Loose({"a": "b"}, (1, "x"), frozenset({"m"})))

    assert conform(given).data == given.data
    for wrong in (Loose({"a": 1}, (1, "x")), Loose({}, (1,)), Loose({}, (1, "x"), "m")):  # type: ignore[dict-item, arg-type]  # pyright: ignore[reportArgumentType]
        with pytest.raises(ValueTypeError):
            conform(event(wrong))


@pytest.mark.parametrize("role", Role)
def test_members_of_an_enumeration_stay_what_they_are(role: Role) -> None:
    given = event(actor=Actor(ActorKind.USER, "amy", role))

    assert conform(given) is given
