"""What the tests of the pure core share: the shipped policy, a driver, subjects in every state."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType
from typing import TypeAlias

import pytest

from sublife.events.packs import load_pack
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.machine import decide, next_timer, timed_event
from sublife.lifecycle.model import (
    EMPTY,
    Actor,
    ActorKind,
    Decision,
    Event,
    PartnerType,
    Payload,
    Role,
)
from sublife.lifecycle.policy import Policy
from sublife.lifecycle.subscription.model import (
    ChangeBilling,
    ChooseTermEnd,
    EnterMigration,
    Platform,
    Product,
    Purchase,
    RequestTransfer,
    Subscription,
    Suspend,
    TermEndChoice,
)

Asked: TypeAlias = tuple[Subscription, datetime]
"""A subject and an instant at which a request reaches it, nothing being due in between."""

Settle: TypeAlias = Callable[[Subscription, datetime, Policy], Subscription]
Accept: TypeAlias = Callable[[Subscription | None, Event, Policy], Subscription]

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
YEAR = 365 * DAY
BUSINESS = Product("E3", "Office for business", rank=1)
AMY = Actor(
    ActorKind.USER, "amy", Role.ADMIN_AGENT, partner="contoso", partner_type=PartnerType.DIRECT_BILL
)
TARGET_AGENT = Actor(
    ActorKind.USER,
    "bob",
    Role.ADMIN_AGENT,
    partner="fabrikam",
    partner_type=PartnerType.DIRECT_BILL,
)


def _accepted(subject: Subscription | None, event: Event, policy: Policy) -> Subscription:
    """Return the subject after an event that has to be accepted."""
    decision = decide(subject, event, policy)
    assert isinstance(decision, Decision), f"{event.name} at {event.at}: {decision}"
    assert isinstance(decision.snapshot, Subscription)
    return decision.snapshot


def _settled(subject: Subscription, until: datetime, policy: Policy) -> Subscription:
    """Return the subject after everything that is due by *until*, inclusive."""
    while (timer := next_timer(subject, "subscription")) is not None and timer.due_at <= until:
        subject = _accepted(subject, timed_event(subject, timer, "subscription"), policy)
    return subject


@dataclass(frozen=True, slots=True)
class Profile:
    """One way of buying a subscription, and when requests reach it in each state.

    Args:
        bought_at: UTC instant of the purchase.
        ask: what is bought.
        est: whether the extended service term is chosen (TRM-36).
        agreed: requests that follow a day after the purchase.
        asked_after: how long after the purchase a request reaches the active subject.
        suspended_after: how long after the purchase it is suspended.
        canceled_after: how long after the purchase it is cancelled.
    """

    bought_at: datetime
    ask: Purchase
    est: bool = False
    agreed: tuple[tuple[str, Payload, Actor], ...] = ()
    asked_after: timedelta = 30 * DAY
    suspended_after: timedelta = 20 * DAY
    canceled_after: timedelta = 2 * DAY


def _order(
    term: Term = Term.P1Y,
    *,
    custom_end_on: date | None = None,
    autorenew: bool = True,
    trial: bool = False,
    platform: Platform = Platform.NCE,
) -> Purchase:
    return Purchase(
        "tailspin",
        "contoso",
        BUSINESS,
        10,
        term,
        Billing.MONTHLY,
        custom_end_on=custom_end_on,
        autorenew=autorenew,
        trial=trial,
        platform=platform,
    )


_OCTOBER = datetime(2024, 10, 1, 2, 35, tzinfo=UTC)
_LATE = datetime(2025, 6, 1, 8, tzinfo=UTC)
_TRANSFER = ("request_transfer", RequestTransfer("fabrikam", relationship_accepted=True))

PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        # Ends 2025-09-30; a request comes when every window has closed.
        "year": Profile(_OCTOBER, _order()),
        "year, autorenew off": Profile(_OCTOBER, _order(autorenew=False)),
        # A first term of four days, so that even its renewal falls into the window (TRM-26).
        "in window": Profile(
            datetime(2024, 9, 27, 10, tzinfo=UTC),
            _order(custom_end_on=date(2024, 9, 30)),
            asked_after=2 * DAY,
            suspended_after=1 * DAY,
            canceled_after=1 * DAY,
        ),
        "three years": Profile(_OCTOBER, _order(Term.P3Y)),
        "three years, from 2025-04-01": Profile(datetime(2025, 4, 1, tzinfo=UTC), _order(Term.P3Y)),
        "trial": Profile(_OCTOBER, _order(trial=True), asked_after=3 * DAY),
        # Ends 2022-05-31, before legacy renewal closes (LEG-01, LEG-02).
        "legacy": Profile(
            datetime(2021, 6, 1, 8, tzinfo=UTC),
            _order(platform=Platform.LEGACY),
            asked_after=270 * DAY,
            suspended_after=260 * DAY,
        ),
        # Ends 2022-08-31, after it.
        "legacy, renewal closed": Profile(
            datetime(2021, 9, 1, 8, tzinfo=UTC),
            _order(platform=Platform.LEGACY),
            suspended_after=300 * DAY,
            asked_after=310 * DAY,
        ),
        "transfer pending": Profile(_OCTOBER, _order(), agreed=((*_TRANSFER, TARGET_AGENT),)),
        # A billing change that waits for 2024-11-01 (TRM-20).
        "three years, billing change set": Profile(
            _OCTOBER,
            _order(Term.P3Y),
            agreed=(("change_billing", ChangeBilling(Billing.ANNUAL), AMY),),
        ),
        # Ends 2026-05-31, where the extended service term takes the place of the grace.
        "extended service term": Profile(_LATE, _order(), est=True),
        "extended service term, autorenew off": Profile(_LATE, _order(autorenew=False), est=True),
    }
)


def _requested(
    subject: Subscription | None,
    name: str,
    at: datetime,
    policy: Policy,
    *,
    data: Payload = EMPTY,
    actor: Actor = AMY,
    cause: str | None = None,
) -> Subscription:
    event = Event(f"{name} {at}", name, "s1", at, actor, data, cause)
    return _accepted(subject, event, policy)


def _states(profile: Profile, policy: Policy) -> Iterator[tuple[str, Asked]]:
    """Yield each state the profile can be in, with the subject in it and the request's instant.

    Requests wait for the reports of a policy whose processing is reported, so that the subject
    can be found between order and provisioning, and between term end and renewal.
    """
    bought_at = profile.bought_at
    asked_at = bought_at + profile.asked_after
    ordered = _requested(None, "purchase", bought_at, policy, data=profile.ask)
    yield "pending", (ordered, bought_at + HOUR)
    active = _requested(ordered, "provision", bought_at, policy)
    for name, data, actor in profile.agreed:
        active = _requested(active, name, bought_at + DAY, policy, data=data, actor=actor)
    yield "active", (active, asked_at)
    yield from _renewing(active, policy)
    yield from _lapsed(active, policy, est=profile.est)
    if profile.ask.trial:
        return
    canceled_at = bought_at + profile.canceled_after
    yield "canceled", (_requested(active, "cancel", canceled_at, policy), canceled_at + DAY)
    suspended_at = bought_at + profile.suspended_after
    suspended = _requested(active, "suspend", suspended_at, policy, data=Suspend())
    yield "suspended", (suspended, asked_at)
    yield from _barred(suspended, policy)
    if profile.ask.platform is Platform.LEGACY:
        enter = EnterMigration("m1")
        migrating = _requested(active, "enter_migration", asked_at, policy, data=enter, cause="r1")
        yield "migrating", (migrating, asked_at)


def _renewing(active: Subscription, policy: Policy) -> Iterator[tuple[str, Asked]]:
    ended = _settled(active, _term_end(active), policy)
    if ended.renewal is not None:
        yield "renewing", (ended, _term_end(active) + HOUR)


def _lapsed(active: Subscription, policy: Policy, *, est: bool) -> Iterator[tuple[str, Asked]]:
    te = _term_end(active)
    ending = _requested(active, "turn_autorenew_off", te - HOUR, policy)
    if est:
        choice = ChooseTermEnd(TermEndChoice.CANCEL)
        ending = _requested(ending, "choose_term_end", te - HOUR, policy, data=choice)
    timer = next_timer(ending, "subscription")
    assert timer is not None
    expired = _accepted(ending, timed_event(ending, timer, "subscription"), policy)
    yield "expired", (expired, te)
    for state, at in (("grace", te + 2 * DAY), ("disabled", te + 40 * DAY), ("deleted", te + YEAR)):
        lapsed = _settled(expired, at, policy)
        if lapsed.state == state:
            yield state, (lapsed, at)


def _barred(suspended: Subscription, policy: Policy) -> Iterator[tuple[str, Asked]]:
    """Yield both phases after a term end that found the subject suspended (SUB-10)."""
    te = _term_end(suspended)
    for name, at in (("first phase", te + 10 * DAY), ("second phase", te + 40 * DAY)):
        lapsed = _settled(suspended, at, policy)
        if lapsed.state == "disabled":
            yield f"disabled, {name}", (lapsed, at)


def _term_end(subject: Subscription) -> datetime:
    """Return 00:00:00Z of the day after the inclusive end date (GEN-02), worked out here."""
    return datetime.combine(subject.ends_on + DAY, datetime.min.time(), UTC)


@pytest.fixture(scope="session")
def policy() -> Policy:
    """The shipped policy as it comes."""
    return load_pack()


@pytest.fixture(scope="session")
def reported(policy: Policy) -> Policy:
    """The shipped policy, processing reported, so that processing takes time (GEN-07)."""
    return policy.choosing({"processing": "reported"})


@pytest.fixture(scope="session")
def policies(reported: Policy) -> Mapping[str, Policy]:
    """The policy each profile lives under."""
    est = reported.choosing({"end_of_term": "est"})
    return {name: est if profile.est else reported for name, profile in PROFILES.items()}


@pytest.fixture(scope="session")
def subjects(policies: Mapping[str, Policy]) -> Mapping[tuple[str, str], Asked]:
    """A subject in each state of each profile, and when a request reaches it there."""
    return {
        (name, state): asked
        for name, profile in PROFILES.items()
        for state, asked in _states(profile, policies[name])
    }


@pytest.fixture(scope="session")
def settle() -> Settle:
    """Apply every timer that is due by an instant, inclusive."""
    return _settled


@pytest.fixture(scope="session")
def accept() -> Accept:
    """Decide an event that has to be accepted."""
    return _accepted
