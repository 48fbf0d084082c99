"""The backend's own tables; the lifecycle has its own beside them."""

from datetime import datetime
from decimal import Decimal

from sqlmodel import Field, SQLModel

from sublife import ExactAmount, UtcDateTime


class Customer(SQLModel, table=True):
    """Who buys, and how much may be owed before we sell no more."""

    id: str = Field(primary_key=True)
    name: str
    currency: str = "EUR"
    credit_limit: Decimal = Field(sa_type=ExactAmount)


class Sale(SQLModel, table=True):
    """A subscription as we sold it. Its id is the lifecycle's subject; the state lives there."""

    id: str = Field(primary_key=True)
    customer: str = Field(foreign_key="customer.id", index=True)
    sku: str
    unit_price: Decimal = Field(sa_type=ExactAmount)
    currency: str
    sold_at: datetime = Field(sa_type=UtcDateTime)


class InvoiceLine(SQLModel, table=True):
    """What a fact costs; its key is the fact's own, so none is charged twice."""

    event_id: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    sale: str = Field(foreign_key="sale.id", index=True)
    text: str
    amount: Decimal = Field(sa_type=ExactAmount)
    currency: str
    booked_for: datetime = Field(sa_type=UtcDateTime)
