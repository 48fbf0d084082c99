"""Sends one message to one endpoint, signed."""

from datetime import datetime

from sublife.events.store.delivery import Endpoint
from sublife.events.webhook.answer import Answer
from sublife.events.webhook.body import Message
from sublife.events.webhook.network import Poster
from sublife.events.webhook.signature import headers


async def send(poster: Poster, endpoint: Endpoint, message: Message, at: datetime) -> Answer:
    """Post a message to an endpoint, signed with every secret that is valid at *at*."""
    return await poster.post(endpoint, message.body, headers(message, endpoint.secrets(at), at))
