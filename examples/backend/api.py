"""The endpoints: sell, renew or not, suspend, reactivate, add seats, cancel; what is due, history.

Each that changes something takes an `Idempotency-Key`; sent again, it has the answer of the first
time. `If-Match` with the `ETag` of a subscription lets it in only if nobody came between.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlmodel import Session, col, select

from examples.backend.asking import Asked, Asking, TheBackend
from examples.backend.billing import UnknownCustomerError, ask, balance
from examples.backend.problem import add_problems, refused
from examples.backend.tables import Customer, InvoiceLine, Sale
from examples.backend.transaction import Backend
from sublife import (
    Billing,
    ChangeSeats,
    Due,
    Entry,
    Event,
    Outcome,
    Page,
    Price,
    Product,
    Purchase,
    Refusal,
    Store,
    SubjectRow,
    Subscription,
    Suspend,
    Term,
    UnknownSubjectError,
    allowed,
    as_of,
    iso,
)

router = APIRouter()


def create_app(backend: Backend) -> FastAPI:
    """Return the application on a backend that is open."""
    app = FastAPI(title="Billing backend")
    app.state.backend = backend
    app.include_router(router)
    add_problems(app)
    return app


class NewCustomer(BaseModel):
    """Who is to buy."""

    id: str = Field(min_length=1)
    name: str
    credit_limit: Decimal = Decimal(100_000)


class Order(BaseModel):
    """What is bought."""

    customer: str
    sku: str = Field(min_length=1)
    seats: int = Field(ge=1)
    term: Term = Term.P1Y
    billing: Billing = Billing.MONTHLY
    unit_price: Decimal = Field(ge=0)
    currency: str = "EUR"
    autorenew: bool = True


class Seats(BaseModel):
    """How many seats to add."""

    quantity: int = Field(ge=1)


class Reasons(BaseModel):
    """Why a subscription is suspended."""

    reasons: tuple[str, ...] = ()


class Autorenew(BaseModel):
    """Whether to renew at the term end."""

    on: bool


@router.post("/customers", status_code=201)
def add_customer(customer: NewCustomer, backend: TheBackend) -> dict[str, str]:
    """Take a customer in, or change what we know of it."""

    def work(session: Session, _store: Store) -> None:
        session.merge(Customer(**customer.model_dump()))

    backend.run(work)
    return {"id": customer.id}


@router.post("/subscriptions", response_model=None)
def sell(order: Order, asking: Asked) -> JSONResponse:
    """Sell a subscription."""
    price = Price(order.unit_price, order.currency)
    purchase = Purchase(
        order.customer,
        asking.backend.settings.partner,
        Product(order.sku),
        order.seats,
        order.term,
        order.billing,
        autorenew=order.autorenew,
        price=price,
    )
    return _asked(asking, asking.event("purchase", asking.new_id, purchase), status=201)


@router.post("/subscriptions/{subscription}/autorenew", response_model=None)
def set_autorenew(subscription: str, wish: Autorenew, asking: Asked) -> JSONResponse:
    """Renew at the term end, or let it lapse."""
    name = "turn_autorenew_on" if wish.on else "turn_autorenew_off"
    return _asked(asking, asking.event(name, subscription))


@router.post("/subscriptions/{subscription}/suspend", response_model=None)
def suspend(subscription: str, why: Reasons, asking: Asked) -> JSONResponse:
    """Take the users' access away."""
    return _asked(asking, asking.event("suspend", subscription, Suspend(why.reasons)))


@router.post("/subscriptions/{subscription}/reactivate", response_model=None)
def reactivate(subscription: str, asking: Asked) -> JSONResponse:
    """Give the users' access back."""
    return _asked(asking, asking.event("reactivate", subscription))


@router.post("/subscriptions/{subscription}/seats", response_model=None)
def add_seats(subscription: str, seats: Seats, asking: Asked) -> JSONResponse:
    """Add seats, charged by the day to the end of the billing cycle."""
    return _asked(asking, asking.event("add_seats", subscription, ChangeSeats(seats.quantity)))


@router.post("/subscriptions/{subscription}/cancel", response_model=None)
def cancel(subscription: str, asking: Asked) -> JSONResponse:
    """Cancel within the window, with what comes back."""
    return _asked(asking, asking.event("cancel", subscription))


def _asked(asking: Asking, event: Event, *, status: int = 200) -> JSONResponse:
    """Put a request to the lifecycle and book it, in one transaction; answer with the outcome."""

    def work(session: Session, store: Store) -> Outcome:
        data = event.data
        if isinstance(data, Purchase) and session.get(Customer, data.customer) is None:
            raise UnknownCustomerError(f"no customer {data.customer}; take it in first")
        return ask(session, store, event, asking.expected_version)

    outcome = asking.backend.run(work)
    headers = {"ETag": f'"{outcome.version}"'}
    if outcome.refusal is not None:
        return refused(outcome.refusal, headers=headers)
    body = {
        "id": event.subject,
        "state": outcome.state,
        "version": outcome.version,
        "repeated": outcome.repeated,
        "facts": [fact.name for fact in outcome.facts],
        "rules": list(outcome.rules),
    }
    return JSONResponse(body, status, headers=headers)


@router.get("/subscriptions", response_model=None)
def list_subscriptions(backend: TheBackend, customer: str | None = None) -> list[dict[str, Any]]:
    """List what was sold, with the state beside it: the lifecycle's tables are ordinary ones."""

    def work(session: Session, store: Store) -> list[dict[str, Any]]:
        query = (
            select(Sale, SubjectRow)
            .join(SubjectRow, col(SubjectRow.id) == col(Sale.id))
            .where(SubjectRow.tenant == store.tenant)
            .order_by(col(Sale.sold_at), col(Sale.id))
        )
        if customer is not None:
            query = query.where(Sale.customer == customer)
        return [
            {"id": sale.id, "customer": sale.customer, "sku": sale.sku, "state": row.state}
            for sale, row in session.exec(query)
        ]

    return backend.run(work)


@router.get("/subscriptions/{subscription}", response_model=None)
def show(subscription: str, backend: TheBackend) -> JSONResponse:
    """Show a subscription as it stands now, and what may be asked of it."""

    def work(session: Session, store: Store) -> JSONResponse:
        sale, found = session.get(Sale, subscription), as_of(store, subscription)
        if sale is None or not isinstance(found, Subscription):
            raise UnknownSubjectError(f"no subscription {subscription}; fix the id")
        body = {
            "id": sale.id,
            "customer": sale.customer,
            "sku": found.product.sku,
            "seats": found.quantity,
            "state": found.state,
            "autorenew": found.autorenew,
            "ends_on": found.ends_on.isoformat(),
            "unit_price": str(sale.unit_price),
            "currency": sale.currency,
            "version": found.version,
            "allowed": list(allowed(store, subscription)),
        }
        return JSONResponse(body, headers={"ETag": f'"{found.version}"'})

    return backend.run(work)


@router.get("/subscriptions/{subscription}/history", response_model=None)
def show_history(
    subscription: str, backend: TheBackend, after: str | None = None, limit: int = 100
) -> dict[str, Any]:
    """Show what happened to a subscription and what was refused, a page at a time."""
    page = backend.store.history(subscription, after=after, limit=limit)
    return _paged(page, [_entry(each) for each in page])


@router.get("/due", response_model=None)
def list_due(
    backend: TheBackend,
    until: datetime | None = None,
    after: str | None = None,
    limit: int = 100,
) -> dict[str, Any]:
    """List what the calendar will do next, the earliest first."""
    page = backend.store.due(until, after=after, limit=limit)
    return _paged(page, [_due(each) for each in page])


@router.get("/customers/{customer}/invoice", response_model=None)
def show_invoice(customer: str, backend: TheBackend) -> dict[str, Any]:
    """Show a customer's invoice lines and what it owes."""

    def work(session: Session, _store: Store) -> dict[str, Any]:
        lines = session.exec(
            select(InvoiceLine)
            .join(Sale, col(Sale.id) == col(InvoiceLine.sale))
            .where(Sale.customer == customer)
            .order_by(col(InvoiceLine.booked_for), col(InvoiceLine.event_id))
        )
        return {
            "lines": [each.model_dump(mode="json") for each in lines],
            "balance": str(balance(session, customer)),
        }

    return backend.run(work)


def _paged(page: Page[Any], items: list[dict[str, Any]]) -> dict[str, Any]:
    return {"items": items, "next": page.next}


def _entry(entry: Entry) -> dict[str, Any]:
    refusal = entry.outcome if isinstance(entry.outcome, Refusal) else None
    facts = () if isinstance(entry.outcome, Refusal) else entry.outcome
    return {
        "sequence": entry.sequence,
        "at": iso(entry.event.at),
        "event": entry.event.name,
        "by": entry.event.actor.id,
        "from": entry.state_before,
        "to": entry.state,
        "facts": [fact.name for fact in facts],
        "refusal": None if refusal is None else refusal.code,
        "rules": list(entry.rules),
    }


def _due(due: Due) -> dict[str, Any]:
    return {
        "id": due.subject,
        "state": due.state,
        "timer": due.timer,
        "due_at": iso(due.due_at),
    }
