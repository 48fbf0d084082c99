"""Poolers in transaction mode: a stand-in on the wire protocol, and PgBouncer itself.

The stand-in gives each transaction another session of the server than the one before, and refuses
the parameters at the start of a connection that PgBouncer refuses in its default configuration.
"""

import os
import pwd
import shutil
import socket
import struct
import subprocess
import tempfile
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from threading import Lock, Thread

import psycopg
from sqlalchemy import make_url

KNOWN = {
    "user",
    "database",
    "application_name",
    "client_encoding",
    "datestyle",
    "timezone",
    "standard_conforming_strings",
}
"""What PgBouncer takes at the start of a connection."""
SESSIONS = 2
"""How many sessions of the server a client meets in turn at the least."""
_SSL, _GSS, _CANCEL, _VERSION_3 = 80877103, 80877104, 80877102, 196608
_HEAD = 5
_UNFINISHED = b"PBDECHF"
"""Messages of a client after which the server still expects a Sync."""


class _Closed(Exception):  # noqa: N818 – it ends a connection and is no fault
    """The other side has closed its connection."""


def _take(source: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        part = source.recv(count - len(found))
        if not part:
            raise _Closed
        found += part
    return found


def _message(source: socket.socket) -> tuple[bytes, bytes]:
    """Read one message; return its kind and all its bytes."""
    head = _take(source, _HEAD)
    (size,) = struct.unpack("!I", head[1:])
    return head[:1], head + _take(source, size - 4)


def _startup(values: dict[str, str]) -> bytes:
    said = b"".join(f"{name}\0{value}\0".encode() for name, value in values.items()) + b"\0"
    return struct.pack("!II", len(said) + 8, _VERSION_3) + said


def _refusal(text: str) -> bytes:
    said = f"SFATAL\0VFATAL\0C08P01\0M{text}\0\0".encode()
    return b"E" + struct.pack("!I", len(said) + 4) + said


class _Session:
    """One session of the server, and what it said as it began."""

    def __init__(self, path: str, values: dict[str, str]) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.greeting = b""
        try:
            self.is_refused = self._begin(path, values) == b"E"
        except (OSError, _Closed):
            self.close()
            raise

    def _begin(self, path: str, values: dict[str, str]) -> bytes:
        self.socket.connect(path)
        self.socket.sendall(_startup(values))
        kind = b""
        while kind not in {b"Z", b"E"}:
            kind, said = _message(self.socket)
            self.greeting += said
        return kind

    def close(self) -> None:
        self.socket.close()


class StandIn:
    """Listens on the local machine, and hands each transaction to another session.

    Args:
        folder: of the server's Unix socket.
    """

    def __init__(self, folder: str) -> None:
        self._path = f"{folder}/.s.PGSQL.5432"
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._idle: dict[tuple[str, str], deque[_Session]] = {}
        self._lock = Lock()
        self._clients: list[socket.socket] = []
        self._threads: list[Thread] = []
        self._start(self._accept)

    def close(self) -> None:
        """End every connection."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join()
        for client in self._clients:
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for sessions in self._idle.values():
            for session in sessions:
                session.close()

    def _start(self, work: Callable[..., None], *given: socket.socket) -> None:
        self._threads.append(Thread(target=work, args=given, daemon=True))
        self._threads[-1].start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._clients.append(client)
                self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError, _Closed), client:
            values = self._greeted(client)
            unknown = next((name for name in values if name.lower() not in KNOWN), None)
            if unknown is not None:
                client.sendall(_refusal(f"unsupported startup parameter: {unknown}"))
                return
            key = (values["user"], values.get("database", values["user"]))
            first = self._taken(key)
            client.sendall(first.greeting)
            if first.is_refused:
                first.close()
                return
            self._give_back(key, first)
            while True:
                self._transaction(client, key)

    def _greeted(self, client: socket.socket) -> dict[str, str]:
        """Return what a client says as it begins; encryption is declined, cancelling ignored."""
        while True:
            size, version = struct.unpack("!II", _take(client, 8))
            said = _take(client, size - 8)
            if version in {_SSL, _GSS}:
                client.sendall(b"N")
            elif version == _CANCEL:
                raise _Closed
            else:
                words = said.rstrip(b"\0").decode().split("\0")
                return dict(zip(words[::2], words[1::2], strict=True))

    def _taken(self, key: tuple[str, str]) -> _Session:
        """Return the session that has rested longest; while there are few, a new one."""
        with self._lock:
            idle = self._idle.setdefault(key, deque())
            if len(idle) >= SESSIONS:
                return idle.popleft()
        return _Session(self._path, {"user": key[0], "database": key[1]})

    def _give_back(self, key: tuple[str, str], session: _Session) -> None:
        with self._lock:
            self._idle.setdefault(key, deque()).append(session)

    def _transaction(self, client: socket.socket, key: tuple[str, str]) -> None:
        """Pass on one transaction, from its first message to when the server is idle again."""
        kind, said = _message(client)
        if kind == b"X":
            raise _Closed
        session = self._taken(key)
        try:
            _passed_on(client, session.socket, kind, said)
        except (OSError, _Closed):
            session.close()  # with whatever transaction it was in
            raise
        self._give_back(key, session)


class _Talk:
    """What a client has asked of a session that is not answered yet."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self._client, self._server = client, server
        self._asked: deque[bytes] = deque()
        self._is_unfinished = self._is_copying = False
        self._arrived = b""

    def ask(self, kind: bytes, said: bytes) -> None:
        """Send a client's message on."""
        if kind == b"X":
            raise _Closed
        if kind in b"cf":
            self._is_copying = False
        # While rows are copied in, the server passes over a Sync.
        if kind == b"Q" or (kind == b"S" and not self._is_copying):
            self._asked.append(kind)
        self._is_unfinished = kind in _UNFINISHED
        self._server.sendall(said)

    def answer(self) -> bool:
        """Send on what has arrived of answers; return whether a transaction is over.

        An answer may arrive in parts, and the rest of it only after the client's next message.
        """
        part = self._server.recv(65536)
        if not part:
            raise _Closed
        self._arrived += part
        is_over = False
        while len(self._arrived) >= _HEAD and not is_over:
            (size,) = struct.unpack("!I", self._arrived[1:_HEAD])
            if len(self._arrived) <= size:
                break
            said, self._arrived = self._arrived[: size + 1], self._arrived[size + 1 :]
            is_over = self._answered(said[:1], said)
        return is_over

    def _answered(self, kind: bytes, said: bytes) -> bool:
        if kind == b"G":
            self._is_copying = True
            if self._asked and self._asked[0] == b"S":
                self._asked.popleft()
        is_idle = kind == b"Z" and said[-1:] == b"I"
        if kind == b"Z":
            self._asked.popleft()
        self._client.sendall(said)
        return is_idle and not self._asked and not self._is_unfinished


def _passed_on(client: socket.socket, server: socket.socket, kind: bytes, said: bytes) -> None:
    """Pass on messages both ways until a transaction is over."""
    talk = _Talk(client, server)
    talk.ask(kind, said)
    with DefaultSelector() as selector:
        for each in (client, server):
            selector.register(each, EVENT_READ)
        while True:
            ready = {key.fileobj for key, _ in selector.select()}
            if server in ready:
                if talk.answer():
                    return
            elif client in ready:
                talk.ask(*_message(client))


@contextmanager
def stand_in(database: str) -> Generator[str]:
    """Run the stand-in before a server; yield the address of the database behind it."""
    url = make_url(database)
    with ExitStack() as stack:
        pooler = StandIn(str(url.query["host"]))
        stack.callback(pooler.close)
        yield f"postgresql://{url.username}@127.0.0.1:{pooler.port}/{url.database}"


@contextmanager
def pgbouncer(database: str) -> Generator[str]:
    """Run PgBouncer in its default configuration, but for the mode; yield the address behind it."""
    program = shutil.which("pgbouncer")
    assert program, "PgBouncer is not installed: apt-get install pgbouncer"
    url = make_url(database)
    server = Path(str(url.query["host"]))
    home = Path(tempfile.mkdtemp(prefix="pgbouncer"))
    home.chmod(0o777)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (home / "users").write_text(f'"{url.username}" ""\n')
    (home / "settings").write_text(_SETTINGS.format(server=server, port=port, home=home))
    # The folder of the server's socket is open to its owner alone.
    account = ["-u", pwd.getpwuid(server.stat().st_uid).pw_name] if os.geteuid() == 0 else []
    with subprocess.Popen([program, *account, "-q", str(home / "settings")]) as process:
        try:
            address = f"postgresql://{url.username}@127.0.0.1:{port}/{url.database}"
            assert any(_answers(address) for _ in range(100)), (home / "log").read_text()
            yield address
        finally:
            process.terminate()
            process.wait()
            shutil.rmtree(home)


def _answers(address: str) -> bool:
    try:
        psycopg.connect(address, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


_SETTINGS = """[databases]
* = host={server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {home}/users
pool_mode = transaction
server_round_robin = 1
logfile = {home}/log
"""

POOLERS = {"stand-in": stand_in}
if shutil.which("pgbouncer"):
    POOLERS["pgbouncer"] = pgbouncer
"""PgBouncer itself where the machine has it; the stand-in refuses the same everywhere."""


def sessions(address: str) -> Iterator[int]:
    """Yield the process of the server that each of a client's transactions meets."""
    with psycopg.connect(address, autocommit=True, prepare_threshold=None) as connection:
        while True:
            row = connection.execute("SELECT pg_backend_pid()").fetchone()
            assert row is not None
            yield int(row[0])
