"""examine(): looks a database over, and says of all that is wrong what to do about it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice

from sublife.events.store import Store
from sublife.events.store.error import UnreadableError
from sublife.lifecycle.model import iso
from sublife.lifecycle.policy import Policy

LOOKED_AT = 1000
"""Subjects and deliveries of a tenant that are looked at, the earliest due first."""
MOST = 10
"""Findings of one check that are told one by one."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong.

    Args:
        check: in which respect, in a word.
        says: what was found.
        remedy: what to do about it.
    """

    check: str
    says: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Health:
    """What a look at a database came to.

    Args:
        checks: that were made.
        findings: what is wrong.
        notes: what is worth knowing, and nothing wrong.
    """

    checks: tuple[str, ...]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Limits:
    """From when on something counts as wrong.

    Args:
        lag: how long a timer or a delivery may be due.
        silence: how long a daemon may go without a beat.
        skew: how far clocks may differ.
        simulation: how long a simulated tenant may be there.
        horizon: how far ahead the policy is looked at.
    """

    lag: timedelta = timedelta(minutes=5)
    silence: timedelta = timedelta(minutes=1)
    skew: timedelta = timedelta(seconds=5)
    simulation: timedelta = timedelta(days=30)
    horizon: timedelta = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class _Look:
    """What every check gets: the store, the instant, the limits; and where notes go."""

    store: Store
    now: datetime
    limits: Limits
    policies: tuple[Policy, ...]
    notes: list[str] = field(default_factory=list[str])

    def is_alive(self, beat_at: datetime) -> bool:
        """Return whether a daemon that last beat then still counts as running."""
        return self.now - beat_at <= self.limits.silence


def examine(
    store: Store,
    now: datetime,
    *,
    limits: Limits | None = None,
    policies: Iterable[Policy] = (),
) -> Health:
    """Look a whole database over; nothing is changed.

    Args:
        store: on the database; of any tenant.
        now: UTC instant, by the system's clock.
        limits: from when on something counts as wrong.
        policies: packs in use, to be looked at for what changes ahead; the store's own if none.

    Raises:
        StoreError: the database cannot answer.
    """
    look = _Look(store, now, limits or Limits(), tuple(policies) or (store.policy,))
    findings = [each for name, check in CHECKS for each in _found(name, check(look))]
    return Health(tuple(name for name, _ in CHECKS), tuple(findings), tuple(look.notes))


def _found(name: str, found: "Found") -> Iterator[Finding]:
    """Yield the first findings of a check, and how many more there are."""
    try:
        for says, remedy in islice(found, MOST):
            yield Finding(name, says, remedy)
        if more := sum(1 for _ in found):
            again = "see to the first ones, then look again"
            yield Finding(name, f"and {more} more like these", again)
    except UnreadableError as error:
        # A row that this check needs: the other checks are made all the same.
        yield Finding(name, str(error).removesuffix(f"; {error.remedy}"), error.remedy)


Found = Iterator[tuple[str, str]]


def _clock(look: _Look) -> Found:
    """The system's clock against the database's, and against what has been written."""
    database, latest = look.store.tenants.clock(), look.store.tenants.latest_at()
    remedy = "set this machine's clock by a time server; instants already written stay as they are"
    if database is not None and abs(database - look.now) > look.limits.skew:
        ahead = "ahead of" if look.now > database else "behind"
        apart = _length(abs(database - look.now))
        yield f"this machine's clock is {apart} {ahead} the database's", remedy
    if latest is not None and latest - look.now > look.limits.skew:
        shows = f"this machine's clock shows only {iso(look.now)}"
        yield f"something was written at {iso(latest)}, and {shows}", remedy


def _lag(look: _Look) -> Found:
    """The oldest timer that is due and has not been settled."""
    for waiting in look.store.tenants.outlook(look.now).waiting:
        store = look.store.of(waiting.tenant)
        due_at = store.next_due()
        if due_at is None or look.now - due_at <= look.limits.lag:
            continue
        late = _length(look.now - due_at)
        says = f"tenant {waiting.tenant} has had something due for {late}, since {iso(due_at)}"
        found = store.due(due_at, limit=1)
        names = "".join(f": {each.timer} of {each.subject}" for each in found)
        running = any(
            each.stopped_at is None and look.is_alive(each.beat_at)
            for each in look.store.daemons.all(left_out=_passed)
        )
        remedy = "start one: sublife daemon; what is due happens with its true instants"
        if running:
            remedy = "a daemon runs: it is behind, or its log says why the subject is stuck"
        if look.store.pauses.of(waiting.tenant):
            remedy = "what is paused holds it up; sublife resume ends that"
        yield f"{says}{names}", remedy


def _unreadable(look: _Look) -> Found:
    """Rows that cannot be read; a subject that is due is stuck by that, each by itself."""
    found = {(tenant, error.subject): error for tenant, error in _subjects(look.store)}
    for (tenant, _), error in found.items():
        says = f"tenant {tenant}: {error.row} in {error.table} cannot be read: {error.problem}"
        whose = f" --tenant {tenant}"
        repair = f"sublife repair {error.subject}{whose}"
        more = f"sublife verify{whose} tells whether its journal is sound"
        if error.column == "due":
            more = f"{more}; {repair} --release lets the calendar try it as it is"
        yield says, f"{repair}; {more}"
    for error in _unreadable_rows(look.store):
        yield str(error).removesuffix(f"; {error.remedy}"), error.remedy


def _subjects(store: Store) -> Iterator[tuple[str, UnreadableError]]:
    """Yield the subjects that cannot be read, each with its tenant.

    Of each live tenant `LOOKED_AT` subjects with a timer are looked at, the earliest due first.
    """
    for tenant in store.tenants.live():
        yield from ((tenant, error) for error in store.health.unreadable(tenant, limit=LOOKED_AT))
        of_tenant = store.of(tenant)
        for subject in store.health.set_aside(tenant):
            try:
                of_tenant.get(subject)
            except UnreadableError as error:
                yield tenant, error
    yield from store.health.never_due()


def _unreadable_rows(store: Store) -> list[UnreadableError]:
    """Return what cannot be read of the smaller tables, and of the oldest deliveries."""
    found: list[UnreadableError] = []
    for ask in (store.tokens.all, store.pauses.all, store.daemons.all, store.simulations.all):
        ask(left_out=found.append)
    for tenant in store.tenants.posted_to():
        of_tenant = store.of(tenant)
        of_tenant.endpoints.all(left_out=found.append)
        of_tenant.deliveries.list(limit=LOOKED_AT, left_out=found.append)
    return found


def _passed(_error: UnreadableError) -> None:
    """Leave a row out: the check `unreadable` names it."""


def _paused(look: _Look) -> Found:
    """What has been paused on purpose, and perhaps forgotten."""
    for each in look.store.pauses.all(left_out=_passed):
        yield str(each), f"when it has served its purpose: {each.remedy}"


_GONE = (
    "see whether its machine and process are there, and start it again; nothing is lost by it and "
    "nothing done twice"
)


def _daemons(look: _Look) -> Found:
    """The daemons, and when they last beat."""
    for each in look.store.daemons.all(left_out=_passed):
        if each.stopped_at is not None:
            continue
        who = f"daemon {each.id} on {each.host} (pid {each.pid}, sublife {each.release})"
        if look.is_alive(each.beat_at):
            look.notes.append(f"{who} last beat {iso(each.beat_at)}")
        else:
            silent = _length(look.now - each.beat_at)
            yield f"{who} has not beaten for {silent}, since {iso(each.beat_at)}", _GONE


def _deliveries(look: _Look) -> Found:
    """Facts that nobody posts any more, or that were given up."""
    health = look.store.health
    for each in health.overdue(look.now - look.limits.lag):
        whose = f"{each.number} deliveries of tenant {each.tenant} to {each.consumer}"
        remedy = f"start a daemon, or run: sublife deliveries send --tenant {each.tenant}"
        yield f"{whose} have been due since {_at(each.since)}, and nobody attempts them", remedy
    for each in health.dead():
        whose = f"{each.number} deliveries of tenant {each.tenant} to {each.consumer}"
        again = f"sublife deliveries resend {each.consumer} --dead --tenant {each.tenant}"
        remedy = f"fix the receiver, then: {again}"
        yield f"{whose} were given up, the first at {_at(each.since)}", remedy


def _consumers(look: _Look) -> Found:
    """Handlers and endpoints that get nothing."""
    for each in look.store.health.paused():
        because = f" ({each.because})" if each.because else ""
        since = f"has been paused since {_at(each.paused_at)}{because}"
        remedy = f"sublife endpoints resume {each.name} --tenant {each.tenant}"
        yield f"{each.name} of tenant {each.tenant} {since}; its facts wait", remedy


def _policy(look: _Look) -> Found:
    """Figures and switches that end ahead with nothing after them, or change."""
    until = look.now + look.limits.horizon
    for policy in look.policies:
        for figure in policy.figures.values():
            for option, spans in figure.spans.items():
                named = f"{figure.name}{f' as {option}' if option else ''} ({figure.rule})"
                last = spans[-1].end
                if last is not None and last <= until:
                    yield (
                        f"in the pack {policy.id} {named} ends at {iso(last)} with nothing after",
                        "add a span from then on, or remove its `to`",
                    )
                look.notes.extend(
                    f"{policy.id}: {named} becomes {span.value} {figure.unit} at {iso(span.start)}"
                    for span in spans
                    if span.start is not None and look.now < span.start <= until
                )
        for switch in policy.switches.values():
            start = switch.since[switch.chosen]
            if start is not None and look.now < start <= until:
                look.notes.append(
                    f"{policy.id}: {switch.name} ({switch.rule}) becomes {switch.chosen} at "
                    f"{iso(start)}"
                )


def _simulations(look: _Look) -> Found:
    """Simulated tenants that were left behind."""
    for each in look.store.simulations.all(left_out=_passed):
        age = look.now - each.created_at
        says = f"simulated tenant {each.tenant} with {each.subjects} subjects"
        if age <= look.limits.simulation:
            look.notes.append(f"{says}, made {iso(each.created_at)}")
            continue
        yield (
            f"{says} has been there for {_length(age)}, since {iso(each.created_at)}",
            f"if nobody needs it any more: sublife clock remove {each.tenant}",
        )


def _partitions(look: _Look) -> Found:
    """Partitions by month: those to come, and rows that found none."""
    months = look.store.health.months(look.now.date())
    if months is None:
        return
    remedy = "make them: sublife migrate --months-ahead 6, every week from cron"
    if months.missing:
        yield f"the partitions {', '.join(months.missing)} are not there", remedy
    for table in months.stray:
        yield f"rows of {table} lie in {table}_default, as their month has no partition", remedy


CHECKS: tuple[tuple[str, Callable[[_Look], Found]], ...] = (
    ("clock", _clock),
    ("lag", _lag),
    ("unreadable", _unreadable),
    ("paused", _paused),
    ("daemons", _daemons),
    ("deliveries", _deliveries),
    ("consumers", _consumers),
    ("policy", _policy),
    ("simulations", _simulations),
    ("partitions", _partitions),
)
"""In the order in which an operator would look."""


def _at(at: datetime | None) -> str:
    return "an instant that cannot be read" if at is None else iso(at)


def _length(length: timedelta) -> str:
    """Return a length of time as people say it."""
    minutes, seconds = divmod(int(length.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = ((days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s"))
    said = [f"{count} {unit}" for count, unit in parts if count]
    return " ".join(said[:2]) or "0 s"
