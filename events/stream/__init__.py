"""Publishes committed facts to a NATS JetStream stream, at least once and in order per subject.

`publish` makes one round, `keep_publishing` goes on until it is told to stop. The cursor is a
consumer of the tenant like a handler's; neither runs inside a transaction of the lifecycle.
"""

from sublife.events.stream.broker import (
    Broker,
    BrokerAwayError,
    BrokerError,
    BrokerRefusedError,
    SettingError,
    demand_extra,
)
from sublife.events.stream.connection import Connection
from sublife.events.stream.message import Message, message_id, subject_of
from sublife.events.stream.outage import Outage
from sublife.events.stream.publish import Published, keep_publishing, publish

__all__ = [
    "Broker",
    "BrokerAwayError",
    "BrokerError",
    "BrokerRefusedError",
    "Connection",
    "Message",
    "Outage",
    "Published",
    "SettingError",
    "demand_extra",
    "keep_publishing",
    "message_id",
    "publish",
    "subject_of",
]
