"""Sessions in an unusual state, and a host's own Alembic beside our tables."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Column, Engine, Integer, MetaData, Table, create_engine
from sqlalchemy.orm import Session
from sqlmodel import select

from sublife.events.intake import submit
from sublife.events.store import Store, StoreError, begin_at_once
from sublife.events.tables import SubjectRow
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.model import EMPTY, Actor, ActorKind, Event, Payload
from sublife.lifecycle.subscription.model import Product, Purchase, Rename
from sublife.scheduler.clock import SimulatedClock

NOW = datetime(2024, 10, 1, 2, 35, tzinfo=UTC)
ORDER = Purchase("tailspin", "contoso", Product("E3"), 30, Term.P1Y, Billing.MONTHLY)


def event(name: str, subject: str, data: Payload = EMPTY) -> Event:
    """Return an event of the present."""
    amy = Actor(ActorKind.USER, "amy")
    return Event(f"{name}-{subject}", name, subject, NOW, amy, data)


PURCHASE = event("purchase", "s1", ORDER)
RENAME = event("rename", "s1", Rename("Contoso seats"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """The store that the host has opened at its start."""
    opened = Store.open(f"sqlite:///{tmp_path / 'host.db'}", clock=SimulatedClock(NOW))
    yield opened
    opened.close()


@pytest.fixture
def engine(store: Store) -> Iterator[Engine]:
    """The host's own engine."""
    made = begin_at_once(create_engine(store.engine.url))
    yield made
    made.dispose()


def test_a_session_that_begins_nothing_by_itself_is_asked_to_begin(
    store: Store, engine: Engine
) -> None:
    """With `autobegin=False` the error says what to call; after it, the store works."""
    with Session(engine, autobegin=False) as session:
        with pytest.raises(StoreError, match=r"autobegin=False; call session.begin\(\) first"):
            submit(store.within(session), PURCHASE)
        with pytest.raises(StoreError, match=r"call session.begin\(\) first"):
            store.within(session).get("s1")

        with session.begin():
            submit(store.within(session), PURCHASE)

    assert store.get("s1") is not None


def test_a_part_that_was_rolled_back_can_be_submitted_again(store: Store, engine: Engine) -> None:
    """The event id of what `begin_nested` took back was never used."""
    with Session(engine) as session, session.begin():
        nested = session.begin_nested()
        submit(store.within(session), PURCHASE)
        nested.rollback()
        with session.begin_nested():
            outcome = submit(store.within(session), PURCHASE)

    assert (outcome.accepted, outcome.repeated) == (True, False)
    assert store.get("s1") is not None


@pytest.mark.parametrize("how", ["close", "rollback", "commit"])
def test_a_session_that_the_host_ends_inside_our_transaction_leaves_nothing_half_done(
    store: Store, engine: Engine, how: str
) -> None:
    """An error says so, whichever way it ended, and the store goes on working."""
    session = Session(engine)
    joined = store.within(session)

    with pytest.raises(StoreError, match="your transaction has ended"), joined.transaction():
        getattr(session, how)()

    session.close()
    assert store.get("s1") is None
    assert submit(store, PURCHASE).accepted


def test_a_two_phase_session_on_sqlite_fails_before_anything_is_written(
    store: Store, engine: Engine
) -> None:
    """SQLite has no two-phase commit; the error says so."""
    with (
        Session(engine, twophase=True) as session,
        pytest.raises(StoreError, match=r"no two-phase commit.*twophase=False"),
    ):
        submit(store.within(session), PURCHASE)

    assert store.get("s1") is None


def test_a_two_phase_session_on_postgresql_is_joined(migrated_database: str) -> None:
    """What is submitted is prepared with the host's rows; here the host rolls back."""
    url = migrated_database.replace("postgresql:", "postgresql+psycopg:", 1)
    opened = Store.open(migrated_database, clock=SimulatedClock(NOW))
    made = create_engine(url)
    with Session(made, twophase=True) as session:
        outcome = submit(opened.within(session), PURCHASE)
        row = session.scalars(select(SubjectRow)).one()
        submit(opened.within(session), RENAME)
        version = row.version
        session.rollback()

    assert outcome.accepted
    assert version > outcome.version
    assert opened.get("s1") is None
    made.dispose()
    opened.close()


def test_a_session_that_only_reads_refuses_what_would_be_written(migrated_database: str) -> None:
    """PostgreSQL says that the transaction is read-only; reading goes on in it."""
    url = migrated_database.replace("postgresql:", "postgresql+psycopg:", 1)
    opened = Store.open(migrated_database, clock=SimulatedClock(NOW))
    made = create_engine(url, execution_options={"postgresql_readonly": True})
    with Session(made) as session:
        assert opened.within(session).get("s1") is None
        with pytest.raises(StoreError, match="read"):
            submit(opened.within(session), PURCHASE)

    assert opened.get("s1") is None
    made.dispose()
    opened.close()


def documented(text: str) -> dict[str, Any]:
    """Return what the env.py of the guide passes to Alembic."""
    page = Path(__file__).parents[2].joinpath("docs", "storage.md").read_text(encoding="utf-8")
    block = next(part for part in page.split("```python\n")[1:] if text in part.partition("```")[0])
    found: dict[str, Any] = {}
    exec(block.partition("```")[0].partition("context.configure")[0], found)  # noqa: S102 – the guide's own words
    return {text: found[text]}


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_the_hosts_alembic_proposes_nothing_about_our_tables(
    kind: str, request: pytest.FixtureRequest, store: Store
) -> None:
    """With the documented env.py, autogenerate sees the host's own changes alone."""
    url: Any = store.engine.url
    if kind == "postgresql":
        address = str(request.getfixturevalue("migrated_database"))
        url = address.replace("postgresql:", "postgresql+psycopg:", 1)
    made = create_engine(url)
    hosts = MetaData()
    Table("invoice", hosts, Column("id", Integer, primary_key=True))
    with made.connect() as connection:
        without = MigrationContext.configure(connection, opts={})
        context = MigrationContext.configure(connection, opts=documented("include_name"))
        proposed = [each[0] for each in compare_metadata(context, hosts)]
        unfiltered = [each[0] for each in compare_metadata(without, hosts)]
    made.dispose()

    assert proposed == ["add_table"]
    assert "remove_table" in unfiltered
