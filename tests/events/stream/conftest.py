"""A real nats-server with JetStream, in a folder and at a port of its own."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sysconfig
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import nkeys  # pyright: ignore[reportMissingTypeStubs] – it has no types
import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig, DeliverPolicy, StreamConfig, StreamInfo

from sublife.events.stream import Broker, Connection

KEYS: Any = nkeys
PROGRAM = Path(sysconfig.get_path("scripts"), "nats-server")


@dataclass(frozen=True, slots=True)
class Kept:
    """A message as the stream keeps it."""

    subject: str
    headers: Mapping[str, str]
    body: Any

    @property
    def id(self) -> str:
        """By which the stream knows a message again."""
        return self.headers["Nats-Msg-Id"]


class Server:
    """A nats-server that can be killed and started again with what it had.

    Attributes:
        port: where it listens on 127.0.0.1; the system chooses it at the first start.
    """

    def __init__(self, folder: Path, config: str = "", *, jetstream: bool = True) -> None:
        self._folder = folder
        self._config = config
        self._jetstream = jetstream
        self._process: subprocess.Popen[str] | None = None
        self.port = -1
        self.start()

    @property
    def url(self) -> str:
        """Its address, without a user."""
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it says that it is ready."""
        self._folder.mkdir(exist_ok=True)
        kept = f'jetstream {{ store_dir: "{self._folder}" }}' if self._jetstream else ""
        config = self._folder / "server.conf"
        config.write_text(f"{kept}\n{self._config}\n")
        words = ("--config", config, "--addr", "127.0.0.1", "--port", self.port)
        self._process = process = subprocess.Popen(
            [str(each) for each in (PROGRAM, *words)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        said: list[str] = []
        for line in process.stderr:
            said.append(line)
            if found := re.search(r"client connections on 127\.0\.0\.1:(\d+)", line):
                self.port = int(found[1])
            if "Server is ready" in line:
                return
        raise AssertionError("".join(said))

    def kill(self) -> None:
        """End it as a power cut does."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        if self._process.stderr is not None:
            self._process.stderr.close()

    def pause(self) -> None:
        """Let it answer nothing, and keep its connections; it stands still when this returns."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        os.waitpid(self._process.pid, os.WUNTRACED)

    def resume(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def ask(self, work: Callable[[JetStreamContext], Any], **options: Any) -> Any:
        """Do something with JetStream that this test, and not the engine, wants done."""

        async def asked() -> Any:
            client = Client()
            await client.connect(self.url, allow_reconnect=False, **options)
            try:
                return await work(JetStreamContext(client))
            finally:
                await client.close()

        return asyncio.run(asked())

    def make(self, **config: Any) -> None:
        """Make a stream."""
        self.ask(lambda js: js.add_stream(StreamConfig(**config)))  # pyright: ignore[reportUnknownMemberType] – its options

    def change(self, **config: Any) -> None:
        """Change a stream."""
        self.ask(lambda js: js.update_stream(StreamConfig(**config)))  # pyright: ignore[reportUnknownMemberType] – its options

    def info(self, stream: str = "sublife") -> StreamInfo:
        """Return what the server says about a stream."""
        found = self.ask(lambda js: js.stream_info(stream))
        assert isinstance(found, StreamInfo)
        return found

    def kept(self, stream: str = "sublife") -> list[Kept]:
        """Return every message of a stream, in its order."""

        async def read(js: JetStreamContext) -> list[Kept]:
            count = (await js.stream_info(stream)).state.messages
            config = ConsumerConfig(deliver_policy=DeliverPolicy.ALL)
            feed = await js.pull_subscribe("", stream=stream, config=config)
            found: list[Kept] = []
            while len(found) < count:
                for each in await feed.fetch(min(500, count - len(found)), timeout=20):
                    found.append(
                        Kept(each.subject, dict(each.headers or {}), json.loads(each.data))
                    )
                    await each.ack()
            return found

        return cast("list[Kept]", self.ask(read))


class Operator:
    """Who runs a server where users sign in with credentials files, as `nsc` makes them.

    Attributes:
        config: what the server is told of it.
        credentials: the text of the credentials file of one user.
    """

    def __init__(self) -> None:
        operator, system, account, user = (
            _pair(kind, number)
            for number, kind in enumerate(
                (
                    nkeys.PREFIX_BYTE_OPERATOR,
                    nkeys.PREFIX_BYTE_ACCOUNT,
                    nkeys.PREFIX_BYTE_ACCOUNT,
                    nkeys.PREFIX_BYTE_USER,
                )
            )
        )
        unlimited = dict.fromkeys(("subs", "data", "payload", "conn", "imports", "exports"), -1)
        stored = dict.fromkeys(("mem_storage", "disk_storage", "streams", "consumer"), -1)
        limits = {"limits": {**unlimited, "leaf": -1, "wildcards": True}}
        with_streams = {"limits": {**limits["limits"], **stored}}
        about_user = dict.fromkeys(("subs", "data", "payload"), -1)
        accounts = {
            _name(system): _token(operator, system, {"type": "account", **limits}),
            _name(account): _token(operator, account, {"type": "account", **with_streams}),
        }
        preload = "\n".join(f"{name}: {each}" for name, each in accounts.items())
        self.config = (
            f"operator: {_token(operator, operator, {'type': 'operator'})}\n"
            f"system_account: {_name(system)}\n"
            f"resolver: MEMORY\nresolver_preload: {{\n{preload}\n}}\n"
        )
        self.credentials = (
            "-----BEGIN NATS USER JWT-----\n"
            f"{_token(account, user, {'type': 'user', **about_user})}\n"
            "------END NATS USER JWT------\n\n"
            "-----BEGIN USER NKEY SEED-----\n"
            f"{_seed(nkeys.PREFIX_BYTE_USER, 3).decode()}\n"
            "------END USER NKEY SEED------\n"
        )


def _seed(kind: int, number: int) -> bytes:
    return bytes(KEYS.encode_seed(bytes([number + 1]) * 32, kind))


def _pair(kind: int, number: int) -> Any:
    return KEYS.from_seed(bytearray(_seed(kind, number)))


def _name(pair: Any) -> str:
    return str(pair.public_key.decode())


def _token(issuer: Any, subject: Any, about: Mapping[str, Any]) -> str:
    """Return a JWT as NATS has them, signed by the issuer's key."""
    claims = {
        "jti": f"of-{_name(subject)}",
        "iat": 1_700_000_000,
        "iss": _name(issuer),
        "sub": _name(subject),
        "name": "test",
        "nats": {"version": 2, **about},
    }
    parts = ({"typ": "JWT", "alg": "ed25519-nkey"}, claims)
    said = ".".join(_encoded(json.dumps(each).encode()) for each in parts)
    return f"{said}.{_encoded(issuer.sign(said.encode()))}"


def _encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


@pytest.fixture
def open_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts servers, any number of them, and ends them all."""
    opened: list[Server] = []

    def open_(config: str = "", **more: Any) -> Server:
        opened.append(Server(tmp_path / f"nats-{len(opened)}", config, **more))
        return opened[-1]

    yield open_
    for each in opened:
        each.kill()


@pytest.fixture
def server(open_server: Callable[..., Server]) -> Server:
    """A server without a stream."""
    return open_server()


@pytest.fixture
def connect(server: Server) -> Iterator[Callable[..., Connection]]:
    """Makes connections to the server, or to another address, and closes them all."""
    opened: list[Connection] = []

    def connect_(url: str | None = None, **more: Any) -> Connection:
        opened.append(Connection(Broker(url=url or server.url, **more)))
        return opened[-1]

    yield connect_
    for each in opened:
        each.close()


@pytest.fixture
def connection(connect: Callable[..., Connection]) -> Connection:
    """A connection to the server."""
    return connect()


@pytest.fixture
def operator() -> Operator:
    """Who runs a server with credentials files."""
    return Operator()
