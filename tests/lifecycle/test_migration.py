"""Legacy → new commerce (LEG): every cell of the table, every boundary, every eligibility code."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from sublife.lifecycle.catalog import LIFECYCLES
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.machine import allowed, decide, timers
from sublife.lifecycle.migration.eligibility import Question, objections
from sublife.lifecycle.migration.model import (
    Fail,
    Migration,
    Part,
    Request,
    Retry,
    Schedule,
    State,
    Update,
)
from sublife.lifecycle.migration.plan import twin
from sublife.lifecycle.model import (
    ABSENT,
    EMPTY,
    Actor,
    ActorKind,
    Decision,
    Event,
    ModelError,
    PartnerType,
    Payload,
    Refusal,
    Segment,
    Snapshot,
)
from sublife.lifecycle.partner.model import Partner
from sublife.lifecycle.partner.model import State as PartnerState
from sublife.lifecycle.policy import Policy
from sublife.lifecycle.programme import Fulfilled, Item, Programme, programme_id
from sublife.lifecycle.programme import State as ProgrammeState
from sublife.lifecycle.refusal import INELIGIBLE
from sublife.lifecycle.subscription.model import (
    LeadMigration,
    Move,
    Mover,
    Platform,
    Price,
    Product,
    ProductKind,
    Promotion,
    Renewal,
    Subscription,
)

MIGRATION = LIFECYCLES["migration"]
DAY, HOUR, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(seconds=1)
BOUGHT_AT = datetime(2022, 2, 15, 8, tzinfo=UTC)
ASKED_AT = datetime(2022, 12, 1, 8, tzinfo=UTC)
TARGET_AT = datetime(2022, 12, 20, tzinfo=UTC)
TERM_END = datetime(2025, 2, 15, tzinfo=UTC)
AMY = Actor(ActorKind.USER, "amy", partner="contoso", partner_type=PartnerType.DIRECT_BILL)
PRICE = Price(Decimal("10.00"), "EUR")
LEGACY = Subscription(
    id="s1",
    state="active",
    changed_at=BOUGHT_AT,
    customer="tailspin",
    partner="contoso",
    product=Product("E3"),
    platform=Platform.LEGACY,
    quantity=10,
    term=Term.P3Y,
    billing=Billing.MONTHLY,
    created_at=BOUGHT_AT,
    anchor_on=BOUGHT_AT.date(),
    starts_on=BOUGHT_AT.date(),
    ends_on=date(2025, 2, 14),
    price=PRICE,
)
BASE = Part("s1", "s1-nce")
ASKED = Migration(
    id="m1",
    state=State.SCHEDULED,
    changed_at=ASKED_AT,
    customer="tailspin",
    partner="contoso",
    parts=(BASE,),
    created_at=ASKED_AT,
    target_at=TARGET_AT,
)
STARTED = replace(
    ASKED, state=State.PROCESSING, started_at=ASKED_AT, overdue_at=ASKED_AT + 72 * HOUR
)
BROKEN = replace(STARTED, state=State.FAILED, legacy_suspended=True)
SUBJECTS: Mapping[str, Migration | None] = {
    ABSENT: None,
    "scheduled": ASKED,
    "led by Microsoft": replace(ASKED, mover=Mover.MICROSOFT),
    "processing": STARTED,
    "failed": replace(STARTED, state=State.FAILED),
    "failed, legacy suspended": BROKEN,
    "completed": replace(STARTED, state=State.COMPLETED),
    "cancelled": replace(ASKED, state=State.CANCELLED),
    "reverted": replace(STARTED, state=State.REVERTED),
}
LEAD = LeadMigration(
    "s1", "s1-nce", "tailspin", "contoso", Mover.DISTRIBUTOR, at=TERM_END, term=Term.P3Y
)
PAYLOADS: Mapping[str, Payload] = {
    "request": Request(into="s1-nce", customer="tailspin", subscription="s1"),
    "schedule": Schedule(
        into="s1-nce", customer="tailspin", subscription="s1", target_at=TARGET_AT
    ),
    "announce": LEAD,
    "lead": LEAD,
    "update": Update(into="s1-nce", target_at=TARGET_AT),
    "fail": Fail("timeout"),
    "retry": Retry(),
}
OVER = {name: "MIGRATION_LOCKED" for name in SUBJECTS if name != ABSENT}
TABLE: Mapping[str, Mapping[str, str]] = {
    "request": OVER | {ABSENT: "processing"},
    "schedule": OVER | {ABSENT: "scheduled"},
    "announce": OVER | {ABSENT: "scheduled"},
    "lead": OVER | {ABSENT: "processing"},
    "begin": OVER | {"scheduled": "processing", "led by Microsoft": "processing"},
    "update": OVER | {"scheduled": "scheduled", "led by Microsoft": "MIGRATION_LED"},
    "cancel": OVER | {"scheduled": "cancelled", "led by Microsoft": "MIGRATION_LED"},
    "complete": OVER | {"processing": "completed", "failed, legacy suspended": "completed"},
    "fail": OVER | {"processing": "failed"},
    "revert": OVER | {"failed, legacy suspended": "reverted", "completed": "IRREVERSIBLE"},
    "retry": OVER | {"failed": "processing", "failed, legacy suspended": "MIGRATION_REPAIRED"},
}
"""What a request leads to in each state: the next state, or the refusal code."""


def _seen(*others: Snapshot, legacy: Subscription = LEGACY) -> Mapping[str, Snapshot]:
    return {each.id: each for each in (legacy, *others)}


def _asked(name: str, at: datetime = ASKED_AT, data: Payload | None = None) -> Event:
    payload = PAYLOADS.get(name, EMPTY) if data is None else data
    cause = "term-end" if name in MIGRATION.internal else None
    return Event(f"{name}-1", name, "m1", at, AMY, payload, cause, "migration")


def _ask(
    policy: Policy,
    at: datetime = ASKED_AT,
    *,
    seen: Mapping[str, Snapshot] | None = None,
    **plan: Any,
) -> Decision | Refusal:
    """Ask for a migration of `s1` into `s1-nce`."""
    data = Request(into="s1-nce", customer="tailspin", subscription="s1", **plan)
    return decide(None, _asked("request", at, data), policy, seen=seen or _seen())


def _refusal(answer: Decision | Refusal) -> Refusal:
    assert isinstance(answer, Refusal), answer
    return answer


def _migration(answer: Decision | Refusal) -> Migration:
    assert isinstance(answer, Decision), answer
    assert isinstance(answer.snapshot, Migration)
    return answer.snapshot


class TestTable:
    """Every cell: what each request leads to in each state."""

    def test_it_has_a_row_for_every_request(self) -> None:
        """Nothing is left to chance."""
        assert set(TABLE) == set(MIGRATION.requests)

    @pytest.mark.parametrize(
        ("request_", "state"),
        [
            pytest.param(name, state, id=f"{name}, {state}")
            for name, row in TABLE.items()
            for state in row
        ],
    )
    def test_a_request_meets_a_state_as_it_says(
        self, request_: str, state: str, policy: Policy
    ) -> None:
        """LEG-16, LEG-17, LEG-21, LEG-24, 8.5."""
        subject = SUBJECTS[state]
        at = TERM_END if request_ == "lead" else ASKED_AT
        runs = subject is not None and subject.started_at is not None
        repairs = state in {"processing", "failed, legacy suspended"}
        move = Move("m1", ASKED_AT, started_at=ASKED_AT if repairs and runs else None)
        held = replace(LEGACY, state="suspended" if repairs else "active", move=move)
        seen = _seen(legacy=held if repairs else LEGACY)

        answer = decide(subject, _asked(request_, at), policy, seen=seen)

        wanted = TABLE[request_][state]
        if wanted.isupper():
            assert _refusal(answer).code == wanted
        else:
            assert _migration(answer).state == wanted

    @pytest.mark.parametrize(
        ("state", "wanted"),
        [
            pytest.param("scheduled", ("update", "cancel"), id="scheduled"),
            pytest.param("led by Microsoft", (), id="led by Microsoft"),
            pytest.param("processing", ("complete", "fail"), id="processing"),
            pytest.param("failed", ("retry",), id="failed"),
            pytest.param(
                "failed, legacy suspended", ("complete", "revert"), id="failed, legacy suspended"
            ),
            pytest.param("completed", (), id="completed"),
            pytest.param("cancelled", (), id="cancelled"),
            pytest.param("reverted", (), id="reverted"),
        ],
    )
    def test_what_is_allowed_follows_from_the_same_rules(
        self, state: str, wanted: tuple[str, ...], policy: Policy
    ) -> None:
        """`allowed` names what may be asked for, and only that."""
        subject = SUBJECTS[state]
        assert subject is not None

        assert allowed(subject, policy=policy, lifecycle="migration") == wanted

    def test_what_follows_by_itself_cannot_be_asked_for(self, policy: Policy) -> None:
        """LEG-04, LEG-24: nobody asks in the distributor's or in Microsoft's place."""
        event = replace(_asked("lead", TERM_END), cause=None)

        with pytest.raises(ModelError, match="only follows from another event"):
            decide(None, event, policy, seen=_seen())


def _promoted(from_on: date, until_on: date) -> Subscription:
    promotion = Promotion("p1", Decimal(8), from_on, until_on)
    return replace(LEGACY, price=replace(PRICE, promotion=promotion))


def _renewing() -> Subscription:
    return replace(LEGACY, renewal=Renewal(ASKED_AT, None, ASKED_AT + DAY))


ADD_ON = replace(LEGACY, id="a1", product=Product("VOICE"), parent="s1")
CODES: Mapping[str, tuple[int, dict[str, Any], Subscription, tuple[Snapshot, ...]]] = {
    "suspended": (0, {}, replace(LEGACY, state="suspended"), ()),
    "deleted": (0, {}, replace(LEGACY, state="deleted"), ()),
    "its renewal is being processed": (1, {}, _renewing(), ()),
    "another migration moves it": (
        1,
        {},
        replace(LEGACY, state="suspended", move=Move("m9", ASKED_AT, started_at=ASKED_AT)),
        (),
    ),
    "too close to its end": (2, {}, replace(LEGACY, ends_on=ASKED_AT.date()), ()),
    "promotion now": (3, {}, _promoted(date(2022, 12, 1), date(2022, 12, 1)), ()),
    "promotion at purchase": (3, {}, _promoted(BOUGHT_AT.date(), BOUGHT_AT.date()), ()),
    "promotion named by an export": (3, {}, replace(LEGACY, promotion_id="A:B:C"), ()),
    "add-on left out": (4, {}, LEGACY, (ADD_ON,)),
    "no product": (5, {}, replace(LEGACY, product=Product("E3", on_new_commerce=False)), ()),
    "no licence-based product": (
        5,
        {},
        replace(LEGACY, product=Product("E3", kind=ProductKind.SOFTWARE)),
        (),
    ),
    "plan not offered": (
        6,
        {"product": Product("E3", plans=("P1Y/annual",)), "term": Term.P1Y},
        LEGACY,
        (),
    ),
    "billing longer than the term": (
        6,
        {"term": Term.P1Y, "billing": Billing.TRIENNIAL},
        LEGACY,
        (),
    ),
    "a day old": (7, {}, replace(LEGACY, created_at=ASKED_AT - DAY), ()),
    "trade status": (8, {"trade_blocked": True}, LEGACY, ()),
    "no reseller of record": (
        9,
        {"por": "northwind"},
        LEGACY,
        (
            Partner(
                id="northwind",
                state=PartnerState.AUTHORIZED,
                changed_at=BOUGHT_AT,
                customer="",
                partner="northwind",
                partner_type=PartnerType.INDIRECT_PROVIDER,
                authorized_on=BOUGHT_AT.date(),
            ),
        ),
    ),
    "shorter on the last day": (
        10,
        {"term": Term.P1M},
        replace(LEGACY, ends_on=ASKED_AT.date()),
        (),
    ),
    "end date beyond the term": (11, {"custom_end_on": date(2030, 1, 31)}, LEGACY, ()),
    "end date of nobody": (12, {"custom_end_on": date(2023, 5, 7)}, LEGACY, ()),
    "end date of a stranger": (12, {"align_with": "nobody"}, LEGACY, ()),
}


class TestEligibility:
    """LEG-18: the number that Partner Center has for each reason, and its error."""

    def test_the_cases_cover_every_number(self) -> None:
        """LEG-18: 0 to 12; 0 and 5 are outcomes like any other."""
        assert {code for code, *_ in CODES.values()} == set(INELIGIBLE) == set(range(13))

    @pytest.mark.parametrize("case", CODES)
    def test_a_reason_has_its_number_and_error(self, case: str, policy: Policy) -> None:
        """LEG-18."""
        code, plan, legacy, others = CODES[case]

        found = _refusal(_ask(policy, seen=_seen(*others, legacy=legacy), **plan))

        assert found.code == "MIGRATION_INELIGIBLE"
        assert found.details["eligibility"] == code
        assert found.details.get("api_error") == INELIGIBLE[code][1]
        assert found.details["eligibility_name"] == INELIGIBLE[code][0]

    @pytest.mark.parametrize(
        ("code", "error"),
        [
            pytest.param(0, 900215, id="0"),
            pytest.param(1, 900216, id="1"),
            pytest.param(2, 900217, id="2"),
            pytest.param(3, 900218, id="3"),
            pytest.param(4, 900219, id="4"),
            pytest.param(5, 900220, id="5"),
            pytest.param(6, 900222, id="6"),
            pytest.param(7, 900226, id="7"),
            pytest.param(8, None, id="8"),
            pytest.param(9, 900247, id="9"),
            pytest.param(10, 900217, id="10"),
            pytest.param(11, 900291, id="11"),
            pytest.param(12, 900292, id="12"),
        ],
    )
    def test_the_error_numbers_are_those_documented(self, code: int, error: int | None) -> None:
        """LEG-18, word by word."""
        assert INELIGIBLE[code][1] == error

    def test_a_sound_subscription_has_nothing_against_it(self, policy: Policy) -> None:
        """LEG-15: it begins at once."""
        assert _migration(_ask(policy)).state == "processing"

    @pytest.mark.parametrize(
        "legacy",
        [
            pytest.param(replace(LEGACY, platform=Platform.NCE), id="on new commerce"),
            pytest.param(replace(LEGACY, trial=True), id="trial"),
            pytest.param(replace(LEGACY, segment=Segment.EDUCATION), id="education"),
            pytest.param(replace(LEGACY, segment=Segment.GOVERNMENT), id="government"),
            pytest.param(replace(LEGACY, segment=Segment.NONPROFIT), id="nonprofit"),
        ],
    )
    def test_some_reasons_have_no_number(self, legacy: Subscription, policy: Policy) -> None:
        """LEG-18: trials and the public sector; what is there already."""
        found = _refusal(_ask(policy, seen=_seen(legacy=legacy)))

        assert found.code == "MIGRATION_INELIGIBLE"
        assert "eligibility" not in found.details

    def test_the_public_sector_migrates_from_its_launch_on(self, policy: Policy) -> None:
        """LEG-18, LEG-24: 2024-01-01."""
        launch = datetime(2024, 1, 1, tzinfo=UTC)
        seen = _seen(legacy=replace(LEGACY, segment=Segment.EDUCATION))

        before, on = _ask(policy, launch - SECOND, seen=seen), _ask(policy, launch, seen=seen)

        assert isinstance(before, Refusal)
        assert isinstance(on, Decision)

    def test_everything_is_found_at_once_where_it_is_asked_for(self, policy: Policy) -> None:
        """LEG-18: as the validation of Partner Center lists it."""
        legacy = replace(LEGACY, state="suspended", promotion_id="A:B:C")
        question = Question(
            replace(ASKED, trade_blocked=True), ASKED_AT, policy, _seen(legacy=legacy)
        )

        found = [each.details.get("eligibility") for each in objections(question)]

        assert found == [0, 3, 8]

    def test_a_subscription_of_another_customer_is_not_found(self, policy: Policy) -> None:
        """LEG-18: 900224."""
        seen = _seen(legacy=replace(LEGACY, customer="wingtip"))

        assert _refusal(_ask(policy, seen=seen)).details["api_error"] == 900224

    def test_an_indirect_reseller_cannot_ask(self, policy: Policy) -> None:
        """GEN-11: it works through its provider."""
        reseller = replace(AMY, partner_type=PartnerType.INDIRECT_RESELLER)
        event = replace(_asked("request"), actor=reseller)

        assert _refusal(decide(None, event, policy, seen=_seen())).code == "PARTNER_TYPE_DENIED"


class TestTime:
    """LEG-18: the last day of a term, and the first month."""

    @pytest.mark.parametrize(
        ("left", "plan", "code"),
        [
            pytest.param(24 * HOUR, {}, None, id="24 h"),
            pytest.param(24 * HOUR - SECOND, {}, 2, id="a second less"),
            pytest.param(SECOND, {}, 2, id="the last second"),
            pytest.param(SECOND, {"purchase_full_term": True}, None, id="a full term"),
            pytest.param(SECOND, {"term": Term.P1Y}, 10, id="a shorter term"),
            pytest.param(SECOND, {"align_month_end": True}, 10, id="an end date of its own"),
            pytest.param(24 * HOUR, {"term": Term.P1Y}, None, id="a shorter term in time"),
        ],
    )
    def test_less_than_24_hours_before_the_end_only_a_full_term_is_left(
        self, left: timedelta, plan: dict[str, Any], code: int | None, policy: Policy
    ) -> None:
        """LEG-18: codes 2 and 10; exactly 24 hours are enough."""
        answer = _ask(policy, TERM_END - left, **plan)

        found = answer.details.get("eligibility") if isinstance(answer, Refusal) else None
        assert found == code

    @pytest.mark.parametrize(
        ("bought_at", "eligible_after"),
        [
            pytest.param("2022-11-15T08:00:00", "2022-12-15T08:00:00", id="mid-month"),
            pytest.param("2022-01-31T08:00:00", "2022-02-28T08:00:00", id="a short month"),
            pytest.param("2022-12-31T23:59:59", "2023-01-31T23:59:59", id="over the year"),
        ],
    )
    def test_a_calendar_month_must_have_passed(
        self, bought_at: str, eligible_after: str, policy: Policy
    ) -> None:
        """LEG-18, GEN-05: code 7 holds to the very instant a month on, and not after it."""
        legacy = replace(LEGACY, created_at=datetime.fromisoformat(bought_at).replace(tzinfo=UTC))
        last = datetime.fromisoformat(eligible_after).replace(tzinfo=UTC)
        seen = _seen(legacy=legacy)

        assert _refusal(_ask(policy, last, seen=seen)).details["eligibility"] == 7
        assert isinstance(_ask(policy, last + SECOND, seen=seen), Decision)


class TestBundle:
    """LEG-19."""

    PARTS = (Part("a1", "a1-nce"),)

    def test_base_and_add_ons_enter_together(self, policy: Policy) -> None:
        """One migration, an event to each subscription."""
        answer = _ask(policy, seen=_seen(ADD_ON), add_ons=self.PARTS)

        assert isinstance(answer, Decision)
        assert [(each.name, each.subject) for each in answer.follow_ups] == [
            ("enter_migration", "s1"),
            ("enter_migration", "a1"),
        ]

    @pytest.mark.parametrize(
        ("age", "code"),
        [
            pytest.param(30 * DAY, None, id="30 days"),
            pytest.param(30 * DAY - SECOND, 7, id="a second less"),
        ],
    )
    def test_a_new_add_on_blocks_for_30_days(
        self, age: timedelta, code: int | None, policy: Policy
    ) -> None:
        """LEG-19: fixed days, not a month."""
        add_on = replace(ADD_ON, created_at=ASKED_AT - age)

        answer = _ask(policy, seen=_seen(add_on), add_ons=self.PARTS)

        found = answer.details.get("eligibility") if isinstance(answer, Refusal) else None
        assert found == code

    def test_what_is_suspended_or_elsewhere_is_no_active_add_on(self, policy: Policy) -> None:
        """LEG-19: only active ones must come along."""
        others = (
            replace(ADD_ON, state="suspended"),
            replace(ADD_ON, id="a2", platform=Platform.NCE),
            replace(ADD_ON, id="a3", parent="another"),
        )

        assert isinstance(_ask(policy, seen=_seen(*others)), Decision)

    def test_the_new_ids_must_be_free(self, policy: Policy) -> None:
        """Each twin is a subscription of its own."""
        twice = (Part("a1", "s1-nce"),)
        taken = replace(LEGACY, id="s1-nce")

        assert isinstance(_ask(policy, seen=_seen(ADD_ON), add_ons=twice), Refusal)
        assert isinstance(_ask(policy, seen=_seen(taken)), Refusal)


class TestSeats:
    """LEG-26: 300 seats of a small-business product on new commerce."""

    SMALL = Product("BP", smb=True)

    @pytest.mark.parametrize(
        ("held", "refused"), [pytest.param(290, False, id="300"), pytest.param(291, True, id="301")]
    )
    def test_the_limit_counts_what_is_there_already(
        self, held: int, refused: bool, policy: Policy
    ) -> None:
        """Legacy seats do not count; they are what moves."""
        there = replace(LEGACY, id="s2", platform=Platform.NCE, product=self.SMALL, quantity=held)
        still = replace(LEGACY, id="s3", product=self.SMALL, quantity=300)

        answer = _ask(policy, seen=_seen(there, still), product=self.SMALL)

        assert isinstance(answer, Refusal) is refused

    def test_the_limit_counts_what_is_on_its_way(self, policy: Policy) -> None:
        """The second request over the limit is the one that fails."""
        moving = replace(LEGACY, id="s2", state="suspended", quantity=291)
        other = replace(STARTED, id="m2", parts=(Part("s2", "s2-nce", product=self.SMALL),))

        found = _refusal(_ask(policy, seen=_seen(moving, other), product=self.SMALL))

        assert (found.code, found.rule, found.details["quantity"]) == ("SEAT_LIMIT", "LEG-26", 301)

    def test_it_may_be_reduced(self, policy: Policy) -> None:
        """LEG-26: with one seat less it goes."""
        there = replace(LEGACY, id="s2", platform=Platform.NCE, product=self.SMALL, quantity=291)

        answer = _ask(policy, seen=_seen(there), product=self.SMALL, quantity=9)

        assert isinstance(answer, Decision)


def _twin(part: Part, at: datetime, legacy: Subscription, *, started_at: datetime) -> Subscription:
    return twin(replace(STARTED, parts=(part,), started_at=started_at), part, legacy, at)


YEAR = replace(
    LEGACY,
    term=Term.P1Y,
    created_at=datetime(2021, 2, 11, 8, tzinfo=UTC),
    anchor_on=date(2021, 2, 11),
    starts_on=date(2021, 2, 11),
    ends_on=date(2022, 2, 10),
)
LEAP = replace(
    YEAR, anchor_on=date(2021, 1, 31), starts_on=date(2021, 1, 31), ends_on=date(2022, 1, 30)
)


class TestTerms:
    """LEG-20: what the twin's term is."""

    @pytest.mark.parametrize(
        ("legacy", "plan", "day", "starts_on", "ends_on"),
        [
            pytest.param(YEAR, {}, "2021-11-17", "2021-02-11", "2022-02-10", id="kept"),
            pytest.param(
                YEAR,
                {"term": Term.P1M},
                "2021-11-17",
                "2021-11-11",
                "2021-12-10",
                id="the source's",
            ),
            pytest.param(
                YEAR, {"term": Term.P1M}, "2021-12-10", "2021-11-11", "2021-12-10", id="on its end"
            ),
            pytest.param(
                YEAR, {"term": Term.P1M}, "2021-12-11", "2021-12-11", "2022-01-10", id="a day later"
            ),
            pytest.param(
                LEAP, {"term": Term.P1M}, "2021-02-28", "2021-02-28", "2021-03-30", id="month's end"
            ),
            pytest.param(
                LEGACY, {"term": Term.P1Y}, "2023-06-01", "2023-02-15", "2024-02-14", id="to a year"
            ),
            pytest.param(
                YEAR,
                {"purchase_full_term": True},
                "2021-11-17",
                "2021-11-17",
                "2022-11-16",
                id="full",
            ),
            pytest.param(
                YEAR, {"term": Term.P3Y}, "2021-11-17", "2021-11-17", "2024-11-16", id="longer"
            ),
            pytest.param(
                YEAR,
                {"custom_end_on": date(2022, 3, 31)},
                "2021-11-17",
                "2021-11-17",
                "2022-03-31",
                id="custom",
            ),
        ],
    )
    def test_the_term_is_kept_shortened_or_begun_anew(
        self,
        legacy: Subscription,
        plan: dict[str, Any],
        day: str,
        starts_on: str,
        ends_on: str,
    ) -> None:
        """LEG-20, with the source's own example."""
        at = datetime.fromisoformat(day).replace(hour=10, tzinfo=UTC)

        new = _twin(Part("s1", "s1-nce", **plan), at, legacy, started_at=at)

        assert (new.starts_on.isoformat(), new.ends_on.isoformat()) == (starts_on, ends_on)
        assert new.window_opened_at == new.created_at == at

    def test_a_new_term_starts_when_the_migration_began(self) -> None:
        """LEG-15: legacy billing has stopped since."""
        part = Part("s1", "s1-nce", purchase_full_term=True)
        began_at = datetime(2021, 11, 17, 23, tzinfo=UTC)

        new = _twin(part, began_at + 6 * HOUR, YEAR, started_at=began_at)

        assert new.starts_on == date(2021, 11, 17)

    def test_a_kept_term_that_has_run_out_meanwhile_is_followed_by_a_new_one(self) -> None:
        """LEG-16, LEG-20: processing may outlast the term."""
        began_at = datetime(2022, 2, 9, 12, tzinfo=UTC)

        new = _twin(BASE, began_at + 60 * HOUR, YEAR, started_at=began_at)

        assert (new.starts_on, new.ends_on) == (date(2022, 2, 11), date(2023, 2, 10))

    def test_what_is_not_changed_carries_over(self) -> None:
        """LEG-15: seats, billing, term, price, names; nothing of legacy's plans."""
        legacy = replace(
            YEAR, por="4711", friendly_name="office", autorenew=False, updates=7, quantity=9
        )

        new = _twin(BASE, ASKED_AT, replace(legacy, ends_on=LEGACY.ends_on), started_at=ASKED_AT)

        assert (new.quantity, new.billing, new.term, new.price) == (
            9,
            Billing.MONTHLY,
            Term.P1Y,
            PRICE,
        )
        assert (new.por, new.friendly_name, new.migrated_from) == ("4711", "office", "s1")
        assert (new.autorenew, new.updates, new.platform) == (True, 0, Platform.NCE)

    def test_another_billing_plan_needs_a_price_of_its_own(self) -> None:
        """A price is for one billing cycle."""
        part = Part("s1", "s1-nce", billing=Billing.ANNUAL)

        assert _twin(part, ASKED_AT, LEGACY, started_at=ASKED_AT).price is None


class TestSchedule:
    """LEG-21."""

    @pytest.mark.parametrize(
        "given",
        [
            pytest.param({}, id="neither"),
            pytest.param({"target_at": TARGET_AT, "migrate_on_renewal": True}, id="both"),
        ],
    )
    @pytest.mark.parametrize("shape", [Schedule, Update])
    def test_exactly_one_target_is_named(self, given: dict[str, Any], shape: type[Payload]) -> None:
        """LEG-21: `targetDate` or `migrateOnRenewal`."""
        names = {"customer": "tailspin", "subscription": "s1"} if shape is Schedule else {}

        with pytest.raises(ModelError, match="exactly one of"):
            shape(into="s1-nce", **names, **given)  # type: ignore[call-arg]

    @pytest.mark.parametrize(
        ("at", "code"),
        [
            pytest.param("2022-10-31T23:59:59", "MIGRATION_NOT_OFFERED", id="a second before"),
            pytest.param("2022-11-01T00:00:00", None, id="November 2022"),
        ],
    )
    def test_it_is_offered_from_november_2022_on(
        self, at: str, code: str | None, policy: Policy
    ) -> None:
        """LEG-21."""
        asked_at = datetime.fromisoformat(at).replace(tzinfo=UTC)

        answer = decide(None, _asked("schedule", asked_at), policy, seen=_seen())

        assert (answer.code if isinstance(answer, Refusal) else None) == code

    @pytest.mark.parametrize(
        ("ahead", "refused"),
        [pytest.param(SECOND, False, id="ahead"), pytest.param(timedelta(0), True, id="now")],
    )
    def test_its_time_lies_ahead(self, ahead: timedelta, refused: bool, policy: Policy) -> None:
        """LEG-21: what is due now is a request."""
        data = Schedule(
            into="s1-nce", customer="tailspin", subscription="s1", target_at=ASKED_AT + ahead
        )

        answer = decide(None, _asked("schedule", ASKED_AT, data), policy, seen=_seen())

        assert isinstance(answer, Refusal) is refused

    @pytest.mark.parametrize(
        ("change", "timer"),
        [
            pytest.param({}, ("target_reached", TARGET_AT), id="a day"),
            pytest.param(
                {"on_renewal": True}, ("renewal_missed", TARGET_AT + SECOND), id="on renewal"
            ),
            pytest.param({"target_at": None}, None, id="none"),
        ],
    )
    def test_its_timer_is_its_target(
        self, change: dict[str, Any], timer: tuple[str, datetime] | None
    ) -> None:
        """LEG-21: on renewal the subscription begins it; a second later it looks for itself."""
        found = timers(replace(ASKED, **change), "migration")

        assert [(each.name, each.due_at) for each in found] == ([timer] if timer else [])

    @pytest.mark.parametrize(
        ("state", "claimed"),
        [
            pytest.param(name, subject.is_live, id=name)
            for name, subject in SUBJECTS.items()
            if subject is not None
        ],
    )
    def test_it_holds_its_subscriptions_while_it_lives(self, state: str, claimed: bool) -> None:
        """LEG-18, LEG-21: one migration at a time; what is over, or may be retried, is free."""
        subject = SUBJECTS[state]

        assert bool(MIGRATION.claims(subject)) is claimed

    def test_the_claims_name_every_part(self) -> None:
        """LEG-19: add-ons too."""
        subject = replace(ASKED, parts=(BASE, Part("a1", "a1-nce")))

        assert MIGRATION.claims(subject) == ("migration of s1", "migration of a1")


class TestProcessing:
    """LEG-16, LEG-17, LEG-25."""

    def test_it_completes_at_its_earliest_instant_in_the_simulation(self, policy: Policy) -> None:
        """LEG-16, GEN-07: at once, and late after 72 hours."""
        found = timers(_migration(_ask(policy)), "migration")

        assert [(each.name, each.due_at) for each in found] == [
            ("processing_ended", ASKED_AT),
            ("processing_overdue", ASKED_AT + 72 * HOUR + SECOND),
        ]

    def test_it_waits_for_reports_where_they_are_chosen(self, reported: Policy) -> None:
        """GEN-07."""
        found = timers(_migration(_ask(reported)), "migration")

        assert [each.name for each in found] == ["processing_overdue"]

    @pytest.mark.parametrize(
        ("at", "steps"),
        [
            pytest.param("2022-06-21T23:59:59", [], id="before"),
            pytest.param("2022-06-22T00:00:00", ["MigrationStarted"], id="from then on"),
        ],
    )
    def test_events_are_told_from_22_june_2022_on(
        self, at: str, steps: list[str], policy: Policy
    ) -> None:
        """LEG-25."""
        found = _migration(_ask(policy, datetime.fromisoformat(at).replace(tzinfo=UTC)))

        assert [each.name.value for each in found.log] == steps

    @pytest.mark.parametrize(
        ("hours", "days"),
        [
            pytest.param(1, 1, id="an hour"),
            pytest.param(24, 1, id="a day"),
            pytest.param(25, 2, id="an hour more"),
            pytest.param(72, 3, id="three days"),
        ],
    )
    def test_the_gap_of_a_reverted_migration_is_not_charged(
        self, hours: int, days: int, policy: Policy
    ) -> None:
        """LEG-17: every day begun, exact to the day; December's cycle here has 31 days."""
        began_at = datetime(2022, 12, 16, tzinfo=UTC)
        broken = replace(BROKEN, started_at=began_at)
        move = Move("m1", began_at, started_at=began_at)
        seen = _seen(legacy=replace(LEGACY, state="suspended", move=move))

        answer = decide(broken, _asked("revert", began_at + hours * HOUR), policy, seen=seen)

        assert isinstance(answer, Decision)
        (fact,) = answer.facts
        wanted = -(Decimal(10 * 10 * days) / 31).quantize(Decimal("0.01"))
        assert Decimal(str(fact.data["amount"])) == wanted

    def test_a_retry_is_asked_everything_anew(self, policy: Policy) -> None:
        """LEG-17, LEG-18."""
        seen = _seen(legacy=replace(LEGACY, state="suspended"))

        answer = decide(SUBJECTS["failed"], _asked("retry"), policy, seen=seen)

        assert _refusal(answer).details["eligibility"] == 0


def _programme(*items: Item) -> Programme:
    return Programme(
        id=programme_id("contoso", "tailspin"),
        state=ProgrammeState.ENROLLED,
        changed_at=BOUGHT_AT,
        customer="tailspin",
        partner="contoso",
        enrolled_at=BOUGHT_AT,
        fulfilled=tuple(Fulfilled(item, BOUGHT_AT) for item in items),
    )


class TestProgramme:
    """LEG-14, seen from the migration; the programme itself has tests of its own."""

    @pytest.mark.parametrize("left_out", list(Item))
    def test_each_item_blocks_by_its_name(self, left_out: Item, policy: Policy) -> None:
        """LEG-09…LEG-12, LEG-14."""
        programme = _programme(*(each for each in Item if each is not left_out))

        found = _refusal(_ask(policy, seen=_seen(programme)))

        assert (found.code, found.details["missing"]) == ("CHECKLIST_INCOMPLETE", left_out)

    def test_a_complete_checklist_blocks_nothing(self, policy: Policy) -> None:
        """LEG-14."""
        assert isinstance(_ask(policy, seen=_seen(_programme(*Item))), Decision)

    def test_a_programme_of_another_distributor_blocks_nothing(self, policy: Policy) -> None:
        """LEG-14: each distributor has a checklist of its own."""
        other = replace(_programme(), id=programme_id("northwind", "tailspin"))

        assert isinstance(_ask(policy, seen=_seen(other)), Decision)

    def test_what_microsoft_leads_is_no_distributors_business(self, policy: Policy) -> None:
        """LEG-14, LEG-24."""
        seen = _seen(_programme())
        led = replace(LEAD, mover=Mover.MICROSOFT)

        answer = decide(None, _asked("lead", TERM_END, led), policy, seen=seen)

        assert _migration(answer).state == "processing"
