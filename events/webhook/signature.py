"""Signs posts as Standard Webhooks does."""

from base64 import b64decode, b64encode
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import quote

from standardwebhooks import Webhook

from sublife.events.webhook.body import Message

PREFIX = "whsec_"
_PLAIN = "~:/#@=+,;!$&'()*"
"""What stands in a header as it is; the full stop does not, since it divides what is signed."""


def secret_of(random: bytes) -> str:
    """Return *random* bytes as a secret."""
    return PREFIX + b64encode(random).decode()


def is_secret(text: str) -> bool:
    """Return whether a text is a secret of Standard Webhooks."""
    if not text.startswith(PREFIX):
        return False
    try:
        found = b64decode(text.removeprefix(PREFIX), validate=True)
    except ValueError:
        return False
    return 24 <= len(found) <= 64


def header_id(identifier: str) -> str:
    """Return an id as the header `webhook-id` carries it: percent-encoded where it must be."""
    return quote(identifier, safe=_PLAIN).replace(".", "%2E")


def headers(message: Message, secrets: Sequence[str], at: datetime) -> dict[str, str]:
    """Return the headers of a post.

    Args:
        message: what is posted.
        secrets: those that are valid; each gives one signature.
        at: UTC instant of the attempt; receivers refuse what is older than some minutes.
    """
    identifier = header_id(message.id)
    text = message.body.decode()
    signatures = (Webhook(secret).sign(identifier, at, text) for secret in secrets)
    return {
        "content-type": message.media_type,
        "user-agent": "sublife",
        "webhook-id": identifier,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
