"""What a host hands over is refused before it is written, or comes back as it was written."""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import ROUND_DOWN, Context, Decimal, Inexact, getcontext, setcontext
from typing import TYPE_CHECKING, Any

import pytest

from sublife.events.intake import submit
from sublife.events.verify import verify
from sublife.lifecycle.conform import ValueTypeError
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.model import Actor, ActorKind, Event, ModelError
from sublife.lifecycle.subscription.model import ChangeSeats, Price, Product, Purchase

if TYPE_CHECKING:
    from tests.events.conftest import Desk

OpenDesk = Callable[..., "Desk"]
AMY = Actor(ActorKind.USER, "amy")
SOLD_AT = datetime(2024, 10, 1, 2, 35, tzinfo=UTC)
ORDER: dict[str, Any] = {
    "customer": "acme",
    "partner": "contoso",
    "product": Product("E3"),
    "quantity": 30,
    "term": Term.P1Y,
    "billing": Billing.MONTHLY,
}


def order(changes: Mapping[str, Any]) -> Purchase:
    """Return a purchase with other values, of whatever type."""
    make: Any = Purchase
    found: Purchase = make(**{**ORDER, **changes})
    return found


@pytest.mark.parametrize(
    "wrong",
    [{"por": None}, {"quantity": 30.5}, {"add_on_to": 7}, {"align_month_end": "no"}],
    ids=str,
)
def test_a_value_of_another_type_writes_nothing_and_holds_up_nobody(
    desk: "Desk", wrong: dict[str, Any]
) -> None:
    """A NULL of a host's row once stopped a tenant's calendar for good."""
    desk.sell("good", autorenew=False)
    before = desk.rows()

    with pytest.raises(ValueTypeError, match=f"event 'bad': data.{next(iter(wrong))} is "):
        desk.do("purchase", "bad", SOLD_AT, order(wrong), event_id="bad")

    assert desk.rows() == before
    assert desk.wake(datetime(2025, 10, 2, tzinfo=UTC)).stuck == ()
    assert desk.subscription("good").state == "grace"


@pytest.mark.parametrize("name", ["customer", "partner"])
@pytest.mark.parametrize("blank", ["", " ", "\t\n", "\u00a0"])
def test_names_of_nothing_are_refused(desk: "Desk", name: str, blank: str) -> None:
    with pytest.raises(ModelError, match="not blank"):
        desk.do("purchase", "s1", SOLD_AT, order({name: blank}))


def test_a_product_without_a_sku_is_refused(desk: "Desk") -> None:
    for sku in ("", "  "):
        with pytest.raises(ModelError, match=r"data\.product\.sku is .* not blank"):
            desk.do("purchase", "s1", SOLD_AT, order({"product": Product(sku)}))


def test_what_is_written_is_what_a_later_read_gives(desk: "Desk", open_desk: OpenDesk) -> None:
    """Equal values of other types are brought to the plain ones before they are decided on."""
    plain = open_desk()
    price = Price(20, "EUR")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    product = Product("E3", plans=["x"])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    sold = desk.do("purchase", "s1", SOLD_AT, order({"price": price, "product": product}))
    right = {"price": Price(Decimal(20), "EUR"), "product": Product("E3", plans=("x",))}
    plain.do("purchase", "s1", SOLD_AT, order(right))

    assert sold.snapshot == desk.store.get("s1") == plain.store.get("s1")
    assert desk.store.digest() == plain.store.digest()
    assert verify(desk.store, rebuild=True).is_sound


@contextmanager
def context(chosen: Context) -> Generator[None]:
    """Compute in another decimal context, as a host may have set for its threads."""
    before = getcontext()
    setcontext(chosen)
    try:
        yield
    finally:
        setcontext(before)


@pytest.mark.parametrize(
    "chosen",
    [
        Context(prec=2),
        Context(prec=9, rounding=ROUND_DOWN),
        Context(traps=[Inexact]),
        Context(Emax=1),
    ],
    ids=["two digits", "rounding down", "inexact raises", "small exponents"],
)
def test_amounts_do_not_depend_on_the_hosts_decimal_context(
    open_desk: OpenDesk, chosen: Context
) -> None:
    """TRM-13: rounded once, half up, wherever it is computed."""
    usual, other = open_desk(), open_desk()
    price = Price(Decimal("12345.67"), "EUR", Decimal("1111.11"))

    def live(desk: "Desk") -> str:
        desk.sell("s1", price=price, quantity=333)
        desk.do("add_seats", "s1", datetime(2024, 11, 7, 3, tzinfo=UTC), ChangeSeats(7))
        desk.do("remove_seats", "s1", datetime(2024, 11, 9, 3, tzinfo=UTC), ChangeSeats(3))
        desk.wake(datetime(2026, 1, 1, tzinfo=UTC))
        desk.do("cancel", "s1", datetime(2026, 10, 3, tzinfo=UTC))
        return desk.store.digest()

    expected = live(usual)
    with context(chosen):
        found = live(other)

    assert found == expected


def test_the_same_id_of_another_class_is_the_same_event(desk: "Desk") -> None:
    class Name(str):
        __slots__ = ()

    given = order({})
    desk.clock.move(SOLD_AT)
    first = submit(desk.store, Event(Name("e1"), "purchase", Name("s1"), SOLD_AT, AMY, given))
    again = submit(desk.store, Event("e1", "purchase", "s1", SOLD_AT, AMY, given))

    assert (first.repeated, again.repeated) == (False, True)
    assert type(first.event.id) is str


@pytest.mark.parametrize(("unit", "seats"), [("999999999999", 20_000), ("2000000000", 10_000_000)])
def test_an_amount_that_no_column_holds_is_refused(desk: "Desk", unit: str, seats: int) -> None:
    """2,147,483,647 seats at a price once gave an amount of 18 digits."""
    before = desk.rows()
    given = order({"price": Price(Decimal(unit), "EUR"), "quantity": seats})

    with pytest.raises(ModelError, match="an amount has at most 16 digits"):
        desk.do("purchase", "s1", SOLD_AT, given)

    assert desk.rows() == before
