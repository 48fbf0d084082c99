"""Which revenue counts for which model, and what it comes to (AUT-02, AUT-08, AUT-14, AUT-15)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from sublife.lifecycle.dates import add_months, day_starts_at
from sublife.lifecycle.model import PartnerType
from sublife.lifecycle.money import total
from sublife.lifecycle.partner.model import Partner, Revenue, RevenueKind
from sublife.lifecycle.policy import Policy

_ONE_DAY = timedelta(days=1)
_CLOUD = frozenset({RevenueKind.CLOUD})
_TRANSACTIONAL = frozenset(
    {RevenueKind.CLOUD, RevenueKind.PERPETUAL_SOFTWARE, RevenueKind.SOFTWARE_SUBSCRIPTION}
)
"""What is sold through CSP; claims on others' sales (CPOR, DPOR, PAL) are not (AUT-15)."""


@dataclass(frozen=True, slots=True)
class Trailing:
    """The revenue of a span of days.

    Args:
        amount: exact, in USD.
        from_on: first day.
        until_on: last day, inclusive.
    """

    amount: Decimal
    from_on: date
    until_on: date


def direct_revenue(partner: Partner, policy: Policy, *, on: date) -> Trailing:
    """Return the direct-bill revenue of the twelve months that end the day before *on* (AUT-03).

    Cloud revenue of the whole global account on invoices paid by then; software does not count
    (AUT-08).
    """
    return _trailing(_direct(partner, paid_before=on), _twelve_months(policy, on))


def reseller_revenue(partner: Partner, policy: Policy, *, on: date) -> Trailing:
    """Return the reseller revenue of the twelve months that end the day before *on* (AUT-17).

    All that is transacted through CSP, perpetual software included, by this very tenant (AUT-15).
    """
    return _trailing(_reseller(partner), _twelve_months(policy, on))


def refreshed_revenue(partner: Partner, policy: Policy, *, on: date) -> Trailing:
    """Return the direct-bill revenue as it is shown on *on* (AUT-08).

    What is shown changes on one day of each month: then it becomes the twelve months up to the
    end of the month before.
    """
    refresh_day = policy.count("refresh_day", day_starts_at(on))
    month = on.replace(day=1)
    refreshed_on = month.replace(day=refresh_day)
    if on < refreshed_on:
        refreshed_on = add_months(refreshed_on, -1)
    span = _twelve_months(policy, refreshed_on.replace(day=1))
    return _trailing(_direct(partner, paid_before=refreshed_on), span)


def _twelve_months(policy: Policy, on: date) -> tuple[date, date]:
    """Return first and last day of the trailing months before *on*, both inclusive."""
    months = policy.count("trailing_months", day_starts_at(on))
    return add_months(on, -months), on - _ONE_DAY


def _direct(partner: Partner, *, paid_before: date) -> Iterator[Revenue]:
    for line in partner.revenue:
        paid = line.paid_on is not None and line.paid_on < paid_before
        if line.kind in _CLOUD and paid:
            yield line


def _reseller(partner: Partner) -> Iterator[Revenue]:
    for line in partner.revenue:
        if line.kind in _TRANSACTIONAL and line.tenant in {"", partner.id}:
            yield line


def _trailing(lines: Iterator[Revenue], span: tuple[date, date]) -> Trailing:
    first, last = span
    amounts = (line.amount for line in lines if first <= line.on <= last)
    return Trailing(total(amounts), first, last)


def revenue_of(partner: Partner, policy: Policy, *, on: date) -> Trailing:
    """Return the revenue that a check on *on* looks at, by the partner's model."""
    if partner.partner_type is PartnerType.DIRECT_BILL:
        return direct_revenue(partner, policy, on=on)
    return reseller_revenue(partner, policy, on=on)


def threshold_of(partner: Partner, policy: Policy, *, on: date) -> Decimal:
    """Return how much revenue is enough on *on*, by the partner's model (AUT-02, AUT-14)."""
    direct = partner.partner_type is PartnerType.DIRECT_BILL
    return policy.amount("direct_revenue" if direct else "reseller_revenue", day_starts_at(on))
