"""The SQL of handing on: what follows the journal, what is due, what has come of it."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    String,
    Table,
    and_,
    bindparam,
    delete,
    func,
    literal_column,
    null,
    select,
    tuple_,
    update,
)
from sqlalchemy.ext.compiler import compiles

from sublife.events.layout import ACTIVITY, CONSUMER, DELIVERY, ENDPOINT, JOURNAL, SUBJECT
from sublife.events.store.bulk import Bulk
from sublife.events.store.history import ENTRY
from sublife.events.store.statement import Listed, Statement

LAST = 2**63 - 1
"""A position behind all others."""
BEGINNING = -(2**62)
"""A stamp before all others, with room below it."""


class _Horizon(ColumnElement[int]):
    """The first number whose transaction may still be open; rows below it are all there are.

    On PostgreSQL a row's stamp is at least the number of the transaction that wrote it, so a row
    below the horizon was written by one that has ended. SQLite writes in turn: all rows are below.
    """

    inherit_cache = True
    type = BigInteger()


@compiles(_Horizon, "sqlite")
def _all(_element: _Horizon, _compiler: Any, **_more: Any) -> str:
    return str(LAST)


@compiles(_Horizon, "postgresql")
def _oldest_open(_element: _Horizon, _compiler: Any, **_more: Any) -> str:
    return "CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS TEXT) AS BIGINT)"


class _Unused(ColumnElement[int]):
    """The first number that no transaction has yet."""

    inherit_cache = True
    type = BigInteger()


@compiles(_Unused, "sqlite")
def _none(_element: _Unused, _compiler: Any, **_more: Any) -> str:
    return str(LAST)


@compiles(_Unused, "postgresql")
def _next_number(_element: _Unused, _compiler: Any, **_more: Any) -> str:
    return "CAST(CAST(pg_snapshot_xmax(pg_current_snapshot()) AS TEXT) AS BIGINT)"


def _limit() -> Any:
    return bindparam("n", type_=Integer())


def _ours(table: Table) -> ColumnElement[bool]:
    return table.c.tenant == bindparam("t")


# Consumers and endpoints

_NAMED = and_(_ours(CONSUMER), CONSUMER.c.name == bindparam("c"))
CONSUMER_FOUND = Statement(select(CONSUMER).where(_NAMED))
CONSUMER_LOCKED = Statement(select(CONSUMER).where(_NAMED).with_for_update())
SEVERAL_LOCKED = Statement(
    select(CONSUMER.c.name)
    .where(_ours(CONSUMER), Listed(CONSUMER.c.name, "names"))
    .order_by(CONSUMER.c.name)
    .with_for_update()
)
"""In one order, so that no two processes wait for each other."""
NEW_CONSUMER = Bulk(CONSUMER)
NEW_ENDPOINT = Bulk(ENDPOINT)
MOVE = Statement(
    update(CONSUMER)
    .where(_NAMED)
    .values(stamp=bindparam("new_stamp"), position=bindparam("new_position"))
)
PAUSE = Statement(
    update(CONSUMER)
    .where(_NAMED)
    .values(paused_at=bindparam("at"), paused_because=bindparam("because"))
)
TAKE_TURN = Statement(
    update(CONSUMER)
    .where(_NAMED)
    .values(turn=bindparam("new_turn", type_=Integer()), leased_until=bindparam("until"))
)
END_TURN = Statement(
    update(CONSUMER).where(_NAMED, CONSUMER.c.turn == bindparam("own")).values(leased_until=null())
)
_AT_HAND = (
    select(ENDPOINT, CONSUMER.c.paused_at, CONSUMER.c.paused_because)
    .join_from(
        ENDPOINT,
        CONSUMER,
        and_(CONSUMER.c.tenant == ENDPOINT.c.tenant, CONSUMER.c.name == ENDPOINT.c.id),
    )
    .where(_ours(ENDPOINT))
    .order_by(ENDPOINT.c.id)
)
ENDPOINTS = Statement(_AT_HAND)
ENDPOINT_FOUND = Statement(_AT_HAND.where(ENDPOINT.c.id == bindparam("c")))
ROTATE = Statement(
    update(ENDPOINT)
    .where(_ours(ENDPOINT), ENDPOINT.c.id == bindparam("c"))
    .values(
        previous_secret=ENDPOINT.c.secret,
        previous_until=bindparam("until"),
        secret=bindparam("new_secret"),
    )
)
DROP_DELIVERIES = Statement(
    delete(DELIVERY).where(_ours(DELIVERY), DELIVERY.c.consumer == bindparam("c"))
)
DROP_ENDPOINT = Statement(delete(ENDPOINT).where(_ours(ENDPOINT), ENDPOINT.c.id == bindparam("c")))
DROP_CONSUMER = Statement(delete(CONSUMER).where(_NAMED))

# The journal, in the order in which facts are handed on

_ORDER = (JOURNAL.c.stamp, JOURNAL.c.position)
FOLLOWING = Statement(
    select(
        JOURNAL.c.stamp,
        *ENTRY,
        SUBJECT.c.customer,
        SUBJECT.c.partner,
        SUBJECT.c.sequence.label("latest"),
    )
    .join_from(
        JOURNAL,
        SUBJECT,
        and_(SUBJECT.c.tenant == JOURNAL.c.tenant, SUBJECT.c.id == JOURNAL.c.subject),
        isouter=True,
    )
    .where(
        _ours(JOURNAL),
        tuple_(*_ORDER)
        > tuple_(*[bindparam(f"k_{key.name}", type_=BigInteger()) for key in _ORDER]),
        JOURNAL.c.stamp < _Horizon(),
    )
    .order_by(*_ORDER)
    .limit(_limit())
)
HORIZON = Statement(select(_Horizon().label("horizon")))
NEWEST = Statement(
    select(func.coalesce(func.max(JOURNAL.c.position), 0).label("position")).where(_ours(JOURNAL))
)
AHEAD = Statement(
    select(JOURNAL.c.position)
    .where(_ours(JOURNAL), JOURNAL.c.stamp >= _Unused())
    .limit(literal_column("1", Integer()))
)
CONSUMER_AHEAD = Statement(
    select(CONSUMER.c.name)
    .where(_ours(CONSUMER), CONSUMER.c.stamp >= _Unused())
    .limit(literal_column("1", Integer()))
)
"""What carries a number that this server has not reached yet comes from another server."""
HANDED_OVER = Statement(
    select(ACTIVITY.c.subscription, ACTIVITY.c.version, JOURNAL.c.outcome)
    .join_from(
        ACTIVITY,
        JOURNAL,
        and_(JOURNAL.c.tenant == ACTIVITY.c.tenant, JOURNAL.c.event_id == ACTIVITY.c.event_id),
    )
    .where(
        _ours(ACTIVITY),
        ACTIVITY.c.fact == "transfer-completed",
        Listed(ACTIVITY.c.subscription, "ids"),
    )
    .order_by(ACTIVITY.c.subscription, ACTIVITY.c.version)
)
"""How subjects came from one partner to the next (TRM-30)."""

# Deliveries

KEY = ("subject", "sequence", "number")
_OF_CONSUMER = and_(_ours(DELIVERY), DELIVERY.c.consumer == bindparam("c"))
_THIS = and_(
    _OF_CONSUMER,
    DELIVERY.c.subject == bindparam("s"),
    DELIVERY.c.sequence == bindparam("q", type_=Integer()),
    DELIVERY.c.number == bindparam("m", type_=Integer()),
)
_LITERALLY_PENDING = literal_column("'pending'", String())
"""Not as a parameter: only so is the index over what is pending known to fit."""
_PENDING = DELIVERY.c.status == _LITERALLY_PENDING
_EARLIER = DELIVERY.alias("earlier")
_PLACE = (DELIVERY.c.sequence, DELIVERY.c.number)


def _first_open(tenant: Any, consumer: Any, subject: Any) -> Any:
    """Return the place of the first pending delivery of a subject to a consumer."""
    return (
        select(_EARLIER.c.sequence, _EARLIER.c.number)
        .where(
            _EARLIER.c.tenant == tenant,
            _EARLIER.c.consumer == consumer,
            _EARLIER.c.subject == subject,
            _EARLIER.c.status == _LITERALLY_PENDING,
        )
        .order_by(_EARLIER.c.sequence, _EARLIER.c.number)
        .limit(literal_column("1", Integer()))
        .correlate(DELIVERY)
        .scalar_subquery()
    )


_IS_FIRST = tuple_(*_PLACE) == _first_open(
    DELIVERY.c.tenant, DELIVERY.c.consumer, DELIVERY.c.subject
)
"""Asked of one row at a time, by index; as a join it would be asked of all that is pending."""
NEW_DELIVERY = Bulk(DELIVERY)
OPEN_SUBJECTS = Statement(
    select(DELIVERY.c.subject)
    .where(_OF_CONSUMER, _PENDING, Listed(DELIVERY.c.subject, "ids"))
    .distinct()
)
CLAIM = Statement(
    select(
        *_PLACE,
        DELIVERY.c.subject,
        DELIVERY.c.event_id,
        DELIVERY.c.customer,
        DELIVERY.c.partner,
        DELIVERY.c.attempts,
        DELIVERY.c.first_attempt_at,
    )
    .where(_OF_CONSUMER, _PENDING, DELIVERY.c.next_attempt_at <= bindparam("now"), _IS_FIRST)
    .order_by(DELIVERY.c.next_attempt_at)
    .limit(_limit())
    .with_for_update(skip_locked=True)
)
"""From one table and by its index alone, or each claim would sort all that is due."""
ENTRIES = Statement(select(*ENTRY).where(_ours(JOURNAL), Listed(JOURNAL.c.event_id, "ids")))
LEASE = Statement(
    update(DELIVERY)
    .where(_THIS)
    .values(
        attempts=DELIVERY.c.attempts + 1,
        next_attempt_at=bindparam("until"),
        first_attempt_at=bindparam("first"),
    )
)
MARK = Statement(
    update(DELIVERY)
    .where(_THIS, _PENDING, DELIVERY.c.attempts == bindparam("attempt", type_=Integer()))
    .values(
        status=bindparam("new_status"),
        next_attempt_at=bindparam("next"),
        ended_at=bindparam("ended"),
        status_code=bindparam("code", type_=Integer()),
        error=bindparam("why"),
    )
)
"""Only the attempt that was claimed last counts; an earlier one that comes late does not."""
NEXT_OF_SUBJECT = Statement(
    update(DELIVERY)
    .where(
        _OF_CONSUMER,
        _PENDING,
        DELIVERY.c.subject == bindparam("s"),
        DELIVERY.c.next_attempt_at.is_(None),
        tuple_(*_PLACE) == _first_open(bindparam("t"), bindparam("c"), bindparam("s")),
    )
    .values(next_attempt_at=bindparam("now"))
)
_AGAIN: dict[str, Any] = {
    "status": "pending",
    "attempts": 0,
    "first_attempt_at": null(),
    "next_attempt_at": bindparam("now"),
    "ended_at": null(),
}
RESEND = Statement(update(DELIVERY).where(_THIS, ~_PENDING).values(**_AGAIN))
RESEND_DEAD = Statement(
    update(DELIVERY).where(_OF_CONSUMER, DELIVERY.c.status == "dead").values(**_AGAIN)
)
LISTED_COLUMNS = [column for column in DELIVERY.columns if column.name != "tenant"]
OF_EVENT = Statement(
    select(*LISTED_COLUMNS)
    .join_from(
        JOURNAL,
        DELIVERY,
        and_(
            DELIVERY.c.tenant == JOURNAL.c.tenant,
            DELIVERY.c.subject == JOURNAL.c.subject,
            DELIVERY.c.sequence == JOURNAL.c.sequence,
        ),
    )
    .where(
        _ours(JOURNAL),
        JOURNAL.c.event_id == bindparam("e"),
        DELIVERY.c.consumer == bindparam("c"),
        DELIVERY.c.number == bindparam("m", type_=Integer()),
    )
)
_DELIVERY_KEY = (DELIVERY.c.consumer, DELIVERY.c.subject, *_PLACE)
_OLD = (
    select(*_DELIVERY_KEY)
    .where(
        _ours(DELIVERY),
        DELIVERY.c.status == "delivered",
        DELIVERY.c.ended_at < bindparam("before"),
    )
    .order_by(DELIVERY.c.created_at)
    .limit(_limit())
)
PRUNE = Statement(delete(DELIVERY).where(_ours(DELIVERY), tuple_(*_DELIVERY_KEY).in_(_OLD)))

# After a dump was brought to another server, whose numbers begin anew

HIGHEST = tuple(
    Statement(select(func.coalesce(func.max(table.c.stamp), 0).label("stamp")))
    for table in (JOURNAL, SUBJECT, CONSUMER)
)
_DOWN = bindparam("down", type_=BigInteger())
REBASE = (
    Statement(update(JOURNAL).values(stamp=JOURNAL.c.stamp - _DOWN)),
    Statement(update(SUBJECT).values(stamp=SUBJECT.c.stamp - _DOWN)),
    Statement(update(CONSUMER).values(stamp=CONSUMER.c.stamp - _DOWN)),
)
HOLD_ALL = "LOCK TABLE sublife_subject, sublife_journal, sublife_consumer IN EXCLUSIVE MODE"
