"""The SQL by which subjects and their history are read and written."""

from sqlalchemy import (
    JSON,
    Integer,
    Text,
    and_,
    bindparam,
    cast,
    delete,
    exists,
    func,
    literal_column,
    select,
)

from sublife.events.layout import (
    ACTIVITY,
    JOURNAL,
    ORDER,
    SUBJECT,
    UtcDateTime,
)
from sublife.events.layout import (
    CLAIM as CLAIM_TABLE,
)
from sublife.events.store.bulk import Bulk, BulkUpdate
from sublife.events.store.statement import Listed, Sieved, Statement, TransactionId

_OURS = SUBJECT.c.tenant == bindparam("t")
HELD = (
    SUBJECT.c.id,
    SUBJECT.c.lifecycle,
    SUBJECT.c.sequence,
    SUBJECT.c.stamp,
    SUBJECT.c.head,
    SUBJECT.c.due_at,
    SUBJECT.c.due,
    SUBJECT.c.snapshot,
)
_NUMBER = TransactionId().label("number")
_KNOWN = (
    select(JOURNAL.c.position)
    .where(JOURNAL.c.tenant == bindparam("t"), JOURNAL.c.event_id == bindparam("e"))
    .scalar_subquery()
    .label("known")
)

FIND = select(*HELD).where(_OURS, SUBJECT.c.id == bindparam("i"))
BY_ID = Statement(FIND)
LOCKED = Statement(FIND.with_for_update())
LOOK = Statement(select(*HELD, _KNOWN).where(_OURS, SUBJECT.c.id == bindparam("i")))
"""For SQLite, where nobody else writes meanwhile."""
KNOWN = Statement(select(_KNOWN, _NUMBER))
_FIRST_DUE = SUBJECT.alias("sublife_subject_first")
_BEHIND = (
    select(func.min(_FIRST_DUE.c.due_at))
    .where(_FIRST_DUE.c.tenant == bindparam("t"), _FIRST_DUE.c.due_at <= bindparam("until"))
    .scalar_subquery()
    .label("behind")
)
"""The earliest: any other would do, but a planner could look for that in a wrong place."""
BEHIND = Statement(select(_BEHIND))
"""Whether anything of the tenant is due; a look at the first entry of an index."""
LOOK_FIRST = Statement(select(*HELD, _KNOWN, _BEHIND).where(_OURS, SUBJECT.c.id == bindparam("i")))
KNOWN_FIRST = Statement(select(_KNOWN, _NUMBER, _BEHIND))
AHEAD = Statement(FIND.add_columns(_BEHIND))
DUE_OF_CUSTOMER = Statement(
    select(SUBJECT.c.id).where(
        _OURS,
        SUBJECT.c.customer == bindparam("c"),
        Sieved(SUBJECT.c.due_at) <= bindparam("until", type_=UtcDateTime()),
    )
)
NUMBER = Statement(select(_NUMBER))
LATEST = Statement(
    select(JOURNAL.c.sequence, JOURNAL.c.hash, JOURNAL.c.stamp)
    .where(JOURNAL.c.tenant == bindparam("t"), JOURNAL.c.subject == bindparam("i"))
    .order_by(JOURNAL.c.sequence.desc())
    .limit(literal_column("1", Integer()))
)
"""Of a subject that has no row: refused events are its only history."""
_OF_CUSTOMER = (
    select(*HELD).where(_OURS, SUBJECT.c.customer == bindparam("c")).order_by(Sieved(SUBJECT.c.id))
)
OF_CUSTOMER = Statement(_OF_CUSTOMER.with_for_update())
_SEVERAL = select(*HELD).where(_OURS, Listed(SUBJECT.c.id, "ids")).order_by(SUBJECT.c.id)
SEVERAL = Statement(_SEVERAL.with_for_update(of=SUBJECT))
_DUE = (
    select(*HELD, _NUMBER)
    .where(_OURS, SUBJECT.c.due_at <= bindparam("until"))
    .order_by(SUBJECT.c.due_at, SUBJECT.c.id)
    .limit(bindparam("n", type_=Integer()))
)
CLAIM = Statement(_DUE.with_for_update(skip_locked=True))
CLAIM_BESIDE = Statement(
    _DUE.add_columns(_BEHIND).with_for_update(skip_locked=True, of=SUBJECT),
)
"""For PostgreSQL, where others claim too: tells besides when the first one of all is due."""
CLAIM_WAITING = Statement(_DUE.with_for_update())
_OTHER = SUBJECT.alias("other")
_UNPAUSED = (
    ~Listed(SUBJECT.c.lifecycle, "paused"),
    ~exists().where(
        _OTHER.c.tenant == SUBJECT.c.tenant,
        _OTHER.c.customer == SUBJECT.c.customer,
        _OTHER.c.customer != literal_column("''", Text()),
        _OTHER.c.due_at <= SUBJECT.c.due_at,
        Listed(_OTHER.c.lifecycle, "paused"),
    ),
)
CLAIM_UNPAUSED = Statement(
    _DUE.where(*_UNPAUSED).with_for_update(skip_locked=True, of=SUBJECT),
)
"""Where lifecycles are paused: what is due to them holds up the rest of their customer."""
_EARLIER = (
    select(SUBJECT.c.customer, SUBJECT.c.due_at)
    .where(
        _OURS,
        SUBJECT.c.due_at < bindparam("until"),
        SUBJECT.c.id.not_in(
            select(func.json_array_elements_text(cast(bindparam("mine", type_=Text()), JSON())))
        ),
    )
    .order_by(SUBJECT.c.due_at, SUBJECT.c.id)
    .limit(bindparam("n", type_=Integer()))
)
EARLIER = Statement(_EARLIER)
"""For PostgreSQL: what is due earlier and was not claimed, in order, so that a limit can hold."""
EARLIER_UNPAUSED = Statement(_EARLIER.where(*_UNPAUSED))
DUE_HELD = Statement(
    select(*HELD)
    .where(_OURS, SUBJECT.c.due_at <= bindparam("until"))
    .order_by(SUBJECT.c.due_at, SUBJECT.c.id)
    .limit(bindparam("n", type_=Integer()))
)
UNLOCKED = {
    LOCKED: BY_ID,
    OF_CUSTOMER: Statement(_OF_CUSTOMER),
    SEVERAL: Statement(_SEVERAL),
    CLAIM: DUE_HELD,
    CLAIM_WAITING: DUE_HELD,
}
"""The same questions for who only looks: they lock nothing, and need no transaction that writes."""
ENTRY = (
    JOURNAL.c.position,
    JOURNAL.c.sequence,
    JOURNAL.c.event_id,
    JOURNAL.c.lifecycle,
    JOURNAL.c.subject,
    JOURNAL.c.version,
    JOURNAL.c.name,
    JOURNAL.c.effective_at,
    JOURNAL.c.recorded_at,
    JOURNAL.c.actor,
    JOURNAL.c.cause,
    JOURNAL.c.state_before,
    JOURNAL.c.state,
    JOURNAL.c.rules,
    JOURNAL.c.policy,
    JOURNAL.c.code,
    JOURNAL.c.data,
    JOURNAL.c.outcome,
)
_FIRST = JOURNAL.alias("first")
SINCE = Statement(
    select(*ENTRY)
    .join_from(
        JOURNAL,
        _FIRST,
        and_(_FIRST.c.tenant == JOURNAL.c.tenant, _FIRST.c.subject == JOURNAL.c.subject),
    )
    .where(
        _FIRST.c.tenant == bindparam("t"),
        _FIRST.c.position == bindparam("known"),
        JOURNAL.c.sequence >= _FIRST.c.sequence,
    )
    .order_by(JOURNAL.c.sequence)
    .limit(literal_column("16", Integer()))
)
"""An entry and the next ones of its subject; more than a few never share an instant."""
CHANGING = (
    "state",
    "version",
    "sequence",
    "changed_at",
    "due_at",
    "due",
    "stamp",
    "head",
    "snapshot",
)
UPDATE = BulkUpdate(SUBJECT, CHANGING)
UPDATE_WHOSE = BulkUpdate(SUBJECT, ("customer", "partner", *CHANGING))
"""For the few that change hands: an index on what is not set is not touched."""
NEW_SUBJECT = Bulk(SUBJECT, ("tenant", "id", "lifecycle", "customer", "partner", *CHANGING))
NEW_ENTRY = Bulk(JOURNAL, [name for name in JOURNAL.columns.keys() if name != "position"])  # noqa: SIM118 – no mapping
NEW_ACTIVITY = Bulk(ACTIVITY)
NEW_ORDER = Bulk(ORDER)
NEW_CLAIM = Bulk(CLAIM_TABLE)
DROP_CLAIM = Statement(
    delete(CLAIM_TABLE).where(
        CLAIM_TABLE.c.tenant == bindparam("t"),
        CLAIM_TABLE.c.name == bindparam("n"),
        CLAIM_TABLE.c.subject == bindparam("s"),
    )
)
ALL_SUBJECTS = Statement(select(*HELD).where(_OURS).order_by(SUBJECT.c.id))
NEXT_DUE = Statement(
    select(func.min(SUBJECT.c.due_at).label("due_at")).where(_OURS, SUBJECT.c.due_at.is_not(None))
)
ANY_ENTRY = Statement(
    select(JOURNAL.c.position)
    .where(JOURNAL.c.tenant == bindparam("t"))
    .limit(literal_column("1", Integer()))
)
_CHRONICLE = (
    select(*ENTRY)
    .where(JOURNAL.c.tenant == bindparam("t"))
    .order_by(JOURNAL.c.subject, JOURNAL.c.sequence)
)
CHRONICLE = Statement(_CHRONICLE)
CHRONICLE_OF_ONE = Statement(_CHRONICLE.where(JOURNAL.c.subject == bindparam("i")))
DIGESTED = Statement(
    select(
        JOURNAL.c.effective_at,
        JOURNAL.c.event_id,
        JOURNAL.c.lifecycle,
        JOURNAL.c.subject,
        JOURNAL.c.version,
        JOURNAL.c.name,
        JOURNAL.c.actor,
        JOURNAL.c.cause,
        JOURNAL.c.state_before,
        JOURNAL.c.state,
        JOURNAL.c.rules,
        JOURNAL.c.policy,
        JOURNAL.c.code,
        JOURNAL.c.data,
        JOURNAL.c.outcome,
    )
    .where(JOURNAL.c.tenant == bindparam("t"))
    .order_by(JOURNAL.c.subject, JOURNAL.c.sequence)
)
ADVISORY = (
    "SELECT pg_advisory_xact_lock(hashtextextended(%(key)s, 0)), "
    "current_setting('transaction_isolation')"
)
"""PostgreSQL: holds a customer, so that none of its subscriptions appears meanwhile.

A transaction that goes on seeing what was there when it began learns nothing by waiting; so its
isolation comes with the lock.
"""
