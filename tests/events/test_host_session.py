"""Which sessions of a host the store joins, and on which of the host's databases it works."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest
from sqlalchemy import (
    Delete,
    Engine,
    Insert,
    MetaData,
    Update,
    create_engine,
    text,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, scoped_session, sessionmaker
from sqlmodel import Field, SQLModel

from sublife.events.intake import submit
from sublife.events.store import Store, StoreError, begin_at_once
from sublife.events.tables import Row, SubjectRow
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.model import EMPTY, Actor, ActorKind, Event, Payload
from sublife.lifecycle.subscription.model import Product, Purchase, Rename
from sublife.scheduler.clock import SimulatedClock

NOW = datetime(2024, 10, 1, 2, 35, tzinfo=UTC)
ORDER = Purchase("tailspin", "contoso", Product("E3"), 30, Term.P1Y, Billing.MONTHLY)


class HostTable(SQLModel):
    """What the host's own tables share."""

    metadata: ClassVar[MetaData] = MetaData()  # pyright: ignore[reportIncompatibleVariableOverride]


class Note(HostTable, table=True):
    """A table of the host's."""

    id: int | None = Field(default=None, primary_key=True)
    said: str


def event(name: str, subject: str, data: Payload = EMPTY, *, key: str = "") -> Event:
    """Return an event of the present."""
    return Event(key or f"{name}-{subject}", name, subject, NOW, Actor(ActorKind.USER, "amy"), data)


def purchase(subject: str = "s1") -> Event:
    """Return the event that sells 30 seats for a year."""
    return event("purchase", subject, ORDER)


@dataclass(frozen=True, slots=True)
class Pair:
    """A primary with our tables, and a replica whose copy of them lags behind."""

    primary: Engine
    replica: Engine
    store: Store

    def subjects(self) -> tuple[int, int]:
        """Return how many subjects the primary and the replica have."""
        counts: list[int] = []
        for engine in (self.primary, self.replica):
            with engine.connect() as connection:
                found = connection.execute(text("SELECT count(*) FROM sublife_subject"))
                counts.append(int(found.scalar_one()))
        return counts[0], counts[1]


def _engine(url: str) -> Engine:
    return create_engine(url.replace("postgresql:", "postgresql+psycopg:", 1))


@pytest.fixture(params=["sqlite", "postgresql"])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pair]:
    """Two databases of each kind; on PostgreSQL both are on one server."""
    if request.param == "sqlite":
        urls = [f"sqlite:///{tmp_path / name}.db" for name in ("primary", "replica")]
    else:
        urls = [str(request.getfixturevalue(f"{name}_database")) for name in ("migrated", "other")]
    stores = [Store.open(url, clock=SimulatedClock(NOW)) for url in urls]
    engines = [_engine(url) for url in urls]
    for engine in engines:
        HostTable.metadata.create_all(engine)
    yield Pair(engines[0], engines[1], stores[0])
    for engine in engines:
        HostTable.metadata.drop_all(engine)  # so that the database can be used again
        engine.dispose()
    for store in stores:
        store.close()


@pytest.fixture
def other_database(databases: Any) -> Iterator[str]:
    """A second PostgreSQL database with our tables."""
    with databases.one() as address:
        yield address


def documented_recipe(pair: Pair) -> type[Session]:
    """Return the class of SQLAlchemy's handbook, "Custom Vertical Partitioning"."""

    class RoutingSession(Session):
        def get_bind(self, mapper: Any = None, clause: Any = None) -> Any:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride] – as in the handbook
            if mapper and issubclass(mapper.class_, Note):
                return pair.primary
            if self._flushing or isinstance(clause, (Update, Delete)):
                return pair.primary
            return pair.replica

    return RoutingSession


def recipe_by_flush(pair: Pair) -> type[Session]:
    """Return the older form of the recipe, which looks at nothing but the flush."""

    class RoutingSession(Session):
        def get_bind(self, mapper: Any = None, clause: Any = None, **_more: Any) -> Any:
            return pair.primary if self._flushing else pair.replica

    return RoutingSession


def recipe_by_statement(pair: Pair) -> type[Session]:
    """Return a recipe that looks at the statement, for hosts that write by statements alone."""

    class RoutingSession(Session):
        def get_bind(self, mapper: Any = None, *, clause: Any = None, **_more: Any) -> Any:
            is_change = isinstance(clause, (Insert, Update, Delete))
            return pair.primary if is_change else pair.replica

    return RoutingSession


RECIPES = [documented_recipe, recipe_by_flush, recipe_by_statement]


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_routing_session_writes_to_the_primary(pair: Pair, recipe: Any) -> None:
    """What is submitted in a session that routes by flush or statement is on the primary alone."""
    with recipe(pair)() as session, session.begin():
        outcome = submit(pair.store.within(session), purchase())

    assert outcome.accepted
    assert pair.subjects() == (1, 0)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_routing_session_decides_by_what_the_primary_has(pair: Pair, recipe: Any) -> None:
    """A subject that has not reached the replica yet can be changed, looked at and found."""
    submit(pair.store, purchase())

    with recipe(pair)() as session, session.begin():
        joined = pair.store.within(session)
        outcome = submit(joined, event("rename", "s1", Rename("Contoso seats")))
        found = joined.get("s1")

    assert outcome.accepted
    assert found is not None
    assert pair.subjects() == (1, 0)


def test_a_routing_session_shares_one_transaction_with_the_store(pair: Pair) -> None:
    """What the host has pending and what we write are rolled back together."""
    with documented_recipe(pair)() as session:
        session.add(Note(said="before"))
        submit(pair.store.within(session), purchase())
        session.rollback()

    assert pair.subjects() == (0, 0)
    with pair.primary.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM note")).scalar_one() == 0


@pytest.mark.parametrize("key", [Row, SubjectRow, SubjectRow.__table__], ids=str)  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType, reportAttributeAccessIssue] – SQLModel adds it
def test_a_session_may_bind_our_rows_to_an_engine_of_their_own(pair: Pair, key: Any) -> None:
    """`binds` names our base class, a class or a table; the host's rows go elsewhere."""
    with Session(binds={Note: pair.replica, key: pair.primary}) as session, session.begin():
        session.add(Note(said="elsewhere"))
        submit(pair.store.within(session), purchase())

    assert pair.subjects() == (1, 0)


@pytest.mark.parametrize("bind", ["nothing", "another class"])
def test_a_session_without_an_engine_for_our_tables_is_refused(pair: Pair, bind: str) -> None:
    """The error says how the session or the call names the engine."""
    session = Session() if bind == "nothing" else Session(binds={Note: pair.primary})

    with session, pytest.raises(StoreError, match=r"no engine for our tables.*bind_arguments"):
        submit(pair.store.within(session), purchase())

    assert pair.subjects() == (0, 0)


@pytest.mark.parametrize("kind", ["nothing", "routing"])
def test_the_call_may_name_the_engine(pair: Pair, kind: str) -> None:
    """`bind_arguments` goes before whatever the session would choose."""

    class Elsewhere(Session):
        def get_bind(self, *_args: Any, **_more: Any) -> Any:
            return pair.replica

    with Session() if kind == "nothing" else Elsewhere() as session, session.begin():
        store = pair.store.within(session, bind_arguments={"bind": pair.primary})
        submit(store, purchase())
        store.of("another").get("s1")
        submit(store, event("rename", "s1", Rename("Contoso seats")))

    assert pair.subjects() == (1, 0)


def test_bind_arguments_may_carry_what_the_routing_looks_at(pair: Pair) -> None:
    """A host whose routing takes arguments of its own passes them on."""

    class Regional(Session):
        def get_bind(self, mapper: Any = None, *, region: str = "", **_more: Any) -> Any:
            return pair.primary if region == "europe" else pair.replica

    with Regional() as session, session.begin():
        submit(pair.store.within(session, bind_arguments={"region": "europe"}), purchase())

    assert pair.subjects() == (1, 0)


def test_a_session_may_be_bound_to_a_connection(pair: Pair) -> None:
    """The recipe for test suites: an outer transaction that the test rolls back."""
    pair.primary.dispose()
    with begin_at_once(pair.primary).connect() as connection:
        outer = connection.begin()
        with Session(connection, join_transaction_mode="create_savepoint") as session:
            submit(pair.store.within(session), purchase())
            session.commit()
        seen = connection.execute(text("SELECT count(*) FROM sublife_subject")).scalar_one()
        outer.rollback()

    assert seen == 1
    assert pair.subjects() == (0, 0)


def test_a_scoped_session_is_the_session_of_its_scope(pair: Pair) -> None:
    """The registry itself is given; each use works in the session that it has then."""
    registry = scoped_session(sessionmaker(pair.primary))
    store = pair.store.within(registry)

    submit(store, purchase("s1"))
    registry.rollback()
    registry.remove()
    submit(store, purchase("s2"))
    registry.commit()
    registry.remove()

    assert pair.store.get("s1") is None
    assert pair.store.get("s2") is not None


NOT_HOSTS: dict[str, tuple[Callable[[Engine], object], str]] = {
    "sessionmaker": (sessionmaker, "not an object of sessionmaker; call it"),
    "class": (lambda _: Session, "not the class Session; call it"),
    "engine": (lambda engine: engine, "not an object of Engine; open a session or connection"),
    "async-session": (lambda _: AsyncSession(), "not an object of AsyncSession; use an AsyncStore"),
    "none": (lambda _: None, "not None; pass a Session"),
}


@pytest.mark.parametrize("name", NOT_HOSTS)
def test_what_is_not_a_session_is_refused_at_once(name: str) -> None:
    """The message names what was given and what to pass in its place."""
    store = Store.open(clock=SimulatedClock(NOW))
    make, said = NOT_HOSTS[name]
    given: Any = make(store.engine)

    with pytest.raises(StoreError, match=said):
        store.within(given)

    store.close()
