"""A fact as a message: the subject name, the id by which it is known again, the bytes. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from urllib.parse import quote

from sublife.events.store.delivery import Body, CommittedFact
from sublife.events.stream.broker import Broker
from sublife.events.webhook.body import message as written

_PLAIN = ":#@=+,;!&'()"
"""What stands in a message id as it is, beside letters, digits and `_.-~`."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is published.

    Args:
        subject: name of the NATS subject.
        headers: the id among them, in `Nats-Msg-Id`.
        body: the bytes.
    """

    subject: str
    headers: Mapping[str, str]
    body: bytes


@lru_cache(maxsize=4096)
def token(text: str) -> str:
    """Return a text as one token of a subject name: percent-encoded where it must be.

    A token is not empty and has no space, full stop, `*` or `>`; `unquote` gives the text back.
    """
    return quote(text, safe="").replace(".", "%2E") or "%"


def subject_of(fact: CommittedFact, prefix: str) -> str:
    """Return the subject name of a fact: `prefix.tenant.lifecycle.fact-name`."""
    lifecycle = fact.entry.event.lifecycle
    return f"{prefix}.{token(fact.tenant)}.{token(lifecycle)}.{token(fact.name)}"


def message_id(fact: CommittedFact) -> str:
    """Return the id of a fact with its tenant, `tenant/event-id#number`, percent-encoded.

    The id of a fact is its tenant's own, and a stream drops what has an id it knows: without the
    tenant, an event id that two tenants use would lose one of the facts.
    """
    return f"{quote(fact.tenant, safe=_PLAIN)}/{quote(fact.id, safe=_PLAIN + '/')}"


def message(fact: CommittedFact, broker: Broker) -> Message:
    """Return a fact as it is published, the same each time: a CloudEvent in structured mode."""
    said = written(fact, Body.CLOUDEVENTS, broker.source)
    headers = {
        "Nats-Msg-Id": message_id(fact),
        "Nats-Expected-Stream": broker.stream,
        "Content-Type": said.media_type,
        "Sublife-Subject": quote(fact.subject, safe=_PLAIN),
        "Sublife-Sequence": str(fact.sequence),
    }
    return Message(subject_of(fact, broker.prefix), MappingProxyType(headers), said.body)
