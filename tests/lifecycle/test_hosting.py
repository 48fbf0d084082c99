"""Hosting rights (HST): the table cell by cell, every question on both sides of its date."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sublife.events.codec import decode_snapshot, encode_snapshot
from sublife.events.packs import load_pack
from sublife.lifecycle.catalog import LIFECYCLES
from sublife.lifecycle.hosting.model import (
    ApplyHoster,
    Evaluate,
    Hosting,
    ListedProvider,
    Owner,
    Platform,
    Programme,
    Qmth,
    Register,
    Report,
    Reporting,
    ReportLine,
    Spla,
    State,
    Use,
)
from sublife.lifecycle.hosting.period import period_of
from sublife.lifecycle.machine import (
    allowed,
    decide,
    definition,
    may,
    next_timer,
    reads,
    table,
    timed_event,
    timers,
)
from sublife.lifecycle.model import (
    EMPTY,
    Actor,
    ActorKind,
    Decision,
    Event,
    ModelError,
    PartnerType,
    Payload,
    Refusal,
    Snapshot,
)
from sublife.lifecycle.partner.model import Partner
from sublife.lifecycle.partner.model import State as Standing
from sublife.lifecycle.policy import Policy, Unit

HOSTING = LIFECYCLES["hosting"]
SECOND = timedelta(seconds=1)
AMY = Actor(ActorKind.USER, "amy")
DIRECT, RESELLER = PartnerType.DIRECT_BILL, PartnerType.INDIRECT_RESELLER
SPLA = Spla(date(2021, 1, 1), date(2024, 12, 31))
_POLICY = load_pack()


def _day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _event(name: str, at: datetime, data: Payload = EMPTY) -> Event:
    return Event(f"{name} {at}", name, "hosting", at, AMY, data, None, "hosting")


def _answer(
    subject: Hosting | None,
    name: str,
    at: datetime,
    data: Payload = EMPTY,
    *,
    seen: Mapping[str, Snapshot] | None = None,
) -> Decision | Refusal:
    return decide(subject, _event(name, at, data), _POLICY, seen=seen or {})


def _accepted(subject: Hosting | None, name: str, at: datetime, data: Payload = EMPTY) -> Hosting:
    answer = _answer(subject, name, at, data)
    assert isinstance(answer, Decision), answer
    assert isinstance(answer.snapshot, Hosting)
    return answer.snapshot


def _settled(subject: Hosting, until: datetime) -> tuple[Hosting, list[tuple[str, str]]]:
    facts: list[tuple[str, str]] = []
    while (timer := next_timer(subject, "hosting")) is not None and timer.due_at <= until:
        decision = decide(subject, timed_event(subject, timer, "hosting"), _POLICY)
        assert isinstance(decision, Decision)
        assert isinstance(decision.snapshot, Hosting)
        subject = decision.snapshot
        facts.extend((fact.name, str(fact.data.get("from_on", ""))) for fact in decision.facts)
    return subject, facts


def _registered(at: str = "2021-10-01", *, listed: ListedProvider | None = None) -> Hosting:
    return _accepted(None, "register", _day(at), Register("contoso", listed))


def _in_qmth(since: str = "2021-10-15") -> Hosting:
    return _accepted(_registered(), "authorize_qmth", _day(since))


def _admitted(at: str = "2022-11-02") -> Hosting:
    return _accepted(_in_qmth(), "apply_hoster", _day(at), ApplyHoster(DIRECT, SPLA))


def _reported(subject: Hosting) -> Hosting:
    """Return the hoster as if every report had been handed in."""
    reporting = subject.qmth_reporting
    assert reporting is not None
    return replace(subject, qmth_reporting=replace(reporting, awaited=(), missed=()))


SUBJECTS: Mapping[str, Hosting] = {
    "outside": _registered(),
    "qmth": _in_qmth(),
    "csp_hoster, in qmth": _admitted(),
    "csp_hoster": _settled(_admitted(), _day("2023-02-01"))[0],
}
ASKED_AT = {
    "outside": _day("2022-12-01"),
    "qmth": _day("2022-10-20"),
    "csp_hoster, in qmth": _day("2022-11-03"),
    "csp_hoster": _day("2023-02-02"),
}
PAYLOADS: Mapping[str, Payload] = {
    "register": Register("contoso"),
    "apply_hoster": ApplyHoster(DIRECT, SPLA),
    "report": Report(Programme.QMTH, date(2021, 10, 15)),
    "evaluate": Evaluate(Use.BYOL, owner=Owner.BROUGHT),
}
TABLE: Mapping[str, str] = {
    # "=" the state stays, ">x" it becomes x, otherwise the refusal code and its rule; a star says
    # that the payload decides, so asking beforehand says yes.
    "register": " ".join(["HOSTING_BAD_STATE:HST-09"] * 4),
    "authorize_qmth": (">qmth HOSTING_BAD_STATE:HST-02 HOSTING_BAD_STATE:HST-02 QMTH_ENDED:HST-01"),
    "withdraw_qmth": "HOSTING_BAD_STATE:HST-02 >outside = HOSTING_BAD_STATE:HST-02",
    "apply_hoster": (
        "*HOSTER_REQUIREMENT:HST-10 >csp_hoster HOSTING_BAD_STATE:HST-10 HOSTING_BAD_STATE:HST-10"
    ),
    "leave_hoster": "HOSTING_BAD_STATE:HST-08 HOSTING_BAD_STATE:HST-08 >qmth >outside",
    "report": (
        "*REPORT_NOT_DUE:HST-02 *REPORT_NOT_DUE:HST-02 *REPORT_NOT_DUE:HST-02 "
        "*REPORT_NOT_DUE:HST-02"
    ),
    "evaluate": "= = = =",
}
CELLS = [
    pytest.param(name, column, outcome, id=f"{name}-{column}")
    for name, outcomes in TABLE.items()
    for column, outcome in zip(SUBJECTS, outcomes.split(), strict=True)
]


def test_the_table_has_a_cell_for_every_request_in_every_state() -> None:
    assert set(TABLE) == set(HOSTING.requests)
    assert {column.partition(",")[0] for column in SUBJECTS} == {*map(str, State)}


def test_machine_and_table_agree_on_every_cell() -> None:
    """ADR-0004: the compiled table is read off the machine."""
    machine = definition(HOSTING)

    for (event, state), cell in table(HOSTING).items():
        found = machine.events[event].transitions.get(state, []) if event in machine.events else []
        assert len(found) == (len(cell) if isinstance(cell, tuple) else 0)


@pytest.mark.parametrize(("name", "column", "outcome"), CELLS)
def test_a_request_meets_a_hoster_as_the_table_says(name: str, column: str, outcome: str) -> None:
    subject = SUBJECTS[column]

    answer = _answer(subject, name, ASKED_AT[column], PAYLOADS.get(name, EMPTY))

    if outcome[0] in "=>":
        assert isinstance(answer, Decision), answer
        assert answer.snapshot.state == (outcome[1:] or subject.state)
    else:
        assert isinstance(answer, Refusal), answer
        assert f"{answer.code}:{answer.rule}" == outcome.removeprefix("*")


@pytest.mark.parametrize(("name", "column", "outcome"), CELLS)
def test_asking_beforehand_gives_the_answer_of_the_table(
    name: str, column: str, outcome: str
) -> None:
    subject, at = SUBJECTS[column], ASKED_AT[column]
    wanted = "" if outcome[0] in "=>*" else outcome

    asked = may(subject, name, policy=_POLICY, at=at, lifecycle="hosting")

    assert (f"{asked.refusal.code}:{asked.refusal.rule}" if asked.refusal else "") == wanted
    assert (name in allowed(subject, policy=_POLICY, at=at, lifecycle="hosting")) == (not wanted)


@pytest.mark.parametrize(
    ("column", "due"),
    [
        ("outside", {}),
        ("qmth", {"qmth_ended": "2023-02-01", "qmth_period_ended": "2021-11-01"}),
        (
            "csp_hoster, in qmth",
            {
                "qmth_ended": "2023-02-01",
                "qmth_period_ended": "2022-11-02",
                "hoster_period_ended": "2022-12-01",
            },
        ),
        ("csp_hoster", {"hoster_period_ended": "2023-03-01"}),
    ],
)
def test_the_calendar_of_each_state(column: str, due: Mapping[str, str]) -> None:
    """Nothing has settled the second hoster's months, so the first is due at its admission."""
    found = {timer.name: timer.due_at for timer in timers(SUBJECTS[column], "hosting")}

    assert found == {name: _day(day) for name, day in due.items()}


# Questions.

OCTOBER, FEBRUARY = _day("2022-10-01"), _day("2023-02-01")


@dataclass(frozen=True, slots=True)
class Question:
    """A question, when it is asked, and the answer: a refusal code, or the rule that allows."""

    column: str
    ask: Evaluate
    at: datetime
    answer: str

    def __str__(self) -> str:
        return f"{self.column} {self.ask.use} {self.ask.platform} {self.ask.owner} {self.at:%Y%m%d}"


APPS, APPS_QMTH = Evaluate(Use.APPS), Evaluate(Use.APPS, under_qmth=True)
DEDICATED = Evaluate(Use.APPS, Platform.DEDICATED)
BYOL = Evaluate(Use.BYOL, owner=Owner.BROUGHT)
BYOL_DEDICATED = Evaluate(Use.BYOL, Platform.DEDICATED, Owner.BROUGHT)
PREBUILT = Evaluate(Use.PREBUILT)
PREBUILT_OWN = Evaluate(Use.PREBUILT, owner=Owner.OWN)
IN_HOUSE = Evaluate(Use.PREBUILT, owner=Owner.OWN, in_house=True)
QUESTIONS = (
    Question("outside", APPS, OCTOBER - SECOND, "QMTH_REQUIRED"),
    Question("outside", APPS, OCTOBER, "HST-03"),
    Question("outside", APPS, FEBRUARY, "HST-03"),
    Question("outside", APPS_QMTH, OCTOBER, "QMTH_REQUIRED"),
    Question("outside", APPS_QMTH, FEBRUARY - SECOND, "QMTH_REQUIRED"),
    Question("outside", APPS_QMTH, FEBRUARY, "QMTH_ENDED"),
    Question("outside", DEDICATED, OCTOBER - SECOND, "HST-09"),
    Question("reported", APPS, OCTOBER - SECOND, "HST-02"),
    Question("reported", APPS, OCTOBER, "HST-03"),
    Question("reported", APPS_QMTH, OCTOBER, "HST-02"),
    Question("qmth", Evaluate(Use.APPS, owner=Owner.OWN), OCTOBER, "HOSTER_OWN_LICENSE"),
    Question("outside", BYOL, OCTOBER - SECOND, "BYOL_NOT_YET"),
    Question("outside", BYOL, OCTOBER, "HST-05"),
    Question("outside", BYOL_DEDICATED, OCTOBER - SECOND, "BYOL_NOT_YET"),
    Question("outside", BYOL_DEDICATED, OCTOBER, "HST-05"),
    Question("outside", Evaluate(Use.BYOL, owner=Owner.OWN), OCTOBER, "HOSTER_OWN_LICENSE"),
    Question("outside", PREBUILT, OCTOBER - SECOND, "HOSTER_NOT_YET"),
    Question("outside", PREBUILT, OCTOBER, "HOSTER_REQUIREMENT"),
    Question("csp_hoster", PREBUILT, _day("2023-02-02"), "HST-04"),
    Question("csp_hoster", BYOL, _day("2023-02-02"), "HST-05"),
    Question("csp_hoster", PREBUILT_OWN, _day("2023-02-02"), "HOSTER_OWN_LICENSE"),
    Question("csp_hoster", PREBUILT_OWN, _day("2024-01-01"), "HOSTER_OWN_LICENSE"),
    Question("csp_hoster", IN_HOUSE, _day("2023-09-01") - SECOND, "HOSTER_OWN_LICENSE"),
    Question("csp_hoster", IN_HOUSE, _day("2023-09-01"), "HST-07"),
    Question(
        "outside",
        Evaluate(Use.APPS, owner=Owner.OWN, in_house=True),
        _day("2023-09-01"),
        "HOSTER_OWN_LICENSE",
    ),
)


@pytest.mark.parametrize("question", QUESTIONS, ids=str)
def test_a_question_is_answered_with_its_rule(question: Question) -> None:
    """HST-01 … HST-09: a yes names the rule, a no the code."""
    subject = SUBJECTS.get(question.column) or _reported(SUBJECTS["qmth"])

    answer = _answer(subject, "evaluate", question.at, question.ask)

    if isinstance(answer, Refusal):
        assert answer.code == question.answer
    else:
        (fact,) = answer.facts
        assert (fact.name, fact.data["rule"]) == ("hosting-right-evaluated", question.answer)
        assert answer.rules[0] == question.answer
        assert replace_version(answer.snapshot, subject) == subject


def replace_version(snapshot: Snapshot, before: Hosting) -> Snapshot:
    """Return the snapshot with nothing of the event itself: a question changes nothing else."""
    return replace(snapshot, version=before.version, changed_at=before.changed_at)


@pytest.mark.parametrize("listed", list(ListedProvider))
@pytest.mark.parametrize("platform", list(Platform))
def test_no_licences_are_brought_to_a_listed_provider(
    listed: ListedProvider, platform: Platform
) -> None:
    """HST-06: all four of them, on any platform."""
    ask = Evaluate(Use.BYOL, platform, Owner.BROUGHT)

    answer = _answer(_registered(listed=listed), "evaluate", OCTOBER, ask)

    assert isinstance(answer, Refusal)
    assert (answer.code, answer.details["provider"]) == ("LISTED_PROVIDER", listed.value)


def test_a_yes_tells_since_when_and_until_when() -> None:
    """HST-01, HST-03: both days inclusive."""
    before = _answer(_reported(SUBJECTS["qmth"]), "evaluate", OCTOBER - SECOND, APPS)
    after = _answer(SUBJECTS["outside"], "evaluate", OCTOBER, APPS)

    assert isinstance(before, Decision)
    assert isinstance(after, Decision)
    assert before.facts[0].data["until_on"] == "2023-01-31"
    assert "since_on" not in before.facts[0].data
    assert after.facts[0].data["since_on"] == "2022-10-01"
    assert "until_on" not in after.facts[0].data


# The QMTH programme.


def test_the_programme_ends_for_all_at_the_same_instant() -> None:
    """HST-01, GEN-02: 31 January 2023 is still covered."""
    before, _ = _settled(_in_qmth(), FEBRUARY - SECOND)
    after, facts = _settled(before, FEBRUARY)

    assert (before.state, after.state) == (State.QMTH, State.OUTSIDE)
    assert facts == [("qmth-ended", "")]
    assert after.qmth == Qmth(date(2021, 10, 15), date(2023, 1, 31))
    assert timers(after, "hosting") == ()


@pytest.mark.parametrize("at", [FEBRUARY, _day("2030-01-01")])
def test_nobody_is_authorized_after_the_end(at: datetime) -> None:
    """HST-01."""
    answer = _answer(_registered(), "authorize_qmth", at)

    assert isinstance(answer, Refusal)
    assert answer.code == "QMTH_ENDED"


def test_a_report_is_missed_when_the_next_month_has_ended_without_it() -> None:
    """HST-02."""
    _, facts = _settled(_in_qmth("2022-04-11"), _day("2022-06-01"))

    assert facts == [
        ("hosting-report-due", "2022-04-01"),
        ("hosting-report-missed", "2022-04-01"),
        ("hosting-report-due", "2022-05-01"),
    ]


@pytest.mark.parametrize(
    ("at", "allows"),
    [(_day("2022-05-01"), True), (_day("2022-06-01") - SECOND, True), (_day("2022-06-01"), False)],
)
def test_a_missed_report_takes_the_right_away(at: datetime, *, allows: bool) -> None:
    """HST-02."""
    subject, _ = _settled(_in_qmth("2022-04-11"), at)

    answer = _answer(subject, "evaluate", at, APPS)

    assert isinstance(answer, Decision) == allows


def test_a_late_report_brings_the_right_back() -> None:
    """HST-02."""
    at = _day("2022-06-01")
    missed, _ = _settled(_in_qmth("2022-04-11"), at)

    reported = _accepted(missed, "report", at, Report(Programme.QMTH, date(2022, 4, 30)))

    assert isinstance(_answer(reported, "evaluate", at, APPS), Decision)


# The CSP-Hoster programme.


def _partner(partner_type: PartnerType) -> Partner:
    return Partner(
        id="contoso",
        state=Standing.AUTHORIZED,
        changed_at=_day("2020-01-01"),
        customer="",
        partner="contoso",
        partner_type=partner_type,
        authorized_on=date(2020, 1, 1),
    )


TIER, AGREEMENT, QMTH = (
    "Tier 1 (direct-bill) partner",
    "valid SPLA agreement",
    "QMTH authorization over the last 12 months",
)


@pytest.mark.parametrize(
    ("known", "said", "met"),
    [
        (None, None, True),
        (None, DIRECT, True),
        (None, RESELLER, False),
        (DIRECT, RESELLER, True),
        (RESELLER, DIRECT, False),
        (PartnerType.INDIRECT_PROVIDER, None, False),
    ],
)
def test_a_hoster_is_a_tier_one_partner(
    known: PartnerType | None, said: PartnerType | None, *, met: bool
) -> None:
    """HST-10: what is known of the partner counts before what the application says."""
    seen: dict[str, Snapshot] = {"contoso": _partner(known)} if known else {}

    answer = _answer(
        SUBJECTS["qmth"], "apply_hoster", _day("2022-11-02"), ApplyHoster(said, SPLA), seen=seen
    )

    assert isinstance(answer, Decision) == met
    if isinstance(answer, Refusal):
        assert answer.details["missing"] == TIER


@pytest.mark.parametrize(
    ("spla", "met"),
    [
        (None, False),
        (Spla(date(2021, 1, 1), date(2022, 11, 1)), False),
        (Spla(date(2021, 1, 1), date(2022, 11, 2)), True),
        (Spla(date(2022, 11, 2), date(2023, 11, 1)), True),
        (Spla(date(2022, 11, 3), date(2023, 11, 2)), False),
    ],
)
def test_a_hoster_holds_a_valid_agreement(spla: Spla | None, *, met: bool) -> None:
    """HST-10: on the day of the application, both ends inclusive."""
    at = _day("2022-11-02T23:59:59")

    answer = _answer(SUBJECTS["qmth"], "apply_hoster", at, ApplyHoster(DIRECT, spla))

    assert isinstance(answer, Decision) == met
    if isinstance(answer, Refusal):
        assert answer.details["missing"] == AGREEMENT


@pytest.mark.parametrize(
    ("qmth", "at", "met"),
    [
        (None, "2022-11-02", False),
        (Qmth(date(2021, 11, 2)), "2022-11-02", True),
        (Qmth(date(2021, 11, 3)), "2022-11-02", False),
        (Qmth(date(2022, 1, 31), date(2023, 1, 31)), "2023-02-01", True),
        (Qmth(date(2022, 2, 1), date(2023, 1, 31)), "2023-02-01", False),
        (Qmth(date(2022, 1, 31), date(2023, 1, 31)), "2025-06-01", True),
        (Qmth(date(2020, 1, 1), date(2023, 1, 30)), "2025-06-01", False),
        (Qmth(date(2020, 1, 1), date(2022, 11, 1)), "2022-11-02", False),
    ],
)
def test_a_hoster_was_in_qmth_for_twelve_months(qmth: Qmth | None, at: str, *, met: bool) -> None:
    """HST-10: before the application, or before the end of the programme if that was earlier."""
    subject = replace(SUBJECTS["outside"], qmth=qmth)
    spla = Spla(date(2021, 1, 1), date(2030, 1, 1))

    answer = _answer(subject, "apply_hoster", _day(at), ApplyHoster(DIRECT, spla))

    assert isinstance(answer, Decision) == met
    if isinstance(answer, Refusal):
        assert answer.details["missing"] == QMTH


def test_an_application_reads_the_partner() -> None:
    """HST-10."""
    event = _event("apply_hoster", OCTOBER, ApplyHoster())

    assert reads(SUBJECTS["qmth"], event).subjects == ("contoso",)


@pytest.mark.parametrize(("at", "code"), [(OCTOBER - SECOND, "HOSTER_NOT_YET"), (OCTOBER, None)])
def test_the_programme_begins_with_october_2022(at: datetime, code: str | None) -> None:
    """HST-04."""
    subject = _in_qmth("2021-10-01")

    answer = _answer(subject, "apply_hoster", at, ApplyHoster(DIRECT, SPLA))

    assert (answer.code if isinstance(answer, Refusal) else None) == code


@pytest.mark.parametrize(
    ("admitted", "ends"),
    [
        ("2023-08-31", ["2023-09-01", "2023-10-01", "2024-01-01", "2024-04-01"]),
        ("2023-09-30", ["2023-10-01", "2024-01-01"]),
        ("2023-10-01", ["2024-01-01", "2024-04-01"]),
        ("2023-12-31", ["2024-01-01", "2024-04-01"]),
        ("2024-02-29", ["2024-04-01", "2024-07-01", "2024-10-01", "2025-01-01"]),
    ],
)
def test_periods_are_months_and_then_calendar_quarters(admitted: str, ends: list[str]) -> None:
    """HST-12."""
    subject = replace(_in_qmth(), qmth=Qmth(date(2021, 1, 1), date(2023, 1, 31)))
    subject = replace(subject, state=State.OUTSIDE, qmth_ends_at=None, qmth_reporting=None)
    subject = _accepted(subject, "apply_hoster", _day(admitted), ApplyHoster(DIRECT, SPLA))

    found: list[datetime] = []
    for _ in ends:
        (timer,) = timers(subject, "hosting")
        found.append(timer.due_at)
        subject, _ = _settled(subject, timer.due_at)

    assert found == [_day(end) for end in ends]


LINES = tuple(ReportLine(f"p{number}", 1) for number in range(1, 8))
NAMED = tuple(replace(line, customer="tailspin") for line in LINES)


@pytest.mark.parametrize(
    ("period_on", "lines", "fits"),
    [
        (date(2023, 9, 30), NAMED, True),
        (date(2023, 9, 30), LINES, False),
        (date(2023, 10, 1), LINES[:6], True),
        (date(2023, 10, 1), LINES, False),
        (date(2023, 10, 1), NAMED[:1], False),
        (date(2023, 12, 31), (*LINES[:6], LINES[0]), True),
        (date(2023, 12, 31), (), True),
    ],
)
def test_a_report_has_the_form_of_its_period(
    period_on: date, lines: tuple[ReportLine, ...], *, fits: bool
) -> None:
    """HST-12: six products and no tenant from October 2023 on."""
    awaited = Reporting(
        date(2024, 1, 1), _day("2024-04-01"), (date(2023, 10, 1),), (date(2023, 9, 1),)
    )
    subject = replace(SUBJECTS["csp_hoster"], hoster_reporting=awaited)
    ask = Report(Programme.CSP_HOSTER, period_on, lines)

    answer = _answer(subject, "report", _day("2024-01-10"), ask)

    assert isinstance(answer, Decision) == fits
    if isinstance(answer, Refusal):
        assert answer.code == "REPORT_UNFIT"


def test_fewer_than_no_licences_are_a_mistake() -> None:
    with pytest.raises(ModelError, match="give 0 or more"):
        ReportLine("p1", -1)


# The figures.

FIGURES: tuple[tuple[str, str, Any, Any], ...] = (
    ("qmth", "2023-02-01", True, False),
    ("shared_apps", "2022-10-01", False, True),
    ("byol", "2022-10-01", False, True),
    ("csp_hoster", "2022-10-01", False, True),
    ("hoster_in_house", "2023-09-01", False, True),
    ("hoster_qmth_months", "2023-02-01", 12, 12),
    ("qmth_report_months", "2023-02-01", 1, 1),
    ("hoster_report_months", "2023-10-01", 1, 3),
    ("hoster_report_products", "2023-10-01", 0, 6),
    ("hoster_report_tenants", "2023-10-01", True, False),
)


def test_every_figure_is_looked_at() -> None:
    assert {name for name, *_ in FIGURES} == set(HOSTING.figures)


@pytest.mark.parametrize(("name", "turns", "before", "after"), FIGURES)
def test_a_figure_turns_at_its_instant(name: str, turns: str, before: Any, after: Any) -> None:
    """GEN-09."""
    policy: Policy = _POLICY
    look = policy.allows if HOSTING.figures[name] is Unit.ALLOWED else policy.count

    assert (look(name, _day(turns) - SECOND), look(name, _day(turns))) == (before, after)


# What always holds.


@given(day=st.dates(), months=st.sampled_from([1, 2, 3, 4, 6, 12]))
def test_a_period_holds_its_day_and_begins_with_a_month(day: date, months: int) -> None:
    """HST-12."""
    if day.year == date.max.year:
        return
    first, last = period_of(day, months)

    assert first <= day <= last
    assert first.day == 1
    assert period_of(first, months) == period_of(last, months) == (first, last)


@given(
    since=st.dates(date(2021, 10, 1), date(2023, 1, 31)),
    stops=st.lists(st.datetimes(datetime(2021, 10, 1), datetime(2024, 12, 31)), max_size=6),  # noqa: DTZ001 – given its zone below
)
def test_a_late_daemon_changes_nothing(since: date, stops: list[datetime]) -> None:
    """Settling in any number of steps leads to the same hoster and the same facts."""
    subject, end = _in_qmth(since.isoformat()), _day("2025-01-01")
    at_once, all_facts = _settled(subject, end)

    stepwise, facts = subject, list[tuple[str, str]]()
    for stop in (*sorted(stop.replace(tzinfo=UTC) for stop in stops), end):
        stepwise, more = _settled(stepwise, stop)
        facts.extend(more)

    assert (stepwise, facts) == (at_once, all_facts)


@pytest.mark.parametrize("column", list(SUBJECTS))
def test_a_hoster_reads_back_as_it_was_written(column: str) -> None:
    assert decode_snapshot("hosting", encode_snapshot(SUBJECTS[column])) == SUBJECTS[column]
