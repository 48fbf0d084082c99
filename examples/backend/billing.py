"""What the backend makes of the lifecycle's facts: the sale and the lines of the invoice."""

from collections.abc import Iterable
from decimal import Decimal

from sqlmodel import Session, col, select

from examples.backend.tables import Customer, InvoiceLine, Sale
from sublife import Event, Outcome, Price, Purchase, Store, submit


class CreditLimitError(Exception):
    """The customer would owe more than we allow. Our own rule: the lifecycle knows nothing of it.

    Attributes:
        customer: id.
        owed: what would be owed.
        limit: what may be owed.
    """

    def __init__(self, customer: str, owed: Decimal, limit: Decimal) -> None:
        self.customer, self.owed, self.limit = customer, owed, limit
        super().__init__(f"customer {customer} would owe {owed}, but may owe {limit} at most")


class UnknownCustomerError(Exception):
    """We have no such customer."""


def ask(session: Session, store: Store, event: Event, expected_version: int | None) -> Outcome:
    """Put a request to the lifecycle and book what comes of it, in the session's transaction.

    Raises:
        CreditLimitError: it costs more than the customer may owe; all of it is to be rolled back.
        IntakeError: as `submit` raises it.
    """
    outcome = submit(store, event, expected_version=expected_version)
    if outcome.repeated:
        return outcome  # booked the first time
    if outcome.accepted and isinstance(event.data, Purchase):
        session.add(_sale(event, event.data))
        session.flush()
    charged = book(session, outcome.sequence())
    if charged > 0:
        _check_limit(session, event.subject)
    return outcome


def _sale(event: Event, order: Purchase) -> Sale:
    price = order.price or Price(Decimal(0), "EUR")
    return Sale(
        id=event.subject,
        customer=order.customer,
        sku=order.product.sku,
        unit_price=price.unit,
        currency=price.currency,
        sold_at=event.at,
    )


def book(session: Session, outcomes: Iterable[Outcome]) -> Decimal:
    """Write a line for every fact that has an amount: a charge, or a credit below zero.

    Args:
        session: with the transaction in which they happened.
        outcomes: each event by itself, as `Outcome.sequence` and `settle` give them.

    Returns:
        The sum.
    """
    lines = [line for outcome in outcomes for line in _lines(outcome)]
    session.add_all(lines)
    session.flush()
    return sum((line.amount for line in lines), Decimal(0))


def _lines(outcome: Outcome) -> Iterable[InvoiceLine]:
    event = outcome.event
    for number, fact in enumerate(outcome.facts):
        if "amount" in fact.data:
            yield InvoiceLine(
                event_id=event.id,
                number=number,
                sale=event.subject,
                text=fact.name,
                amount=Decimal(str(fact.data["amount"])),
                currency=str(fact.data["currency"]),
                booked_for=event.at,
            )


def _check_limit(session: Session, sale: str) -> None:
    customer = session.exec(
        select(Customer).join(Sale, col(Sale.customer) == col(Customer.id)).where(Sale.id == sale)
    ).one()
    owed = balance(session, customer.id)
    if owed > customer.credit_limit:
        raise CreditLimitError(customer.id, owed, customer.credit_limit)


def balance(session: Session, customer: str) -> Decimal:
    """Return what a customer owes: the sum of its invoice lines."""
    lines = session.exec(
        select(InvoiceLine)
        .join(Sale, col(Sale.id) == col(InvoiceLine.sale))
        .where(Sale.customer == customer)
    )
    return sum((line.amount for line in lines), Decimal(0))
