"""A fact as the bytes of a post: CloudEvents 1.0, or the Partner Center shape (EVT-10). Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from sublife.events.records import record_id, recording_of
from sublife.events.store.delivery import Body, CommittedFact
from sublife.lifecycle.model import iso

PARTNER_CENTER = "https://api.partnercenter.microsoft.com"
TEST = "test-created"
"""The event that asks an endpoint whether it listens (EVT-11)."""

_CUSTOMER = "/v1/customers/{customer}"
RESOURCES: Mapping[str, tuple[str, str | None]] = MappingProxyType(
    {
        "subscription-updated": (
            "subscription",
            "/webhooks/v1/customers/{customer}/subscriptions/{subject}",
        ),
        "new-commerce-migration": (
            "new-commerce-migration",
            _CUSTOMER + "/migrations/newcommerce/{subject}",
        ),
        "new-commerce-migration-schedule": (
            "new-commerce-migration-schedule",
            _CUSTOMER + "/migrations/newcommerce/schedules/{subject}",
        ),
        "reseller-relationship": ("customer", _CUSTOMER),
        "indirect-reseller-relationship": ("customer", _CUSTOMER),
        "dap-admin-relationship": ("PartnerCustomerDap", None),
        TEST: ("test", "/webhooks/v1/registration/validationEvents/{subject}"),
    }
)
"""ResourceName and path of ResourceUri, by the longest beginning of an EventName (EVT-11)."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where posts say they come from.

    Args:
        cloudevents: the `source` of CloudEvents; `/sublife/` and the tenant if not given.
        partner_center: what ResourceUri and AuditUri begin with, without a slash at the end.
    """

    cloudevents: str | None = None
    partner_center: str = PARTNER_CENTER

    def of(self, tenant: str) -> str:
        """Return the `source` of a tenant's CloudEvents, a URI reference."""
        return self.cloudevents or f"/sublife/{quote(tenant, safe='')}"


@dataclass(frozen=True, slots=True)
class Message:
    """What is posted: the id by which a receiver knows it again, the media type, the bytes."""

    id: str
    media_type: str
    body: bytes


def is_written(fact: CommittedFact, body: Body) -> bool:
    """Return whether a fact has a body of this shape; Partner Center knows only some (EVT-11)."""
    return body is Body.CLOUDEVENTS or recording_of(fact.fact).webhook is not None


def message(fact: CommittedFact, body: Body, source: Source) -> Message:
    """Return a fact as it is posted, the same bytes each time."""
    if body is Body.CLOUDEVENTS:
        said = _cloudevent(fact, source)
        return Message(fact.id, "application/cloudevents+json; charset=utf-8", _json(said))
    said = partner_center(fact, source)
    return Message(fact.id, "application/json; charset=utf-8", _json(said))


def trial_message(
    identifier: str, tenant: str, at: datetime, body: Body, source: Source
) -> Message:
    """Return the message that asks an endpoint whether it listens.

    Args:
        identifier: of this test.
        tenant: whose endpoint it is.
        at: UTC instant.
        body: the shape the endpoint wants.
        source: where posts say they come from.
    """
    if body is Body.PARTNER_CENTER:
        said = _resource_event(TEST, source, {"subject": identifier}, None, at)
        return Message(identifier, "application/json; charset=utf-8", _json(said))
    said = {
        "specversion": "1.0",
        "id": identifier,
        "source": source.of(tenant),
        "type": f"sublife.{TEST}",
        "time": iso(at),
    }
    return Message(identifier, "application/cloudevents+json; charset=utf-8", _json(said))


def _json(said: Mapping[str, Any]) -> bytes:
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()


def _cloudevent(fact: CommittedFact, source: Source) -> dict[str, Any]:
    """Return a fact as a CloudEvent in structured mode."""
    entry, event = fact.entry, fact.entry.event
    return {
        "specversion": "1.0",
        "id": fact.id,
        "source": source.of(fact.tenant),
        "type": f"sublife.{fact.name}",
        "subject": fact.subject,
        "time": iso(event.at),
        "datacontenttype": "application/json",
        "data": {
            "fact": fact.name,
            "details": {name: fact.fact.data[name] for name in sorted(fact.fact.data)},
            "rules": list(fact.fact.rules),
            "policy": entry.policy,
            "lifecycle": event.lifecycle,
            "state_before": entry.state_before,
            "state": entry.state,
            "version": entry.version,
            "sequence": entry.sequence,
            "number": fact.number,
            "customer": fact.customer,
            "partner": fact.partner,
            "recorded_at": iso(entry.recorded_at),
            "event": {
                "id": event.id,
                "name": event.name,
                "actor": {"kind": event.actor.kind.value, "id": event.actor.id},
                "cause": event.cause,
            },
        },
    }


def partner_center(fact: CommittedFact, source: Source) -> dict[str, Any]:
    """Return a fact in the Partner Center webhook shape (EVT-10).

    Raises:
        ValueError: the fact has no Partner Center name; `is_written` tells.
    """
    name = recording_of(fact.fact).webhook
    if name is None:
        raise ValueError(f"{fact.name} has no Partner Center event; ask is_written first")
    parts = {"customer": fact.customer, "subject": fact.subject}
    return _resource_event(name, source, parts, _activity_id(fact), fact.entry.event.at)


def _resource_event(
    name: str, source: Source, parts: Mapping[str, str], audit: str | None, at: datetime
) -> dict[str, Any]:
    resource, path = resource_of(name)
    base = source.partner_center
    quoted = {part: quote(value, safe="") for part, value in parts.items()}
    record = None if audit is None else quote(audit, safe="")
    return {
        "EventName": name,
        "ResourceUri": path and base + path.format_map(quoted),
        "ResourceName": resource,
        "AuditUri": record and f"{base}/auditactivity/v1/auditrecords/{record}",
        "ResourceChangeUtcDate": f"{at:%Y-%m-%dT%H:%M:%S.%f}0+00:00",
    }


def resource_of(name: str) -> tuple[str, str | None]:
    """Return ResourceName and the path of ResourceUri that belong to an EventName (EVT-11).

    Raises:
        ValueError: nothing is known of such a name; give `RESOURCES` a line for it.
    """
    fits = [begin for begin in RESOURCES if name == begin or name.startswith(f"{begin}-")]
    if not fits:
        raise ValueError(f"{name} has no resource; give RESOURCES a line for it")
    return RESOURCES[max(fits, key=len)]


def _activity_id(fact: CommittedFact) -> str | None:
    """Return the id of the activity record that a fact leaves, or `None` if it leaves none."""
    if recording_of(fact.fact).kind is None:
        return None
    earlier = [each for each in fact.facts[: fact.number] if recording_of(each).kind is not None]
    return record_id(fact.entry.event.id, len(earlier))
