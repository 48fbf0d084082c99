"""Hands committed facts on, at least once and in order per subject: to handlers and endpoints.

`relay` reads the journal and writes down what each endpoint is to get, `deliver` posts what is due,
`Handler` calls a function of the host. None of them runs inside a transaction of the lifecycle.
"""

from sublife.events.outbox.deliver import Delivered, deliver, keep_delivering
from sublife.events.outbox.endpoint import add_endpoint, rotate_secret, try_endpoint
from sublife.events.outbox.handler import Handled, Handler
from sublife.events.outbox.relay import relay
from sublife.events.outbox.retry import Retry
from sublife.events.outbox.setting import Settings
from sublife.events.store.delivery import (
    Body,
    CommittedFact,
    Delivery,
    Endpoint,
    Filters,
    Status,
)
from sublife.events.webhook.body import Source

__all__ = [
    "Body",
    "CommittedFact",
    "Delivered",
    "Delivery",
    "Endpoint",
    "Filters",
    "Handled",
    "Handler",
    "Retry",
    "Settings",
    "Source",
    "Status",
    "add_endpoint",
    "deliver",
    "keep_delivering",
    "relay",
    "rotate_secret",
    "try_endpoint",
]
