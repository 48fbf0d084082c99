"""Enterprise Agreements and renewals to CSP: every cell, every boundary, and what always holds."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sublife.events.codec import decode_snapshot, encode_snapshot
from sublife.events.packs import load_pack
from sublife.lifecycle.catalog import LIFECYCLES
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.machine import decide, reads, timed_event, timers
from sublife.lifecycle.model import (
    EMPTY,
    Actor,
    ActorKind,
    Decision,
    Event,
    Fact,
    PartnerType,
    Payload,
    Refusal,
    Role,
    Segment,
    Snapshot,
)
from sublife.lifecycle.partner import Partner
from sublife.lifecycle.policy import Policy
from sublife.lifecycle.subscription.model import Channel, Product, ProductKind, Subscription
from sublife.lifecycle.transfer.model import (
    Agreement,
    AgreementState,
    Availability,
    Change,
    Complete,
    EaSubscription,
    EditSchedule,
    ExtendAgreement,
    FailProcessing,
    NoteEaSubscription,
    PutOnEpt,
    Reconsider,
    RecordAgreement,
    RenewAgreement,
    ResubmitSchedule,
    Schedule,
    Stop,
    Transfer,
    TransferState,
)
from sublife.lifecycle.transfer.window import is_late, processing_window
from tests.scale import sized

DAY, HOUR, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(seconds=1)
ENDS_ON = date(2024, 9, 30)
TE = datetime(2024, 10, 1, tzinfo=UTC)
"""The instant after the agreement's last day (GEN-02)."""
EARLY = datetime(2024, 9, 3, 9, tzinfo=UTC)
TERMS = ExtendAgreement(date(2024, 10, 31))
POLICY = load_pack()
REPORTED = POLICY.choosing({"processing": "reported"})


def agent(partner: str = "contoso", **more: object) -> Actor:
    """An Admin agent of a direct-bill partner, unless *more* says otherwise."""
    usual = Actor(ActorKind.USER, f"agent of {partner}", Role.ADMIN_AGENT, partner)
    return replace(usual, **{"partner_type": PartnerType.DIRECT_BILL, **more})  # type: ignore[arg-type]


AMY, BEN = agent(), agent("northwind")
MICROSOFT = Actor(ActorKind.MICROSOFT, "commerce")
TOOL = agent(kind=ActorKind.APPLICATION, id="tool")
KNOWN = RecordAgreement(
    "tailspin",
    ENDS_ON,
    (
        EaSubscription("mail", Product("E3", rank=1), 30),
        EaSubscription("phone", Product("PHONE"), 12),
    ),
)
MOVE = Schedule("ea-1", "mail", "tailspin", "contoso", "s1", Term.P1Y, Billing.MONTHLY)


@dataclass(slots=True)
class World:
    """Subjects in memory: events are decided, what follows is applied, all or nothing."""

    policy: Policy = POLICY
    subjects: dict[str, tuple[str, Snapshot]] = field(
        default_factory=dict[str, tuple[str, Snapshot]]
    )
    facts: list[tuple[datetime, str, Fact]] = field(
        default_factory=list[tuple[datetime, str, Fact]]
    )
    count: int = 0

    def do(
        self,
        name: str,
        subject: str,
        at: datetime,
        data: Payload = EMPTY,
        *,
        actor: Actor = AMY,
        lifecycle: str = "transfer",
    ) -> Refusal | None:
        """Settle what is due, decide the event with all that follows; return why not."""
        self.settle(at)
        self.count += 1
        event = Event(f"e{self.count}", name, subject, at, actor, data, None, lifecycle)
        return self._take(event)

    def _take(self, event: Event) -> Refusal | None:
        kept, told = dict(self.subjects), len(self.facts)
        refusal = self._apply(event)
        if refusal is not None:
            self.subjects, self.facts = kept, self.facts[:told]
        return refusal

    def _apply(self, event: Event) -> Refusal | None:
        own = self.snapshot(event.subject)
        asked = reads(own, event)
        names = {name for name in asked.subjects if name in self.subjects}
        for name, (_, other) in self.subjects.items():
            if other.customer in asked.customers:
                names.add(name)
        seen = {name: self.subjects[name][1] for name in sorted(names - {event.subject})}
        decision = decide(own, event, self.policy, seen=seen)
        if isinstance(decision, Refusal):
            return decision
        self.subjects[event.subject] = (event.lifecycle, decision.snapshot)
        self.facts.extend((event.at, event.subject, fact) for fact in decision.facts)
        for follow_up in decision.follow_ups:
            if refusal := self._apply(follow_up):
                return refusal
        return None

    def settle(self, until: datetime) -> None:
        """Apply every timer that is due by *until*, in due order."""
        while True:
            due = [
                (timer.due_at, name, number, timer, lifecycle, snapshot)
                for name, (lifecycle, snapshot) in self.subjects.items()
                for number, timer in enumerate(timers(snapshot, lifecycle))
                if timer.due_at <= until
            ]
            if not due:
                return
            _, _, _, timer, lifecycle, snapshot = min(due, key=lambda each: each[:3])
            refusal = self._take(timed_event(snapshot, timer, lifecycle))
            assert refusal is None, f"a timer was refused: {refusal}"

    def snapshot(self, name: str) -> Snapshot | None:
        """Return a subject, or `None`."""
        return self.subjects[name][1] if name in self.subjects else None

    def transfer(self, name: str = "move") -> Transfer:
        """Return a schedule that exists."""
        found = self.snapshot(name)
        assert isinstance(found, Transfer)
        return found

    def subscription(self, name: str = "s1") -> Subscription:
        """Return a subscription that exists."""
        found = self.snapshot(name)
        assert isinstance(found, Subscription)
        return found

    def transfers(self) -> list[Transfer]:
        """Return every schedule there is."""
        return [each for _, each in self.subjects.values() if isinstance(each, Transfer)]


def known(policy: Policy = POLICY, data: RecordAgreement = KNOWN) -> World:
    """A world that knows one agreement."""
    world = World(policy)
    at = datetime(2024, 1, 2, tzinfo=UTC)
    world.do("record_agreement", "ea-1", at, data, actor=MICROSOFT, lifecycle="agreement")
    return world


def in_state(state: TransferState, policy: Policy = REPORTED) -> tuple[World, datetime]:
    """A world with one schedule in a state, and an instant at which a request meets it there."""
    world = known(policy)
    assert world.do("schedule", "move", EARLY, MOVE) is None
    if state is TransferState.CANCELLED:
        assert world.do("cancel_schedule", "move", EARLY + DAY) is None
    if state not in {TransferState.SCHEDULED, TransferState.CANCELLED}:
        assert world.do("begin_processing", "move", TE, actor=MICROSOFT) is None
    if state is TransferState.COMPLETED:
        assert world.do("complete_processing", "move", TE + HOUR, actor=MICROSOFT) is None
    if state is TransferState.FAILED:
        data = FailProcessing("1")
        assert world.do("fail_processing", "move", TE + HOUR, data, actor=MICROSOFT) is None
    assert world.transfer().state == state
    return world, (EARLY + 2 * DAY if state is TransferState.SCHEDULED else TE + 2 * HOUR)


PAYLOADS: Mapping[str, Payload] = {
    "schedule": replace(MOVE, into="s2"),
    "edit_schedule": EditSchedule(quantity=7),
    "resubmit_schedule": ResubmitSchedule(Term.P1M, Billing.MONTHLY, 5),
    "fail_processing": FailProcessing("1"),
    "reconsider": Reconsider(Change.EXTENDED, date(2024, 10, 31)),
    "abandon": Stop("X", "EA-13", "because"),
    "break_off": Stop("X", "EA-28", "because"),
    "complete": Complete("o1", date(2024, 10, 1), date(2025, 9, 30)),
    "record_agreement": KNOWN,
    "renew_agreement": RenewAgreement(date(2027, 9, 30)),
    "extend_agreement": TERMS,
    "put_on_ept": PutOnEpt(),
    "note_ea_subscription": NoteEaSubscription(EaSubscription("new", Product("F3"), 1)),
}
BY_MICROSOFT = frozenset({"begin_processing", "complete_processing", "fail_processing"})
BAD, LOCKED = "SCHEDULE_BAD_STATE EA-20", "SCHEDULE_LOCKED EA-20"
TABLE: Mapping[str, tuple[str, ...]] = {
    # request             scheduled      processing    completed   failed cancelled
    "schedule": ("SCHEDULE_BAD_STATE EA-26",) * 5,
    "edit_schedule": ("=", LOCKED, LOCKED, BAD, BAD),
    "resubmit_schedule": ("=", LOCKED, LOCKED, BAD, BAD),
    "cancel_schedule": ("→cancelled", LOCKED, "IRREVERSIBLE EA-29", BAD, BAD),
    "begin_processing": ("PROCESSING_NOT_DUE EA-15", BAD, BAD, BAD, BAD),
    "complete_processing": (BAD, "=", BAD, BAD, BAD),
    "fail_processing": (BAD, "→failed", BAD, BAD, BAD),
    "reconsider": ("=", "=", *("SCHEDULE_BAD_STATE EA-24",) * 3),
    "start": ("→processing", BAD, BAD, BAD, BAD),
    "abandon": ("→failed", BAD, BAD, BAD, BAD),
    "complete": (BAD, "→completed", BAD, BAD, BAD),
    "break_off": (BAD, "→failed", BAD, BAD, BAD),
}
"""Every request of a schedule in every state: → or = accepted, else code and rule."""
READ_ONLY = "AGREEMENT_BAD_STATE"
AGREEMENT_TABLE: Mapping[str, tuple[str, ...]] = {
    # request           recorded     extended      ept                    renewed
    "record_agreement": (f"{READ_ONLY} EA-31",) * 4,
    "renew_agreement": ("→renewed", "→renewed", "→renewed", "→renewed"),
    "extend_agreement": (
        "→extended",
        "→extended",
        f"{READ_ONLY} EA-24",
        f"{READ_ONLY} EA-24",
    ),
    "put_on_ept": ("→ept",) * 4,
    "note_ea_subscription": ("=",) * 4,
}


def answer(before: Snapshot, event: Event, seen: Mapping[str, Snapshot], policy: Policy) -> str:
    """Return what the table would say of a decision."""
    found = decide(before, event, policy, seen=seen)
    if isinstance(found, Refusal):
        return f"{found.code} {found.rule}"
    return "=" if found.snapshot.state == before.state else f"→{found.snapshot.state}"


@pytest.mark.parametrize(
    ("name", "state", "expected"),
    [
        pytest.param(name, state, cell, id=f"{name} in {state.value}")
        for name, cells in TABLE.items()
        for state, cell in zip(TransferState, cells, strict=True)
    ],
)
def test_a_cell_of_the_schedules_table(name: str, state: TransferState, expected: str) -> None:
    """EA-20, EA-26, EA-29: every request in every state."""
    world, at = in_state(state)
    actor = MICROSOFT if name in BY_MICROSOFT else AMY
    cause = "e0" if name in LIFECYCLES["transfer"].internal else None
    event = Event("x", name, "move", at, actor, PAYLOADS.get(name, EMPTY), cause, "transfer")
    seen = {
        each: found for each, (_, found) in world.subjects.items() if each not in {"move", "s1"}
    }

    assert answer(world.transfer(), event, seen, REPORTED) == expected


def test_the_schedules_table_has_every_request() -> None:
    """No request without a row."""
    assert set(TABLE) == set(LIFECYCLES["transfer"].requests)


@pytest.mark.parametrize(
    ("name", "state", "expected"),
    [
        pytest.param(name, state, cell, id=f"{name} in {state.value}")
        for name, cells in AGREEMENT_TABLE.items()
        for state, cell in zip(AgreementState, cells, strict=True)
    ],
)
def test_a_cell_of_the_agreements_table(name: str, state: AgreementState, expected: str) -> None:
    """EA-08, EA-11, EA-24: every request in every state."""
    agreement = known().snapshot("ea-1")
    assert isinstance(agreement, Agreement)
    event = Event("x", name, "ea-1", EARLY, MICROSOFT, PAYLOADS[name], None, "agreement")
    before = replace(agreement, state=state)
    found = answer(before, event, {}, POLICY)

    assert found == (expected if expected != f"→{state.value}" else "=")


def test_the_agreements_table_has_every_request() -> None:
    """No request without a row."""
    assert set(AGREEMENT_TABLE) == set(LIFECYCLES["agreement"].requests)


def test_a_settled_transfer_has_no_timers_left() -> None:
    """Final means final."""
    for state in (TransferState.COMPLETED, TransferState.FAILED, TransferState.CANCELLED):
        assert timers(in_state(state)[0].transfer(), "transfer") == ()


@pytest.mark.parametrize("state", [TransferState.SCHEDULED, TransferState.PROCESSING])
def test_the_alert_comes_a_second_after_the_last_instant_and_once(state: TransferState) -> None:
    """EA-15, GEN-04, GEN-07: 72 hours count whole."""
    world, _ = in_state(state)
    told: list[int] = []

    for at in (TE + 72 * HOUR, TE + 72 * HOUR + SECOND, TE + 200 * HOUR):
        world.settle(at)
        told.append(sum(fact.name == "ea-renewal-overdue" for _, _, fact in world.facts))

    assert told == [0, 1, 1]
    assert world.transfer().state == state


@pytest.mark.parametrize(
    ("at", "earliest", "latest"),
    [
        (EARLY, TE, TE + 72 * HOUR),
        (TE - SECOND, TE, TE + 72 * HOUR),
        (TE, TE + DAY, TE + 96 * HOUR),
        (TE + SECOND, TE + DAY, TE + SECOND + 96 * HOUR),
        (TE + DAY - SECOND, TE + DAY, TE + DAY - SECOND + 96 * HOUR),
        (TE + DAY, TE + 2 * DAY, TE + DAY + 96 * HOUR),
    ],
)
def test_when_a_schedule_is_processed(at: datetime, earliest: datetime, latest: datetime) -> None:
    """EA-15, EA-17, table 0.5: on both sides of the agreement's end and of a midnight."""
    window = processing_window(at, ENDS_ON, POLICY)

    assert (window.earliest_at, window.latest_at) == (earliest, latest)


JANUARY = datetime(2024, 1, 1, tzinfo=UTC)
INSTANTS = st.integers(0, 48).map(lambda half_days: JANUARY + 12 * half_days * HOUR) | st.integers(
    0, 730 * 86_400
).map(lambda seconds: JANUARY + seconds * SECOND)


@given(INSTANTS, st.dates(date(2024, 1, 1), date(2025, 12, 31)))
def test_nothing_is_processed_before_midnight_nor_during_the_agreement(
    at: datetime, ends_on: date
) -> None:
    """EA-15, EA-16, EA-17: the earliest instant is a 00:00Z after the term end and after now."""
    window = processing_window(at, ends_on, POLICY)
    earliest = window.earliest_at

    assert (earliest.hour, earliest.minute, earliest.second, earliest.microsecond) == (0, 0, 0, 0)
    assert earliest > at
    assert earliest.date() > ends_on
    assert earliest <= window.latest_at
    assert window.typical_at <= window.latest_at
    if is_late(at, ends_on):
        assert earliest - at <= DAY


def agreement_code(at: datetime, ends_on: date) -> str | None:
    """Return the code a schedule of *at* meets for an agreement that ends on *ends_on*."""
    world = known(data=replace(KNOWN, ends_on=ends_on))
    refusal = world.do("schedule", "move", at, MOVE)
    return refusal.code if refusal else None


@pytest.mark.parametrize(
    ("today", "ends_on", "listed"),
    [
        ("2024-12-29", date(2024, 9, 30), True),
        ("2024-12-30", date(2024, 9, 30), False),
        ("2024-08-27", date(2025, 2, 28), False),
        ("2024-08-28", date(2025, 2, 28), True),
        ("2024-08-31", date(2025, 2, 28), True),
        ("2024-08-31", date(2025, 3, 1), False),
        ("2024-05-15", date(2024, 11, 15), True),
        ("2024-05-15", date(2024, 11, 16), False),
    ],
)
def test_which_agreements_are_listed(today: str, ends_on: date, listed: bool) -> None:
    """EA-07: 90 days back and 6 months ahead, both ends included, at any hour of the day."""
    for hour in ("00:00:00", "23:59:59"):
        at = datetime.fromisoformat(f"{today}T{hour}Z")

        assert agreement_code(at, ends_on) == (None if listed else "AGREEMENT_NOT_LISTED")


@given(st.integers(-200, 400).map(lambda days: ENDS_ON + days * DAY))
def test_an_agreement_is_listed_in_one_stretch_of_days(today: date) -> None:
    """EA-07: from the day six months before to the day 90 days after."""
    at = datetime.combine(today, datetime.min.time(), UTC) + 12 * HOUR
    listed = date(2024, 3, 30) <= today <= date(2024, 12, 29)

    assert (agreement_code(at, ENDS_ON) is None) == listed


SALES, ACCOUNT = Role.SALES_AGENT, Role.ACCOUNT_ADMIN
ACTORS: Mapping[str, tuple[Actor, str | None]] = {
    "an Admin agent of a direct-bill partner": (AMY, None),
    "an Admin agent of a provider": (agent(partner_type=PartnerType.INDIRECT_PROVIDER), None),
    "an Admin agent of an unknown kind of partner": (agent(partner_type=None), None),
    "an Admin agent of a reseller": (
        agent(partner_type=PartnerType.INDIRECT_RESELLER),
        "PARTNER_TYPE_DENIED",
    ),
    "a sales agent": (agent(role=SALES), "ROLE_DENIED"),
    "an account admin": (agent(role=ACCOUNT), "ROLE_DENIED"),
    "a global admin": (agent(role=Role.GLOBAL_ADMIN), "ROLE_DENIED"),
    "a user without a role": (agent(role=None), "ROLE_DENIED"),
    "an Admin agent of no partner": (replace(AMY, partner=None), "ROLE_DENIED"),
    "an application": (TOOL, "API_UNSUPPORTED"),
    "Microsoft": (MICROSOFT, "ROLE_DENIED"),
}


@pytest.mark.parametrize("who", ACTORS)
@pytest.mark.parametrize("name", ["schedule", "edit_schedule", "resubmit_schedule", "cancel"])
def test_who_may_act_in_a_channel_transfer(who: str, name: str) -> None:
    """EA-06, EA-23, EA-27, GEN-10, GEN-11: the same for every command."""
    actor, expected = ACTORS[who]
    world = known()
    subject = "move"
    if name == "cancel":
        name = "cancel_schedule"
    if name != "schedule":
        assert world.do("schedule", "move", EARLY, MOVE) is None
    data = MOVE if name == "schedule" else PAYLOADS.get(name, EMPTY)

    refusal = world.do(name, subject, EARLY + HOUR, data, actor=actor)

    assert (refusal.code if refusal else None) == expected


@pytest.mark.parametrize(
    ("state", "rival", "own"),
    [
        (TransferState.SCHEDULED, "SCHEDULED_BY_OTHER_PARTNER", "ALREADY_SCHEDULED"),
        (TransferState.PROCESSING, "SCHEDULED_BY_OTHER_PARTNER", "ALREADY_SCHEDULED"),
        (TransferState.COMPLETED, "ALREADY_TRANSFERRED", "ALREADY_TRANSFERRED"),
        (TransferState.FAILED, None, None),
        (TransferState.CANCELLED, None, None),
    ],
)
def test_whose_place_it_is_in_each_state(
    state: TransferState, rival: str | None, own: str | None
) -> None:
    """EA-26: live it is held, completed closed for good, else free."""
    for ask, actor, expected in (
        (replace(MOVE, partner="northwind", into="s2"), BEN, rival),
        (replace(MOVE, into="s2"), AMY, own),
    ):
        world, at = in_state(state)

        refusal = world.do("schedule", "second", at, ask, actor=actor)

        assert (refusal and refusal.code) == expected


def test_another_partners_agent_meets_the_place_not_the_schedule() -> None:
    """EA-26, EA-27: for whom it is, it is taken."""
    world = known()
    world.do("schedule", "move", EARLY, MOVE)
    rival = replace(MOVE, partner="northwind", into="s2")

    found = [
        world.do("schedule", "rival", EARLY + HOUR, rival, actor=BEN),
        world.do("cancel_schedule", "move", EARLY + HOUR, actor=BEN),
        world.do("schedule", "again", EARLY + HOUR, replace(MOVE, into="s2")),
    ]

    assert [(each.code, each.rule) for each in found if each] == [
        ("SCHEDULED_BY_OTHER_PARTNER", "EA-26"),
        ("SCHEDULED_BY_OTHER_PARTNER", "EA-27"),
        ("ALREADY_SCHEDULED", "EA-26"),
    ]


@pytest.mark.parametrize(
    ("subscription", "ask", "code", "rule"),
    [
        (
            EaSubscription("mail", Product("E3"), 1),
            replace(MOVE, sku="E5"),
            "SKU_MISMATCH",
            "EA-12",
        ),
        (EaSubscription("mail", Product("E3"), 1), replace(MOVE, sku="E3"), None, None),
        (
            EaSubscription("mail", Product("E3"), 1, availability=Availability.UNSUPPORTED),
            MOVE,
            "SKU_UNSUPPORTED",
            "EA-13",
        ),
        (
            EaSubscription("mail", Product("E3"), 1, availability=Availability.END_OF_SALE),
            MOVE,
            None,
            None,
        ),
        *(
            (
                EaSubscription("mail", Product("E3"), 1, segment=segment),
                MOVE,
                "SEGMENT_UNSUPPORTED",
                "EA-02",
            )
            for segment in Segment
            if segment is not Segment.COMMERCIAL
        ),
        *(
            (
                EaSubscription("mail", Product("X", kind=kind), 1),
                MOVE,
                "OUT_OF_SCOPE" if kind is ProductKind.AZURE else "SKU_UNSUPPORTED",
                "GEN-16" if kind is ProductKind.AZURE else "EA-01",
            )
            for kind in ProductKind
            if kind is not ProductKind.ONLINE_SERVICE
        ),
        *(
            (
                EaSubscription("mail", Product("E3"), 1),
                replace(MOVE, channel=channel),
                "CHANNEL_UNSUPPORTED",
                "EA-01",
            )
            for channel in Channel
            if channel is not Channel.EA
        ),
        (
            EaSubscription("mail", Product("E3"), 1),
            replace(MOVE, customer="wingtip"),
            "OUT_OF_SCOPE",
            "GEN-16",
        ),
        (EaSubscription("other", Product("E3"), 1), MOVE, "AGREEMENT_NOT_LISTED", "EA-07"),
    ],
)
def test_what_can_be_scheduled(
    subscription: EaSubscription, ask: Schedule, code: str | None, rule: str | None
) -> None:
    """EA-01, EA-02, EA-12, EA-13, EA-14, GEN-13, GEN-16: product, segment, channel, tenant."""
    world = known(data=replace(KNOWN, subscriptions=(subscription,)))

    refusal = world.do("schedule", "move", EARLY, ask)

    assert (refusal and refusal.code, refusal and refusal.rule) == (code, rule)


def test_an_indirect_provider_known_to_the_engine_owes_a_partner_of_record() -> None:
    """EA-32: what is known of the partner counts for more than what its agent says."""
    world = known()
    provider = Partner(
        id="contoso",
        state="authorized",
        changed_at=EARLY - DAY,
        customer="",
        partner="contoso",
        partner_type=PartnerType.INDIRECT_PROVIDER,
        authorized_on=date(2020, 1, 1),
    )
    world.subjects["contoso"] = ("partner", provider)
    world.do("schedule", "move", EARLY, MOVE)

    world.settle(TE)

    assert world.transfer().por_required
    assert [fact.name for at, _, fact in world.facts if at == TE] == [
        "ea-renewal-started",
        "subscription-created",
        "ea-renewal-completed",
        "por-required",
        "subscription-provisioned",
    ]


FIGURES: Mapping[str, tuple[timedelta | int, str]] = {
    "agreement_listed_back": (90 * DAY, "EA-07"),
    "agreement_listed_ahead": (6, "EA-07"),
    "agreement_visible_hours": (24 * HOUR, "EA-09"),
    "transfer_start_hours": (0 * HOUR, "GEN-07"),
    "transfer_run_hours": (0 * HOUR, "GEN-07"),
    "transfer_typical_hours": (24 * HOUR, "EA-15"),
    "transfer_latest_hours": (72 * HOUR, "EA-15"),
    "late_transfer_typical_hours": (24 * HOUR, "EA-17"),
    "late_transfer_latest_hours": (96 * HOUR, "EA-17"),
}
SHARED = {"smb_seat_limit", "coterminosity"}
"""What it asks for that the subscription asks for as well."""


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_has_the_value_of_its_rule(name: str) -> None:
    """EA-07, EA-09, EA-15, EA-17, GEN-07: as published, at any time."""
    value, rule = FIGURES[name]
    for at in (JANUARY, TE, TE + 3650 * DAY):
        found = POLICY.count(name, at) if isinstance(value, int) else POLICY.length(name, at)

        assert (found, POLICY.rule(name)) == (value, rule)


def test_every_figure_of_the_lifecycle_is_looked_at() -> None:
    """No figure without a test."""
    assert set(LIFECYCLES["transfer"].figures) == set(FIGURES) | SHARED


def test_what_is_created_counts_from_the_right_day() -> None:
    """EA-19, TRM-11: in time from the day after the agreement, late from its creation."""
    world = known(REPORTED)
    world.do("schedule", "move", EARLY, MOVE)
    late = replace(MOVE, ea_subscription="phone", into="s2")
    world.do("schedule", "late", TE, late)
    for name in ("move", "late"):
        world.do("begin_processing", name, TE + 30 * HOUR, actor=MICROSOFT)
        world.do("complete_processing", name, TE + 31 * HOUR, actor=MICROSOFT)

    punctual, tardy = world.subscription("s1"), world.subscription("s2")
    created_at = TE + 31 * HOUR
    assert (punctual.starts_on, punctual.created_at) == (date(2024, 10, 1), created_at)
    assert (tardy.starts_on, tardy.created_at) == (date(2024, 10, 2), created_at)
    assert {punctual.window_opened_at, tardy.window_opened_at} == {created_at}
    assert [batch.charged_from for batch in punctual.batches] == [date(2024, 10, 1)]


def test_an_extension_moves_the_processing_and_the_first_day() -> None:
    """EA-19, EA-24: what counts is the end of the agreement as it is now."""
    world = known()
    world.do("schedule", "move", EARLY, MOVE)
    world.do("extend_agreement", "ea-1", TE - DAY, TERMS, actor=MICROSOFT, lifecycle="agreement")

    world.settle(datetime(2024, 11, 1, tzinfo=UTC) - SECOND)
    before = world.transfer().state
    world.settle(datetime(2024, 11, 1, tzinfo=UTC))

    assert (before, world.transfer().state) == (TransferState.SCHEDULED, TransferState.COMPLETED)
    assert world.subscription().starts_on == date(2024, 11, 1)


def test_an_extension_makes_a_late_schedule_one_in_time() -> None:
    """EA-15, EA-17, EA-24: placed after the old end but before the new one."""
    world = known(REPORTED)
    world.do("schedule", "move", TE + HOUR, MOVE)
    late = world.transfer().window

    refusal = world.do(
        "extend_agreement", "ea-1", TE + 2 * HOUR, TERMS, actor=MICROSOFT, lifecycle="agreement"
    )

    assert refusal is None
    assert late.earliest_at == TE + DAY
    assert world.transfer().window.earliest_at == datetime(2024, 11, 1, tzinfo=UTC)
    assert world.transfer().window.latest_at == datetime(2024, 11, 4, tzinfo=UTC)


def test_an_extended_period_term_fails_the_schedule_at_its_hour() -> None:
    """EA-11, EA-24: it is not taken back before, and nothing is created."""
    world = known()
    world.do("schedule", "move", EARLY, MOVE)
    world.do("put_on_ept", "ea-1", TE - DAY, PutOnEpt(), actor=MICROSOFT, lifecycle="agreement")
    before = world.transfer().state

    world.settle(TE)

    assert (before, world.transfer().state) == (TransferState.SCHEDULED, TransferState.FAILED)
    assert world.facts[-1][2].data["code"] == "AGREEMENT_EPT"
    assert "s1" not in world.subjects


@pytest.mark.parametrize("state", TransferState)
def test_only_who_has_a_live_schedule_is_advised(state: TransferState) -> None:
    """EA-24: what is over is over."""
    world, at = in_state(state)

    refusal = world.do(
        "extend_agreement", "ea-1", at, TERMS, actor=MICROSOFT, lifecycle="agreement"
    )

    assert refusal is None
    told = [fact.name for _, _, fact in world.facts if fact.name == "ea-renewal-advisory"]
    live = state in {TransferState.SCHEDULED, TransferState.PROCESSING}
    assert told == (["ea-renewal-advisory"] if live else [])
    assert world.transfer().state == state


@pytest.mark.parametrize("name", AGREEMENT_TABLE)
@pytest.mark.parametrize("actor", [AMY, TOOL], ids=["a user", "an application"])
def test_nobody_but_microsoft_tells_of_an_agreement(name: str, actor: Actor) -> None:
    """EA-31: neither path changes an agreement."""
    world = known()
    new = name == "record_agreement"

    refusal = world.do(
        name, "ea-2" if new else "ea-1", EARLY, PAYLOADS[name], actor=actor, lifecycle="agreement"
    )

    assert refusal is not None
    assert (refusal.code, refusal.rule) == ("AGREEMENT_READ_ONLY", "EA-31")


FREE = (TransferState.FAILED, TransferState.CANCELLED)
"""The states that leave the place to others (EA-26)."""
PARTNERS = {"contoso": AMY, "northwind": BEN}
WAITS = st.one_of(
    st.just(timedelta(0)),
    st.integers(1, 72).map(lambda hours: hours * HOUR),
    st.integers(1, 60).map(lambda days: days * DAY),
)
DATES = st.dates(date(2024, 8, 1), date(2025, 3, 1))
STEPS = st.one_of(
    st.tuples(
        st.just("schedule"), st.sampled_from(sorted(PARTNERS)), st.sampled_from(["mail", "phone"])
    ),
    st.tuples(
        st.sampled_from(["edit_schedule", "resubmit_schedule", "cancel_schedule"]),
        st.sampled_from(sorted(PARTNERS)),
        st.integers(0, 4).map(str),
    ),
    st.tuples(
        st.sampled_from(["begin_processing", "complete_processing", "fail_processing"]),
        st.just("microsoft"),
        st.integers(0, 4).map(str),
    ),
    st.tuples(st.sampled_from(["renew", "extend", "ept"]), st.just("microsoft"), DATES.map(str)),
)


def perform(world: World, at: datetime, step: tuple[str, str, str]) -> None:
    """Do one step of a made-up course of events; what it meets may well be a refusal."""
    name, who, what = step
    match name:
        case "schedule":
            number = len(world.transfers())
            ask = replace(MOVE, partner=who, ea_subscription=what, into=f"s{number}")
            world.do("schedule", str(number), at, ask, actor=PARTNERS[who])
        case "renew" | "extend" | "ept":
            day = date.fromisoformat(what)
            request, data = {
                "renew": ("renew_agreement", RenewAgreement(day)),
                "extend": ("extend_agreement", ExtendAgreement(day)),
                "ept": ("put_on_ept", PutOnEpt(day)),
            }[name]
            world.do(request, "ea-1", at, data, actor=MICROSOFT, lifecycle="agreement")
        case _ if what in world.subjects:
            actor = PARTNERS.get(who, MICROSOFT)
            world.do(name, what, at, PAYLOADS.get(name, EMPTY), actor=actor)
        case _:
            world.settle(at)


def check(world: World) -> None:
    """Make sure of what holds at every moment."""
    claims = LIFECYCLES["transfer"].claims
    holders = [each for each in world.transfers() if each.state not in FREE]
    places = [each.ea_subscription for each in holders]
    assert len(places) == len(set(places)), "two schedules hold one place (EA-26)"
    assert sorted(claim for each in world.transfers() for claim in claims(each)) == sorted(
        f"ea-subscription:ea-1/{place}" for place in places
    )
    for each in world.transfers():
        assert decode_snapshot("transfer", encode_snapshot(each)) == each
        for timer in timers(each, "transfer"):
            assert timer.due_at >= each.changed_at
        completed = each.state == TransferState.COMPLETED
        assert (each.into in world.subjects) == completed, "exactly what completed is created"


@settings(max_examples=sized(80, 300), deadline=None)
@given(
    st.sampled_from(["simulated", "reported"]),
    st.lists(st.tuples(WAITS, STEPS), min_size=3, max_size=12),
)
def test_one_place_one_subscription_and_never_during_the_agreement(
    processing: str, course: list[tuple[timedelta, tuple[str, str, str]]]
) -> None:
    """EA-15, EA-24, EA-26, EA-31: whatever partners and Microsoft do, and in whatever order."""
    world = known(POLICY.choosing({"processing": processing}))
    at = datetime(2024, 9, 20, 8, tzinfo=UTC)
    world.do("schedule", "0", at, replace(MOVE, into="s0"))
    for wait, step in course:
        at += wait
        before = world.snapshot("ea-1")
        started = {each.id for each in world.transfers() if each.started_at}
        perform(world, at, step)
        check(world)
        after = world.snapshot("ea-1")
        if step[0] not in {"renew", "extend", "ept"}:
            assert after == before, "no path changes the agreement (EA-31)"
        assert isinstance(before, Agreement)
        for each in world.transfers():
            if each.started_at and each.id not in started:
                assert each.started_at.date() > before.ends_on, "never during the term (EA-15)"


def test_every_payload_survives_the_journal() -> None:
    """What is asked can be read back: an agreement with all its parts, and a refused count."""
    world = known()
    agreement = world.snapshot("ea-1")
    assert isinstance(agreement, Agreement)

    assert decode_snapshot("agreement", encode_snapshot(agreement)) == agreement


@pytest.mark.parametrize(
    "build",
    [
        lambda: replace(MOVE, quantity=0),
        lambda: EditSchedule(quantity=0),
        lambda: ResubmitSchedule(Term.P1M, Billing.MONTHLY, 0),
        lambda: replace(KNOWN, subscriptions=KNOWN.subscriptions * 2),
    ],
)
def test_what_cannot_be_asked_is_a_mistake_of_the_caller(build: object) -> None:
    """No schedule for nothing, no agreement with an id twice."""
    assert callable(build)
    with pytest.raises(ValueError, match=r"below 1|stands twice"):
        build()


def test_a_refused_timer_is_a_decision_not_an_obstacle() -> None:
    """EA-26: what a schedule meets at its hour ends it; the calendar goes on."""
    world = known()
    world.do("schedule", "move", EARLY, replace(MOVE, into="taken"))
    world.subjects["taken"] = ("subscription", replace(_some_subscription(), id="taken"))

    world.settle(TE)

    assert world.transfer().state == TransferState.FAILED
    (told,) = (fact for _, _, fact in world.facts if fact.name == "ea-renewal-schedule-failed")
    assert (told.data["code"], told.rules) == ("NEW_SUBSCRIPTION_TAKEN", ("EA-28",))


def _some_subscription() -> Subscription:
    world = known()
    world.do("schedule", "move", EARLY, MOVE)
    world.settle(TE)
    return world.subscription()


def test_what_turns_up_between_start_and_end_breaks_it_off() -> None:
    """EA-26, EA-28: an id taken while processing runs fails it, with the webhook of a failure."""
    world, at = in_state(TransferState.PROCESSING)
    world.subjects["s1"] = ("subscription", replace(_some_subscription(), changed_at=TE))

    refusal = world.do("complete_processing", "move", at, actor=MICROSOFT)

    assert refusal is None
    assert world.transfer().state == TransferState.FAILED
    assert world.facts[-1][2].name == "ea-renewal-failed"
    assert isinstance(
        decide(
            world.transfer(),
            Event("x", "cancel_schedule", "move", at, AMY, EMPTY, None, "transfer"),
            REPORTED,
        ),
        Refusal,
    )


def test_a_decision_says_which_rules_made_it() -> None:
    """Every accepted request names its rules."""
    world = known()
    event = Event("x", "schedule", "move", EARLY, AMY, MOVE, None, "transfer")
    agreement = world.snapshot("ea-1")
    assert agreement is not None

    found = decide(None, event, POLICY, seen={"ea-1": agreement})

    assert isinstance(found, Decision)
    assert found.rules == ("EA-18", "EA-25", "EA-26")
