"""Connections to a PostgreSQL server: how they are set, whether they still stand, what is wrong."""

import json
import os
import re
import sqlite3
from collections.abc import Mapping
from selectors import EVENT_READ, DefaultSelector
from typing import Any

from sqlalchemy import URL, Engine
from sqlalchemy import event as sa_event
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from sublife.events.store.error import (
    AutocommitError,
    PoolFullError,
    RefusedError,
    StoreError,
    UnreachableError,
)
from sublife.events.store.secret import shown_url

THRESHOLD = "prepare_threshold"
"""Parameter of an address: `none` where a pooler gives each transaction another connection."""
CONNECT_SECONDS = 10
"""How long to wait for each host of an address; the driver waits for over two minutes."""
POOLED = "sublife_pooled"
"""Execution option of an engine of ours whose connections a pooler hands out by transaction."""
_AUTOCOMMIT = "AUTOCOMMIT"
SETTINGS: Mapping[str, str] = {
    # A batch joins a thousand rows to many: with the default cost of a random page the planner
    # reads the whole table instead, and compiling such a plan takes longer than running it.
    "random_page_cost": "1.1",
    "jit": "off",
    "datestyle": "ISO",
    "timezone": "UTC",
    "standard_conforming_strings": "on",
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "default_transaction_deferrable": "off",
}
"""What our own connections work with, whatever server, database and role say."""
_NEEDED = ("datestyle", "standard_conforming_strings")
_SET = (
    "SELECT set_config(name, CAST(%(values)s AS jsonb) ->> lower(name), false) FROM pg_settings "
    "WHERE CAST(%(values)s AS jsonb) ? lower(name) "
    "AND (source <> 'client' OR CAST(%(needed)s AS jsonb) ? lower(name))"
)
"""What the address or PGOPTIONS sets is the user's choice, unless answers could not be read."""
SET_LOCAL = "; ".join(
    f"SET LOCAL {name} = '{value}'"
    for name, value in SETTINGS.items()
    if not name.startswith("default_")
)
SET_WRITING = f"SET LOCAL transaction_read_only = off; {SET_LOCAL}"


def of_server(address: URL) -> tuple[URL, dict[str, Any]]:
    """Return the address and options of an engine; the driver takes a threshold as a number.

    Raises:
        StoreError: the threshold is neither a whole number from 0 nor `none`.
    """
    patience = _patience(address)
    if THRESHOLD not in address.query:
        return address, {"connect_args": patience}
    said = address.query[THRESHOLD]
    if not isinstance(said, str) or not re.fullmatch(r"none|[0-9]{1,9}", said, re.ASCII):
        raise StoreError(
            f"{THRESHOLD} in the address is not a threshold; write none (behind a pooler that "
            "hands out connections by transaction) or a whole number from 0"
        )
    number = None if said == "none" else int(said)
    options: dict[str, Any] = {"connect_args": {THRESHOLD: number, **patience}}
    if number is None:
        options["execution_options"] = {POOLED: True}
        options["isolation_level"] = "READ COMMITTED"  # said as a transaction begins
    return address.difference_update_query([THRESHOLD]), options


def _patience(address: URL) -> dict[str, Any]:
    """Return how long to wait for a server, unless the user says so anywhere."""
    said = {"connect_timeout", "service"} & set(address.query)
    if said or {"PGCONNECT_TIMEOUT", "PGSERVICE"} & set(os.environ):
        return {}
    return {"connect_timeout": CONNECT_SECONDS}


def is_pooled(engine: Engine) -> bool:
    """Return whether each transaction may have another connection of the server."""
    return bool(engine.get_execution_options().get(POOLED, False))


def keep_set(engine: Engine) -> None:
    """Set each connection of an engine of ours once it stands.

    Not as it starts: a pooler refuses options it does not know, and the user's own would be lost.
    Where a pooler gives each transaction another connection, each sets its own instead.
    """
    if not is_pooled(engine):
        sa_event.listen(engine, "connect", _set)


def _set(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    values = {"values": json.dumps(SETTINGS), "needed": json.dumps(dict.fromkeys(_NEEDED))}
    cursor.execute(_SET, values)
    cursor.close()
    connection.commit()


_REMEDIES = (
    (
        r'database ".*" does not exist',
        "there is no such database; make it with createdb, or correct its name in the address",
    ),
    (
        r'role ".*" does not exist',
        "there is no such role; make it with createuser, or correct the user in the address",
    ),
    (
        r"password authentication failed|no password supplied|authentication failed",
        "the password is missing or wrong; correct it in the address, PGPASSWORD or ~/.pgpass",
    ),
    (
        r"no pg_hba\.conf entry|is not permitted to log in|permission denied for database",
        "the server does not admit this user from here; see its pg_hba.conf and the role's rights",
    ),
    (
        r"too many clients|too many connections|connection slots|no more connections allowed",
        "the server has no free connection; raise max_connections, or close what is not used",
    ),
    (
        (
            r"startup parameter|unrecognized configuration parameter|invalid value for parameter"
            r"|command-line argument|requires a value|invalid connection option"
            r"|definition of service|permission denied to set parameter"
        ),
        "an option is refused; correct it in the address, PGOPTIONS or the service file",
    ),
    (
        r"could not translate host name|failed to resolve host|Name or service not known",
        "the host is not known; correct its name in the address",
    ),
)


_PASSING = {_REMEDIES[-3][1], _REMEDIES[-1][1]}
"""What may be over soon: a server that is crowded, a name that its network learns as it starts."""


def unopened_server(engine: Engine, error: BaseException) -> UnreachableError:
    """Return why a server gave no connection, with the remedy for that very reason."""
    whole = str(error).strip()
    said = whole.partition("\n")[0]
    where = f"the database {shown_url(engine.url)}"
    for pattern, remedy in _REMEDIES:
        if re.search(pattern, whole):
            kind = UnreachableError if remedy in _PASSING else RefusedError
            return kind(f"{where} cannot be opened: {said}; {remedy}")
    return UnreachableError(f"{where} does not answer: {said}; see that it runs")


def full_pool(engine: Engine, error: PoolTimeoutError) -> PoolFullError:
    """Return that all connections of an engine are in use, and what to do."""
    size = getattr(engine.pool, "size", None)
    number = f"{size()} connections" if callable(size) else "connections"
    return PoolFullError(
        f"the pool of {number} is full ({str(error).partition(' (')[0]}); close sessions that are "
        "no longer used, or make the engine with a larger pool_size, max_overflow or pool_timeout"
    )


def commits_alone() -> AutocommitError:
    """Return that a connection commits each statement by itself."""
    return AutocommitError(
        "the host's connection commits each statement by itself (AUTOCOMMIT), so nothing could be "
        "rolled back; give the store one with transactions"
    )


def refuse_autocommit(engine: Engine) -> None:
    """Do nothing if an engine has transactions, as far as it says so before it connects.

    Raises:
        AutocommitError: it commits each statement by itself.
    """
    asked = {
        engine.get_execution_options().get("isolation_level"),
        getattr(engine.dialect, "_on_connect_isolation_level", None),
    }
    if _AUTOCOMMIT in asked:
        raise commits_alone()


def refuse_autocommit_of(connection: Any) -> None:
    """Do nothing if a driver's connection has transactions that begin when we say so.

    Raises:
        AutocommitError: it commits each statement by itself, or begins transactions by PEP 249.
    """
    mode = getattr(connection, "autocommit", None)
    if mode is True:
        raise commits_alone()
    if mode is False and isinstance(connection, sqlite3.Connection):
        raise AutocommitError(
            "the driver's connection is always in a transaction (autocommit=False, PEP 249), so "
            "none can begin with the write lock; make the engine without that argument"
        )


def is_cut(connection: Any) -> bool:
    """Return whether the server has closed a connection that lay idle, without asking it.

    A socket on which something waits to be read has been closed, or brings a message first.
    """
    server: Any = connection.pgconn
    try:
        while server.socket >= 0 and _is_readable(server.socket):
            server.consume_input()
    except Exception:  # noqa: BLE001 – whatever the driver raises here, the connection is lost
        return True
    return bool(server.status != 0)


def _is_readable(socket: int) -> bool:
    with DefaultSelector() as selector:
        selector.register(socket, EVENT_READ)
        return bool(selector.select(0))
