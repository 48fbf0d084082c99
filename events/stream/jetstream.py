"""One connection to a broker: signs in, sees to the stream, publishes. Needs the extra `nats`.

It never connects again by itself: what was under way when a connection ended is not sent behind
our back later, when it would arrive after what follows it.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from nats.errors import Error, MaxPayloadError
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, StorageType, StreamConfig
from nats.js.errors import APIError, NoStreamResponseError, NotFoundError

from sublife.events.logs import log
from sublife.events.stream.broker import (
    Broker,
    BrokerAwayError,
    BrokerError,
    BrokerRefusedError,
)
from sublife.events.stream.message import Message
from sublife.events.stream.opening import Link, close, connected, plain
from sublife.lifecycle.error import SublifeError

TOO_LARGE = 10054
"""JetStream's number for a message that the stream does not take because of its size."""
WRONG_STREAM = 10060
_HEADERS = 1024
"""At least so many bytes of headers count towards the largest message that a server takes."""


class MessageRefusedError(SublifeError):
    """The broker takes other messages, but not this one."""


class JetStream:
    """A connection that is open until it ends.

    Args:
        broker: where it leads.
        link: the connection.
    """

    def __init__(self, broker: Broker, link: Link) -> None:
        self._broker = broker
        self._client, self._ended, self._faults = link
        self._context = JetStreamContext(self._client, timeout=broker.timeout_seconds)

    @property
    def is_open(self) -> bool:
        """Whether it can be used."""
        return self._client.is_connected and not self._ended.done()

    @classmethod
    async def open(cls, broker: Broker) -> "JetStream":
        """Connect to the first server that answers, and make the stream if there is none.

        Raises:
            BrokerAwayError: none answers.
            BrokerRefusedError: it does not let us in, or has no stream and makes none.
        """
        for url in broker.urls:
            try:
                opened = cls(broker, await connected(broker, url))
            except BrokerAwayError:
                if url == broker.urls[-1]:
                    raise
                continue
            try:
                await opened.see_to_the_stream()
            except BaseException:
                await opened.close()
                raise
            return opened
        raise AssertionError

    async def close(self) -> None:
        """End the connection."""
        await close(self._client)

    async def send(
        self, messages: Sequence[Message]
    ) -> list[MessageRefusedError | BrokerError | None]:
        """Publish messages, all at the same time, and wait for every answer.

        Returns:
            For each message `None` if the stream has it, or why it does not, as far as we know.
        """
        self._faults.clear()
        answers = [asyncio.ensure_future(self._sent(each)) for each in messages]
        every = asyncio.gather(*answers, return_exceptions=True)
        either: tuple[asyncio.Future[Any], ...] = (every, self._ended)
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not every.done():
            every.cancel()
            await asyncio.wait(answers)
        return [self._lost() if each.cancelled() else each.result() for each in answers]

    async def _sent(self, message: Message) -> MessageRefusedError | BrokerError | None:
        if len(message.body) + _HEADERS > self._client.max_payload:
            return self._too_large(message, self._client.max_payload)
        try:
            await self._context.publish(
                message.subject, message.body, headers=dict(message.headers)
            )
        except (APIError, NoStreamResponseError, Error) as error:
            return self._meaning(message, error)
        return None

    def _meaning(self, message: Message, error: Error) -> MessageRefusedError | BrokerError:
        broker = self._broker
        if isinstance(error, MaxPayloadError) or getattr(error, "err_code", None) == TOO_LARGE:
            return self._too_large(message, "its max_msg_size")
        if isinstance(error, NoStreamResponseError):
            return BrokerRefusedError(
                f"no stream at {broker.where} takes {message.subject}; give the stream "
                f'"{broker.stream}" the subjects {broker.prefix}.>'
            )
        if isinstance(error, APIError):
            return self._no(error)
        if isinstance(error, NatsTimeoutError) and (told := self._told("permissions violation")):
            return BrokerRefusedError(
                f"{broker.where} does not let us publish: {told}; allow the user to publish to "
                f"{broker.prefix}.> and to subscribe to _INBOX.>"
            )
        return self._lost(error)

    def _no(self, error: APIError) -> BrokerRefusedError:
        broker = self._broker
        said = error.description or type(error).__name__
        if error.err_code == WRONG_STREAM:
            return BrokerRefusedError(
                f'another stream than "{broker.stream}" at {broker.where} takes subjects that '
                f"begin with {broker.prefix}; name that one in nats_stream, or another prefix in "
                "nats_prefix"
            )
        return BrokerRefusedError(
            f'the stream "{broker.stream}" at {broker.where} takes nothing more: {said}; raise '
            "its limits, or let it discard old messages"
        )

    def _too_large(self, message: Message, limit: int | str) -> MessageRefusedError:
        return MessageRefusedError(
            f"{message.headers['Nats-Msg-Id']} has {len(message.body)} bytes, more than the "
            f'stream "{self._broker.stream}" takes ({limit}); raise that limit, then resend'
        )

    def _lost(self, error: object = None) -> BrokerAwayError:
        said = error or self._client.last_error or "the connection has ended"
        return BrokerAwayError(
            f"{self._broker.where} has not confirmed what was published: {plain(said)}; it is "
            "published again, and what has arrived already is known by its id"
        )

    def _told(self, what: str) -> str | None:
        found = [each for each in self._faults if what in each.lower()]
        return found[-1] if found else None

    async def see_to_the_stream(self) -> None:
        """Make the stream where there is none; leave one that is there as it is."""
        broker = self._broker
        if not broker.create:
            return
        try:
            await self._context.stream_info(broker.stream)
        except NotFoundError:
            await self._make_stream()
        except (Error, TimeoutError) as error:
            raise self._no_stream(error) from error

    async def _make_stream(self) -> None:
        broker = self._broker
        try:
            await self._context.add_stream(  # pyright: ignore[reportUnknownMemberType] – its options
                StreamConfig(
                    name=broker.stream,
                    description="facts of subscription lifecycles",
                    subjects=[f"{broker.prefix}.>"],
                    storage=StorageType.FILE,
                    discard=DiscardPolicy.NEW,
                    duplicate_window=broker.duplicate_window.total_seconds(),
                )
            )
        except (Error, TimeoutError) as error:
            raise self._no_stream(error) from error
        log.info("stream_made", stream=broker.stream, subjects=f"{broker.prefix}.>")

    def _no_stream(self, error: Exception) -> BrokerError:
        broker = self._broker
        if told := self._told("permissions violation"):
            return BrokerRefusedError(
                f'{broker.where} does not let us look for the stream "{broker.stream}": {told}; '
                "allow the user to, or make the stream yourself and set nats_create to false"
            )
        if isinstance(error, NatsTimeoutError):
            return self._lost(error)
        if isinstance(error, APIError) and error.description:
            return BrokerRefusedError(
                f'{broker.where} does not make the stream "{broker.stream}": {error.description}; '
                "make it yourself and set nats_create to false"
            )
        return BrokerRefusedError(
            f"{broker.where} has no JetStream for us ({plain(error)}); start nats-server with "
            "--jetstream, or enable it for the account"
        )
