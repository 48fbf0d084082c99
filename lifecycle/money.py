"""Money and day-exact proration (TRM-13): Decimal, two places, rounded half up, once."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

_CENT = Decimal("0.01")
_DAY = timedelta(days=1)


def rounded(amount: Decimal) -> Decimal:
    """Return *amount* with two decimals, half up (TRM-13)."""
    return amount.quantize(_CENT, ROUND_HALF_UP)


@dataclass(frozen=True, slots=True)
class Money:
    """An amount with its currency (ISO 4217), exact to the cent."""

    amount: Decimal
    currency: str

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"


def days_charged(from_at: datetime, until: datetime, *, at_least: int = 1) -> int:
    """Return N = max(1, ceil((until − from_at) / 24 h)): at least one day is charged (TRM-13).

    Args:
        from_at: UTC instant the charged days begin.
        until: UTC instant they end.
        at_least: 0 where that one day has been charged before *from_at* already.
    """
    return max(at_least, -((from_at - until) // _DAY))
