"""The connection to a broker as a publisher sees it: asked by one thread, kept alive by another."""

import asyncio
from collections.abc import Sequence
from threading import Event as Signal
from threading import Lock, Thread
from types import TracebackType
from typing import TYPE_CHECKING, Self

from sublife.events.stream.broker import Broker, BrokerError, demand_extra
from sublife.events.stream.message import Message

if TYPE_CHECKING:
    from sublife.events.stream.jetstream import JetStream, MessageRefusedError


class Connection:
    """A connection that is made when it is first needed, and made anew after it has ended.

    Its event loop runs in a thread of its own, so the broker hears of us while nothing is
    published. It may be asked from any thread; one asks after the other.

    Args:
        broker: where it leads.

    Raises:
        ExtraMissingError: the extra `nats` is not installed.
    """

    def __init__(self, broker: Broker) -> None:
        demand_extra()
        self.broker = broker
        self._asking = Lock()
        self._loop = asyncio.new_event_loop()
        self._over: asyncio.Event | None = None
        self._ready = Signal()
        self._session: JetStream | None = None
        self._thread: Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()

    def send(self, messages: Sequence[Message]) -> "list[MessageRefusedError | BrokerError | None]":
        """Publish messages at the same time, and wait until the broker has answered for each.

        Returns:
            For each message `None` if the stream has it, or why it does not, as far as we know.

        Raises:
            BrokerAwayError: there is no connection, and none can be made; nothing was published.
            BrokerRefusedError: the broker does not let us in, or has no stream.
        """
        with self._asking:
            self._begin()
            return asyncio.run_coroutine_threadsafe(self._send(messages), self._loop).result()

    def close(self) -> None:
        """End the connection."""
        with self._asking:
            if self._thread is not None and self._over is not None:
                self._loop.call_soon_threadsafe(self._over.set)
                self._thread.join()
                self._thread = None
            if not self._loop.is_running():
                self._loop.close()

    def _begin(self) -> None:
        if self._thread is None:
            self._thread = Thread(target=self._run, name="sublife-stream", daemon=True)
            self._thread.start()
            self._ready.wait()

    def _run(self) -> None:
        self._loop.run_until_complete(self._live())

    async def _live(self) -> None:
        self._over = asyncio.Event()
        self._ready.set()
        await self._over.wait()
        await self._end()

    async def _send(
        self, messages: Sequence[Message]
    ) -> "list[MessageRefusedError | BrokerError | None]":
        from sublife.events.stream.jetstream import JetStream  # noqa: PLC0415 – needs the extra

        if self._session is None or not self._session.is_open:
            await self._end()
            self._session = await JetStream.open(self.broker)
        answers = await self._session.send(messages)
        if any(isinstance(each, BrokerError) for each in answers):
            await self._end()
        return answers

    async def _end(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()
