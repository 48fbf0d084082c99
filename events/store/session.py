"""A host's session: which of its connections has our tables, and our rows that it has loaded."""

from collections import defaultdict
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, inspect, select, tuple_, update
from sqlalchemy import event as sa_event
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.exc import UnboundExecutionError
from sqlalchemy.orm import Mapper, Session, SessionTransaction, scoped_session
from sqlalchemy.orm.attributes import set_committed_value

from sublife.events.store.error import StoreError
from sublife.events.store.server import full_pool
from sublife.events.tables import ActivityRow, JournalRow, OrderRow, Row, SubjectRow

_WRITE = update(SubjectRow)
"""What a session is asked for: the engine that takes this statement has to take all of ours."""
_NEVER_EDITED = (JournalRow, ActivityRow, OrderRow)
_AT_ONCE = 200
"""Rows read in one statement; SQLite takes 999 parameters in its oldest versions."""


def demand_host(host: object) -> None:
    """Refuse what is not a session or connection.

    Raises:
        StoreError: it is something else; the message says what to pass.
    """
    if isinstance(host, Session | Connection | scoped_session):
        return
    if _is_async(host):
        remedy = "use an AsyncStore for it"
    elif isinstance(host, Engine):
        remedy = "open a session or connection of it and pass that"
    elif callable(host):
        remedy = "call it and pass the session that it makes"
    else:
        remedy = "pass a Session, a scoped_session, or a Connection with a transaction begun"
    raise StoreError(f"within() takes a Session or a Connection, not {named(host)}; {remedy}")


def named(host: object) -> str:
    """Return what was passed, as a message names it."""
    if isinstance(host, type):
        return f"the class {host.__name__}"
    return "None" if host is None else f"an object of {type(host).__name__}"


def _is_async(host: object) -> bool:
    """Return whether it is of SQLAlchemy's package for asyncio, which needs greenlet to import."""
    kinds = (host if isinstance(host, type) else type(host)).__mro__
    return any(each.__module__.startswith("sqlalchemy.ext.asyncio") for each in kinds)


def bind_of(session: Session, arguments: Mapping[str, Any]) -> Engine | Connection:
    """Return the engine or connection of a session that takes what we write.

    A session that routes reads to a replica looks at the statement, or at whether it is flushing.
    What we read is what we decide on, so both have to say that this is a write.

    Args:
        session: of the host.
        arguments: of the host, for the session's `get_bind`; `bind` in them is the answer.

    Raises:
        StoreError: the session has no engine for our tables.
    """
    given = dict(arguments)
    bind: Engine | Connection | None = given.pop("bind", None)
    if bind is not None:
        return bind
    wanted: dict[str, Any] = {"mapper": inspect(SubjectRow), "clause": _WRITE, **given}
    try:
        with _as_if_flushing(session):
            return session.get_bind(**wanted)
    except UnboundExecutionError as error:
        raise StoreError(
            "the session has no engine for our tables; give it one by Session(engine) or "
            "Session(binds={SubjectRow: engine}), or name it in the call: "
            'within(session, bind_arguments={"bind": engine})'
        ) from error


@contextmanager
def _as_if_flushing(session: Session) -> Generator[None]:
    """Let a `get_bind` that looks at `_flushing`, as SQLAlchemy's own recipe does, see a flush."""
    was = session._flushing  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] – the recipe reads it, so it stays
    session._flushing = True  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] – as above
    try:
        yield
    finally:
        session._flushing = was  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] – as above


def connection_of(session: Session, arguments: Mapping[str, Any]) -> Connection:
    """Return the connection of a session's transaction, with what is pending written to it.

    Args:
        session: of the host.
        arguments: as for `bind_of`.

    Raises:
        StoreError: the session has no engine for our tables, has begun no transaction and may not
            begin one by itself, finds no connection free, or asks SQLite for two phases.
    """
    if not (session.in_transaction() or session.autobegin):
        raise StoreError(
            "the session is in no transaction and has autobegin=False; call session.begin() first"
        )
    if session.autoflush:
        session.flush()
    bind = bind_of(session, arguments)
    try:
        return session.connection(bind_arguments={"bind": bind})
    except PoolTimeoutError as error:
        raise full_pool(bind.engine, error) from error
    except NotImplementedError as error:
        raise StoreError(
            f"{bind.dialect.name} has no two-phase commit; make the session with twophase=False"
        ) from error


def freshen(session: Session, arguments: Mapping[str, Any], connection: Connection) -> None:
    """Let a session show our rows as we have just written them; it has not seen us do so.

    They are read again when next used. Where that could not reach the database we have written to
    (under asyncio no attribute may wait for a database, and a session with a `get_bind` of its own
    may read elsewhere), they are read now.

    Args:
        session: of the host.
        arguments: as for `bind_of`.
        connection: on which they were written.
    """
    rows = list(_ours(session))
    if not rows:
        return
    if not sa_event.contains(session, "after_soft_rollback", _after_rollback):
        sa_event.listen(session, "after_soft_rollback", _after_rollback)
    _expire(session, rows)
    may_read_elsewhere = bool(arguments) or type(session).get_bind is not Session.get_bind
    if may_read_elsewhere or connection.dialect.is_async:
        _read(rows, connection)


def _ours(session: Session) -> Iterator[Row]:
    for row in session.identity_map.values():
        if isinstance(row, Row) and not isinstance(row, _NEVER_EDITED):
            yield row


def _expire(session: Session, rows: list[Row]) -> None:
    for row in rows:
        session.expire(row)


def _read(rows: list[Row], connection: Connection) -> None:
    kinds: dict[type[Row], dict[tuple[Any, ...], Row]] = defaultdict(dict)
    for row in rows:
        key = inspect(row).identity
        if key is not None:
            kinds[type(row)][key] = row
    for kind, loaded in kinds.items():
        keys = list(loaded)
        for number in range(0, len(keys), _AT_ONCE):
            _read_some(inspect(kind), loaded, keys[number : number + _AT_ONCE], connection)


def _read_some(
    mapper: Mapper[Row],
    loaded: Mapping[tuple[Any, ...], Row],
    keys: list[tuple[Any, ...]],
    connection: Connection,
) -> None:
    """Read rows by the connection itself: a session could look for them elsewhere."""
    own = mapper.primary_key
    columns = {each.key: each.columns[0] for each in mapper.column_attrs}
    found = connection.execute(select(*columns.values()).where(tuple_(*own).in_(keys)))
    for values in found.mappings():
        row = loaded[tuple(values[each] for each in own)]
        for name, column in columns.items():
            set_committed_value(row, name, values[column])


def _after_rollback(session: Session, ended: SessionTransaction) -> None:
    """Forget our rows where the host takes back a part of its transaction.

    SQLAlchemy then forgets what was changed through the session alone, which ours is not.
    """
    if ended.nested:
        _expire(session, list(_ours(session)))
