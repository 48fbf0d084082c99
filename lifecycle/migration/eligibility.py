"""Whether a subscription can be migrated, and by which number it cannot (LEG-18, 19, 26)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sublife.lifecycle.dates import add_months
from sublife.lifecycle.migration.model import Migration, Part, State
from sublife.lifecycle.migration.plan import (
    asked_end,
    plan_of,
    product_of,
    seats_of,
    starts_anew,
)
from sublife.lifecycle.model import Refusal, Segment, Snapshot
from sublife.lifecycle.partner.standing import por_objection
from sublife.lifecycle.policy import Policy
from sublife.lifecycle.programme import Programme, checklist_objection, programme_id
from sublife.lifecycle.refusal import ineligible, refuse
from sublife.lifecycle.subscription.model import (
    Mover,
    Platform,
    ProductKind,
    Subscription,
)
from sublife.lifecycle.subscription.state import State as Status
from sublife.lifecycle.subscription.term import (
    plan_refusal,
    renewal_closed,
    term_ended_at,
)

_HELD = frozenset({Status.PENDING, Status.ACTIVE, Status.SUSPENDED})


@dataclass(frozen=True, slots=True)
class Question:
    """One migration as it would begin.

    Args:
        migration: what is asked, or has been scheduled.
        at: UTC instant it begins.
        policy: in force.
        seen: every subject of the customer, and whoever else is named.
    """

    migration: Migration
    at: datetime
    policy: Policy
    seen: Mapping[str, Snapshot]

    def legacy(self, part: Part) -> Subscription | None:
        """Return the subscription that a part is about, if the customer has it."""
        found = self.seen.get(part.subscription)
        if isinstance(found, Subscription) and found.customer == self.migration.customer:
            return found
        return None

    def is_alone(self, part: Part) -> bool:
        """Whether the part was asked for itself, not taken along as an add-on (LEG-19)."""
        return part is self.migration.base


def objection(question: Question) -> Refusal | None:
    """Return what stands against beginning, or `None`; one part that cannot move holds all back.

    Everything is asked anew when a schedule's time has come (LEG-19, LEG-21).
    """
    return next(objections(question), None)


def objections(question: Question) -> Iterator[Refusal]:
    """Yield everything that stands against beginning, as Partner Center's validation would."""
    migration = question.migration
    for part in migration.parts:
        legacy = question.legacy(part)
        if legacy is None:
            yield not_found(part)
            continue
        yield from _standing(question, part, legacy)
        yield from _offer(question, part, legacy)
        yield from _history(question, part, legacy)
        yield from _time(question, part, legacy)
    yield from _bundle(question)
    yield from _people(question)
    yield from _seats(question)
    yield from _taken(question)


def lasting_objection(question: Question) -> Refusal | None:
    """Return what stands against a schedule already, since no time will fix it (LEG-21)."""
    for part in question.migration.parts:
        legacy = question.legacy(part)
        if legacy is None:
            return not_found(part)
        found = (*_standing(question, part, legacy), *_offer(question, part, legacy))
        if found:
            return found[0]
    return next(_taken(question), None)


def not_found(part: Part) -> Refusal:
    """Return that the customer has no such subscription."""
    reason = f"the customer has no subscription {part.subscription}"
    return _unfit(part, reason, api_error=900224)


def _unfit(part: Part, reason: str, *, api_error: int | None = None) -> Refusal:
    """Return a refusal that Partner Center has no eligibility number for."""
    return refuse(
        "MIGRATION_INELIGIBLE", api_error=api_error, reason=reason, subscription=part.subscription
    )


def _no(part: Part, code: int, reason: str, *, rule: str = "LEG-18") -> Refusal:
    return ineligible(code, reason, rule=rule, subscription=part.subscription)


def _standing(question: Question, part: Part, legacy: Subscription) -> Iterator[Refusal]:
    """What the subscription is: on legacy, active, in nobody else's hands (codes 0 and 1)."""
    move = legacy.move
    if move is not None and move.started_at is not None:
        yield _no(part, 1, f"it is being processed by migration {move.migration}")
    elif legacy.state != Status.ACTIVE:
        yield _no(part, 0, f"it is {legacy.state}, not active")
    elif legacy.platform is not Platform.LEGACY:
        yield _unfit(part, "it is on new commerce already")
    elif legacy.renewal is not None:
        yield _no(part, 1, "its renewal is being processed")
    elif move is not None and move.migration != question.migration.id:
        yield refuse("MIGRATION_PENDING", migration=move.migration, subscription=legacy.id)


def _offer(question: Question, part: Part, legacy: Subscription) -> Iterator[Refusal]:
    """What is asked for: sold on new commerce, to this segment, in this plan (codes 5, 6)."""
    product = product_of(legacy, part)
    if legacy.trial:
        yield _unfit(part, "a trial does not migrate")
    at, policy = question.at, question.policy
    if legacy.segment is not Segment.COMMERCIAL and not policy.allows(
        "public_sector_new_commerce", at
    ):
        yield _unfit(part, f"new commerce is not open to {legacy.segment} yet")
    if not product.on_new_commerce or product.kind is not ProductKind.ONLINE_SERVICE:
        yield _no(part, 5, f"new commerce has no product for {product.sku}")
    term, billing = plan_of(legacy, part)
    if refusal := plan_refusal(product, term, billing):
        yield _no(part, 6, refusal.sentence)
    end = asked_end(legacy, part, on=at.date(), seen=question.seen, policy=policy, at=question.at)
    if isinstance(end, Refusal):
        code = 11 if end.code == "COTERM_OUT_OF_TERM" else 12
        yield _no(part, code, end.sentence)


def _history(question: Question, part: Part, legacy: Subscription) -> Iterator[Refusal]:
    """How it was bought: long enough ago and at no promotional price (codes 7 and 3)."""
    at, policy, bought_at = question.at, question.policy, legacy.created_at
    if question.is_alone(part):
        months = policy.count("migration_minimum_age", at)
        until = datetime.combine(add_months(bought_at.date(), months), bought_at.timetz())
        if at <= until:
            yield _no(part, 7, f"it has not been active for longer than {months} month")
    elif at < bought_at + policy.length("add_on_block", at):
        days = policy.length("add_on_block", at).days
        reason = f"an add-on holds its bundle back for the first {days} days"
        yield _no(part, 7, reason, rule="LEG-19")
    price = legacy.price
    days_of_price = (at.date(), bought_at.date(), legacy.starts_on)
    promoted = price is not None and any(map(price.promotion_on, days_of_price))
    if promoted or legacy.promotion_id:
        yield _no(part, 3, "it is, or was bought, at a promotional price")


def _time(question: Question, part: Part, legacy: Subscription) -> Iterator[Refusal]:
    """How close the term end is: on the last day only a full new term is possible (2 and 10).

    Exactly 24 hours before the term end are still enough.
    """
    rest = question.policy.length("migration_term_end", question.at)
    if starts_anew(legacy, part) or term_ended_at(legacy) - question.at >= rest:
        return
    hours = int(rest.total_seconds()) // 3600
    shorter = plan_of(legacy, part)[0].months < legacy.term.months
    if part.is_custom or shorter:
        reason = f"in the last {hours} hours of the term only a full new term can be bought"
        yield _no(part, 10, reason)
    else:
        reason = f"less than {hours} hours of the term are left; buy a full new term"
        yield _no(part, 2, reason)


def add_ons_of(base: str, seen: Mapping[str, Snapshot]) -> tuple[Subscription, ...]:
    """Return the active legacy add-ons of a subscription, by id (LEG-19)."""
    return tuple(
        other
        for _, other in sorted(seen.items())
        if isinstance(other, Subscription)
        and other.parent == base
        and other.platform is Platform.LEGACY
        and other.state == Status.ACTIVE
    )


def _bundle(question: Question) -> Iterator[Refusal]:
    """A base takes all its active add-ons with it, and nothing else (code 4)."""
    base, *others = question.migration.parts
    add_ons = add_ons_of(base.subscription, question.seen)
    active = {each.id for each in add_ons if not _is_ending(each, question)}
    named = {each.subscription for each in others}
    if left := ", ".join(sorted(active - named)):
        yield _no(base, 4, f"its active add-ons {left} are outside the bundle", rule="LEG-19")
    for part in others:
        found = question.legacy(part)
        if found is not None and found.parent != base.subscription:
            reason = f"{part.subscription} is no add-on of {base.subscription}"
            yield _no(part, 4, reason, rule="LEG-19")
    offered = question.policy.allows("bundle_migration", question.at)
    if not offered and (active or others):
        reason = "a subscription and its add-ons do not migrate together yet"
        yield _no(base, 4, reason, rule="LEG-19")


def _is_ending(add_on: Subscription, question: Question) -> bool:
    """Whether the add-on lapses at this very instant, if it has not yet (GEN-03)."""
    is_over = term_ended_at(add_on) <= question.at
    return is_over and not (add_on.autorenew and not renewal_closed(add_on, question.policy))


def _people(question: Question) -> Iterator[Refusal]:
    """Who is concerned: customer, partner of record, distributor (codes 8 and 9, LEG-14)."""
    migration, base = question.migration, question.migration.base
    if migration.trade_blocked:
        yield _no(base, 8, "the customer's trade status does not allow it")
    legacy = question.legacy(base)
    if legacy is None:
        return
    named = migration.por or (legacy.por if legacy.por == migration.por_before else "")
    if refusal := por_objection(question.seen.get(named), question.at, question.policy):
        yield _no(base, 9, refusal.sentence)
    programme = question.seen.get(programme_id(legacy.partner, legacy.customer))
    by_microsoft = migration.mover is Mover.MICROSOFT
    if (
        isinstance(programme, Programme)
        and programme.enrolled_at <= question.at
        and not by_microsoft
    ):
        customer = question.seen.get(legacy.customer)
        if refusal := checklist_objection(programme, customer, question.at):
            yield refusal


def _seats(question: Question) -> Iterator[Refusal]:
    """The seats a customer may hold of a small-business product on new commerce (LEG-26).

    What others of its migrations are about to bring counts as well, so the second one over the
    limit is the one that fails.
    """
    migration, at = question.migration, question.at
    asked = dict(_by_sku(question, migration))
    limit = question.policy.count("smb_seat_limit", at)
    for part in migration.parts:
        legacy = question.legacy(part)
        product = product_of(legacy, part) if legacy else part.product
        if product is None or not product.smb or product.sku not in asked:
            continue
        total = asked.pop(product.sku) + _held(question, product.sku)
        if total > limit:
            yield refuse(
                "SEAT_LIMIT",
                rule="LEG-26",
                quantity=total,
                limit=limit,
                sku=product.sku,
                subscription=part.subscription,
            )


def _by_sku(question: Question, migration: Migration) -> Mapping[str, int]:
    seats: dict[str, int] = {}
    for part in migration.parts:
        if legacy := question.legacy(part):
            sku = product_of(legacy, part).sku
            seats[sku] = seats.get(sku, 0) + seats_of(legacy, part)
    return seats


def _held(question: Question, sku: str) -> int:
    """Return the seats on new commerce, and those on their way there."""
    held = 0
    for other in question.seen.values():
        match other:
            case Subscription(platform=Platform.NCE) if other.state in _HELD:
                held += other.quantity if other.product.sku == sku else 0
            case Migration() if other.id != question.migration.id and _runs(other):
                held += _by_sku(question, other).get(sku, 0)
            case _:
                pass
    return held


def _runs(migration: Migration) -> bool:
    return migration.is_live and migration.state != State.SCHEDULED


def _taken(question: Question) -> Iterator[Refusal]:
    """The new subscriptions need ids of their own."""
    named: set[str] = set()
    for part in question.migration.parts:
        if part.into in question.seen or part.into in named:
            yield _unfit(part, f"there is a subscription {part.into} already")
        named.add(part.into)
