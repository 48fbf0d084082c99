"""The shape of a hoster's standing: which programmes it belongs to and what it reports."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from sublife.lifecycle.model import Snapshot, Sparse


class State(StrEnum):
    """The programme that a hoster belongs to."""

    OUTSIDE = "outside"
    QMTH = "qmth"
    CSP_HOSTER = "csp_hoster"


class ListedProvider(StrEnum):
    """The providers to whose platforms no licences may be brought (HST-06)."""

    AMAZON = "amazon"
    ALIBABA = "alibaba"
    GOOGLE = "google"
    MICROSOFT = "microsoft"


class Use(StrEnum):
    """What a hoster asks to do."""

    APPS = "apps"
    BYOL = "byol"
    PREBUILT = "prebuilt"


class Platform(StrEnum):
    """What it runs on."""

    SHARED = "shared"
    DEDICATED = "dedicated"


class Owner(StrEnum):
    """Whose the licences are (HST-07).

    `brought` and `sold` belong to the end customer; `own` to the hoster.
    """

    BROUGHT = "brought"
    SOLD = "sold"
    OWN = "own"


class Programme(StrEnum):
    """A programme that asks for reports."""

    QMTH = "qmth"
    CSP_HOSTER = "csp-hoster"


@dataclass(frozen=True)
class Spla(Sparse):
    """A Services Provider License Agreement, both days inclusive (HST-10)."""

    since_on: date
    until_on: date

    def is_valid(self, on: date) -> bool:
        """Return whether the agreement covers *on* (GEN-02)."""
        return self.since_on <= on <= self.until_on


@dataclass(frozen=True)
class Qmth(Sparse):
    """An authorization as Qualified Multitenant Hoster, both days inclusive (HST-01, HST-02)."""

    since_on: date
    until_on: date | None = None


@dataclass(frozen=True)
class Reporting(Sparse):
    """The reports of one programme (HST-02, HST-12).

    Args:
        from_on: first day of the running period.
        ends_at: UTC instant the running period is over.
        awaited: first days of the closed periods that are still to be reported.
        missed: first days of those that a later period has overtaken.
    """

    from_on: date
    ends_at: datetime
    awaited: tuple[date, ...] = ()
    missed: tuple[date, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Hosting(Snapshot):
    """What a hoster is authorized for, after its latest event.

    Args:
        listed: which of the listed providers it is, if it is one (HST-06).
        supplier: whom its customers' subscriptions come from; no programme changes it (HST-03).
        qmth: its latest QMTH authorization.
        qmth_ends_at: UTC instant at which the programme itself ends, while it is authorized.
        qmth_reporting: its monthly reports, while it is authorized.
        admitted_at: since when it is a CSP-Hoster.
        hoster_reporting: its CSP-Hoster reports, while it is one.
    """

    listed: ListedProvider | None = None
    supplier: str = ""
    qmth: Qmth | None = None
    qmth_ends_at: datetime | None = None
    qmth_reporting: Reporting | None = None
    admitted_at: datetime | None = None
    hoster_reporting: Reporting | None = None
