"""Money and day-exact proration (TRM-13): Decimal, two places, rounded half up, once.

All arithmetic goes through one context of the module: the host's own may have another precision,
rounding or traps, and an amount may not depend on the thread it is computed in.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal, DivisionByZero, InvalidOperation, Overflow

_CENT = Decimal("0.01")
_DAY = timedelta(days=1)
_CONTEXT = Context(
    prec=60,
    rounding=ROUND_HALF_UP,
    Emin=-999999,
    Emax=999999,
    capitals=1,
    clamp=0,
    flags=[],
    traps=[DivisionByZero, InvalidOperation, Overflow],
)
"""Exact for every amount that a database column holds; only a division is ever rounded by it."""


def rounded(amount: Decimal) -> Decimal:
    """Return *amount* with two decimals, half up (TRM-13)."""
    return amount.quantize(_CENT, ROUND_HALF_UP, _CONTEXT)


def prorated(unit: Decimal, part: int, whole: int) -> Decimal:
    """Return *unit* × *part* / *whole* with two decimals, rounded half up once (TRM-13)."""
    product = _CONTEXT.multiply(unit, Decimal(part))
    return rounded(_CONTEXT.divide(product, Decimal(whole)))


def total(amounts: Iterable[Decimal]) -> Decimal:
    """Return the sum of amounts, exact, with at least two decimals."""
    found = Decimal("0.00")
    for each in amounts:
        found = _CONTEXT.add(found, each)
    return found


def percent(value: Decimal | int) -> Decimal:
    """Return *value* percent as a rate: 5 is 0.05."""
    return _CONTEXT.divide(Decimal(value), Decimal(100))


@dataclass(frozen=True, slots=True)
class Money:
    """An amount with its currency (ISO 4217), exact to the cent."""

    amount: Decimal
    currency: str

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"

    def plus(self, amount: Decimal) -> "Money":
        """Return the sum with an amount of the same currency."""
        return Money(_CONTEXT.add(self.amount, amount), self.currency)

    def minus(self, amount: Decimal) -> "Money":
        """Return the difference to an amount of the same currency."""
        return Money(_CONTEXT.subtract(self.amount, amount), self.currency)


def days_charged(from_at: datetime, until: datetime, *, at_least: int = 1) -> int:
    """Return N = max(1, ceil((until − from_at) / 24 h)): at least one day is charged (TRM-13).

    Args:
        from_at: UTC instant the charged days begin.
        until: UTC instant they end.
        at_least: 0 where that one day has been charged before *from_at* already.
    """
    return max(at_least, -((from_at - until) // _DAY))
