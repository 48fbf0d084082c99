"""Serves the interface in a thread of its own, until it is told to stop."""

import socket
from threading import Thread
from types import TracebackType
from typing import Self

import anyio.to_thread
import uvicorn

from sublife.events.logs import log
from sublife.events.store.secret import shown_address
from sublife.scheduler.api.app import create_app
from sublife.scheduler.api.interface import Interface
from sublife.scheduler.api.protocol import Protocol
from sublife.scheduler.listen import ListenError, address, is_loopback

WORKERS = 10
"""Requests worked on at once; each takes one connection to the database."""
GRACE_SECONDS = 10
_WAITING = 128


class Server:
    """The HTTP interface on one address.

    Args:
        interface: whose `is_local` is set to what the address says.
        listen: host and port, such as `127.0.0.1:8321` or `[::1]:8321`; port 0 takes a free one.
    """

    def __init__(self, interface: Interface, listen: str) -> None:
        self.interface = interface
        self.host, self.port = address(listen)
        interface.is_local = is_loopback(self.host)
        self._server: uvicorn.Server | None = None
        self._thread: Thread | None = None

    @property
    def url(self) -> str:
        """Where it is served."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def start(self) -> None:
        """Begin to serve; it returns when requests are taken.

        Raises:
            ListenError: others than this machine could reach it and there is no token yet, or the
                server cannot listen on the address.
        """
        if not self.interface.is_local and self.interface.store.tokens.is_empty():
            raise ListenError(
                f"{self.host} can be reached from elsewhere and there is no token yet; make one "
                "with `sublife tokens create`, or listen at 127.0.0.1"
            )
        listening = self._listening()
        self.port = listening.getsockname()[1]
        server = self._server = uvicorn.Server(_config(self.interface))
        self._thread = Thread(target=server.run, args=([listening],), name="api", daemon=True)
        self._thread.start()
        while not server.started and self._thread.is_alive():
            self._thread.join(0.01)
        if not server.started:
            listening.close()
            raise ListenError(f"nothing could be served at {self.url}; the log says why")
        log.info("listening", url=self.url, is_local=self.interface.is_local)

    def _listening(self) -> socket.socket:
        try:
            family, kind, protocol, _, where = socket.getaddrinfo(
                self.host, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            listening = socket.socket(family, kind, protocol)
        except OSError as error:
            raise self._no(error) from error
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(where)
            listening.listen(_WAITING)
        except OSError as error:
            listening.close()
            raise self._no(error) from error
        return listening

    def _no(self, error: OSError) -> ListenError:
        why = error.strerror or str(error)
        return ListenError(
            f"cannot listen on {shown_address(f'{self.host}:{self.port}')}: {why}; choose "
            "another address or port"
        )

    def stop(self) -> None:
        """Take no more requests, answer those under way, and end the thread."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(GRACE_SECONDS + 5)
            log.info("listening_ended", url=self.url)
        self._server = self._thread = None

    def __enter__(self) -> Self:
        """Begin to serve."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End."""
        self.stop()


def _config(interface: Interface) -> uvicorn.Config:
    """Return how to serve: no proxy is believed, and no path or header gets into a log."""
    app = create_app(interface)

    async def serve(scope: object, receive: object, send: object) -> None:
        anyio.to_thread.current_default_thread_limiter().total_tokens = WORKERS
        await app(scope, receive, send)  # type: ignore[arg-type]

    return uvicorn.Config(
        serve,
        loop="asyncio",
        http=Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
