"""Values as people say them: terms, plans, instants, amounts, channels."""

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from types import MappingProxyType
from typing import Any, cast

from sublife.lifecycle.model import iso

_WORDS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "term": {"P1M": "1 month", "P1Y": "1 year", "P3Y": "3 years"},
        "billing": {
            "monthly": "billed monthly",
            "annual": "billed annually",
            "triennial": "billed once for all three years",
        },
        "channel": {
            "ea": "the Enterprise Agreement",
            "web-direct": "Microsoft directly",
            "csp-partner": "another CSP partner",
        },
        "continuity": {
            "new": "",
            "uninterrupted": "nothing is interrupted",
            "interrupted": "users have been cut off in between",
        },
        "asked_by": {"customer": "the customer", "partner": "the partner"},
        "partner_type": {
            "direct-bill": "a direct-bill partner",
            "indirect-provider": "an indirect provider",
            "indirect-reseller": "an indirect reseller",
        },
        "use": {
            "apps": "Microsoft 365 Apps for customers",
            "byol": "services for its customers",
            "prebuilt": "applications and desktops built beforehand",
        },
        "owner": {
            "brought": "licences that the customer brings",
            "sold": "licences sold with the service",
            "own": "the hoster's own licences",
        },
        "programme": {"qmth": "QMTH", "csp-hoster": "CSP-Hoster"},
        "item": {
            "partner-agreement": "the Microsoft Partner Agreement is signed",
            "provider-association": "the distributor is associated as indirect provider",
            "location-mpn-id": "the MPN ID of the location is registered",
            "customer-agreement": "the Microsoft Customer Agreement is accepted",
        },
        "change": {
            "renewed": "renewed",
            "extended": "extended",
            "put-on-ept": "put on an extended period term",
        },
        "choice": {"cancel": "end", "extend": "go on month by month"},
        "kind": {"reseller": "reseller", "indirect-reseller": "indirect reseller"},
    }
)
"""Words for values, by the name of the value; others are said as they are."""
_ALIKE = {"term_before": "term", "billing_before": "billing"}
_AMOUNTS = frozenset({"amount", "charged", "credit", "revenue", "threshold", "unit"})
_INSTANT = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(:\d\d)(?:\.\d+)?Z")


def word(name: str, value: Any) -> str:
    """Return a value as people say it.

    Args:
        name: of the value, such as `term`.
        value: as a fact or a payload carries it; `None` is nothing.
    """
    said = _plain(value)
    found = _WORDS.get(_ALIKE.get(name, name), {}).get(said)
    if found is not None:
        return found
    if name in _AMOUNTS and said:
        return f"{Decimal(said):,}"
    return instant(said)


def instant(said: str) -> str:
    """Return an instant without what says nothing: seconds that are zero."""

    def short(match: re.Match[str]) -> str:
        seconds = match[3] if match[3] != ":00" else ""
        return f"{match[1]} {match[2]}{seconds}Z"

    return _INSTANT.sub(short, said) if "Z" in said else said


def _plain(value: Any) -> str:
    match value:
        case None:
            return ""
        case Enum():
            return str(value.value)
        case datetime():
            return iso(value)
        case date():
            return value.isoformat()
        case tuple() | list() | frozenset():
            return ", ".join(_plain(each) for each in cast("Iterable[Any]", value))
        case _:
            return str(value)
