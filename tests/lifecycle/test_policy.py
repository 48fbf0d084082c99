"""Dated figures and switches: what the shipped packs say, what a broken pack is told."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias, cast

import pytest

from sublife.events.document import DocumentError, parse, read
from sublife.events.packs import load_pack, shipped_packs
from sublife.lifecycle import policies as pack_files
from sublife.lifecycle.catalog import LIFECYCLES
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.model import EMPTY, Actor, ActorKind, Event, Payload, Role
from sublife.lifecycle.policy import Policy, PolicyError, Unit, policy_from
from sublife.lifecycle.subscription.model import Product, Purchase, Subscription

Settle: TypeAlias = Callable[[Subscription, datetime, Policy], Subscription]
Accept: TypeAlias = Callable[[Subscription | None, Event, Policy], Subscription]

SUBSCRIPTION = LIFECYCLES["subscription"]
PACKS = ("microsoft-csp", "microsoft-csp-est")
SHIPPED = Path(next(iter(pack_files.__path__))) / "microsoft-csp.yaml"
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
ALWAYS = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2024, 10, 1, tzinfo=UTC))
FOR_EVER = datetime(2060, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Row:
    """What a figure is at an instant.

    Args:
        figure: its name.
        at: UTC instant.
        value: as the rule has it, in its unit.
        begun_at: when the case began that it is asked for, where that matters.
        choice: the switch that is set, and how.
    """

    figure: str
    at: datetime
    value: timedelta | int | bool | Decimal
    begun_at: datetime | None = None
    choice: tuple[str, str] | None = None


def _always(figure: str, value: timedelta | int | Decimal) -> list[Row]:
    return [Row(figure, at, value) for at in (*ALWAYS, FOR_EVER)]


def _turns(figure: str, at: datetime, *, to: bool) -> list[Row]:
    """Return the rows of a figure that is one thing to the last second and another from *at* on."""
    return [
        Row(figure, ALWAYS[0], not to),
        Row(figure, at - SECOND, not to),
        Row(figure, at, to),
        Row(figure, FOR_EVER, to),
    ]


def _postponed(figure: str, at: datetime) -> list[Row]:
    """Return rows of what begins at *at* where the cut-off is postponed (LEG-24)."""
    choice = ("legacy_cutoff", "postponed")
    return [
        Row(figure, at - SECOND, value=False, choice=choice),
        Row(figure, at, value=True, choice=choice),
        Row(figure, FOR_EVER, value=True, choice=choice),
    ]


def _day(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, tzinfo=UTC)


FIGURES = [
    *_always("grace", 30 * DAY),  # SUB-04
    *_always("disabled", 90 * DAY),  # SUB-05
    *_always("suspended_disabled", 30 * DAY),  # SUB-10
    *_always("canceled_retention", 7 * DAY),  # SUB-09
    *(
        Row("canceled_retention", at, 90 * DAY, choice=("cancelled_data_retention", "ninety_days"))
        for at in (*ALWAYS, FOR_EVER)
    ),
    *_always("legacy_suspension", 90 * DAY),  # SUB-15
    *_always("trial_length", 30 * DAY),  # SUB-17
    *_always("trial_seats", 25),
    *_always("provisioning_hours", 0 * HOUR),  # GEN-07
    *_always("renewal_earliest_hours", 0 * HOUR),  # TRM-06
    *_always("renewal_latest_hours", 24 * HOUR),
    *_always("migration_earliest_hours", 0 * HOUR),  # LEG-16
    *_always("retry_after_minutes", 2),  # TRM-07
    Row("cancellation_window", ALWAYS[0], 72 * HOUR),  # TRM-10
    Row("cancellation_window", _day(2022, 3, 19) - SECOND, 72 * HOUR),
    Row("cancellation_window", _day(2022, 3, 19) - SECOND, 72 * HOUR, _day(2022, 3, 12)),
    Row("cancellation_window", _day(2022, 3, 19), 168 * HOUR),  # TRM-09
    Row("cancellation_window", _day(2022, 3, 19), 168 * HOUR, _day(2022, 3, 12)),
    Row("cancellation_window", _day(2022, 3, 19), 72 * HOUR, _day(2022, 3, 12) - SECOND),
    Row("cancellation_window", FOR_EVER, 168 * HOUR, FOR_EVER),
    *_always("seat_window", 168 * HOUR),  # TRM-15
    *_always("smb_seat_limit", 300),  # TRM-33
    *_always("update_limit", 1200),
    *_turns("coterminosity", _day(2022, 3, 10), to=True),  # TRM-21
    *_turns("three_year_billing_change", _day(2025, 4, 1), to=False),  # TRM-20
    *_turns("partner_transfer", _day(2024, 1, 1), to=True),  # TRM-29
    *_always("continuity", 30 * DAY),  # MAN-16
    *_always("doubled_subscriptions", 150),  # MAN-21
    *_turns("legacy_sale", _day(2022, 3, 10), to=False),  # LEG-22
    *_turns("legacy_sale_brazil", _day(2022, 7, 11), to=False),
    *_turns("opt_out", _day(2022, 7, 1), to=False),  # LEG-05
    *_turns("white_glove", _day(2022, 7, 11), to=False),  # LEG-08
    *_always("migration_latest_hours", 72 * HOUR),  # LEG-16, LEG-17
    *_always("migration_term_end", 24 * HOUR),  # LEG-18
    *_always("migration_minimum_age", 1),
    *_turns("public_sector_new_commerce", _day(2024, 1, 1), to=True),
    *_turns("bundle_migration", _day(2022, 3, 1), to=True),  # LEG-19
    *_always("add_on_block", 30 * DAY),
    *_turns("migration_schedule", _day(2022, 11, 1), to=True),  # LEG-21
    *_turns("migration_events", _day(2022, 6, 22), to=True),  # LEG-25
    *_always("microsoft_led_commercial", value=False),  # LEG-24
    *_always("microsoft_led_public_sector", value=False),
    *_postponed("microsoft_led_commercial", _day(2024, 1, 11)),
    *_postponed("microsoft_led_public_sector", _day(2024, 9, 1)),
    *_turns("legacy_renewal", _day(2022, 7, 11), to=False),  # LEG-01
    *(
        Row("legacy_renewal", at, value=True, choice=("legacy_cutoff", "postponed"))
        for at in (_day(2022, 6, 27), _day(2022, 7, 11), FOR_EVER)
    ),
    *_turns("end_date_times", _day(2023, 5, 10), to=True),  # GEN-02
    Row("extended_service_term", _day(2026, 5, 4), value=False, begun_at=_day(2025, 4, 1) - SECOND),
    Row("extended_service_term", _day(2026, 5, 4), value=True, begun_at=_day(2025, 4, 1)),
    Row("extended_service_term", FOR_EVER, value=True, begun_at=FOR_EVER),  # TRM-36
    *_always("extended_uplift", Decimal("0.03")),
    *_always("extended_uplift_without_monthly", Decimal("0.23")),
]


KNOWN = {
    name: unit
    for each in ("subscription", "migration", "programme")
    for name, unit in LIFECYCLES[each].figures.items()
}
"""The figures looked at here; other lifecycles look at theirs beside their rules."""


def _looked_up(policy: Policy, row: Row) -> timedelta | int | bool | Decimal:
    match KNOWN[row.figure]:
        case Unit.DAYS | Unit.HOURS:
            return policy.length(row.figure, row.at, begun_at=row.begun_at)
        case Unit.COUNT | Unit.MONTHS:
            return policy.count(row.figure, row.at)
        case Unit.PERCENT:
            return policy.rate(row.figure, row.at)
        case Unit.USD:
            return policy.amount(row.figure, row.at)
        case Unit.ALLOWED:
            return policy.allows(row.figure, row.at, begun_at=row.begun_at)


def _row_id(row: Row) -> str:
    begun = f" begun {row.begun_at:%Y-%m-%dT%H:%M:%S}" if row.begun_at else ""
    chosen = f" {row.choice[1]}" if row.choice else ""
    return f"{row.figure} {row.at:%Y-%m-%dT%H:%M:%S}{begun}{chosen}"


def test_every_figure_of_the_lifecycle_is_looked_at() -> None:
    assert {row.figure for row in FIGURES} == set(KNOWN)


def test_the_shipped_packs_are_these() -> None:
    assert shipped_packs() == PACKS
    assert load_pack().id == "microsoft-csp"


@pytest.mark.parametrize("pack", PACKS)
@pytest.mark.parametrize("row", FIGURES, ids=_row_id)
def test_a_figure_has_the_value_of_its_rule(pack: str, row: Row) -> None:
    """GEN-09: at its dates, and on both sides of each boundary."""
    policy = load_pack(pack).choosing(dict([row.choice]) if row.choice else {})

    assert _looked_up(policy, row) == row.value


@pytest.mark.parametrize(
    ("pack", "switch", "at", "option"),
    [
        pytest.param(PACKS[0], "end_of_term", FOR_EVER, "grace", id="grace for ever"),
        pytest.param(PACKS[1], "end_of_term", ALWAYS[0], "grace", id="est, long before"),
        pytest.param(
            PACKS[1], "end_of_term", _day(2026, 5, 4) - SECOND, "grace", id="est, just before"
        ),
        pytest.param(PACKS[1], "end_of_term", _day(2026, 5, 4), "est", id="est, from its day on"),
        pytest.param(PACKS[1], "end_of_term", FOR_EVER, "est", id="est for ever"),
        *(
            pytest.param(pack, switch, at, option, id=f"{pack} {switch} {at.year}")
            for pack in PACKS
            for at in (*ALWAYS, FOR_EVER)
            for switch, option in (
                ("suspended_at_term_end", "disabled"),
                ("cancelled_data_retention", "seven_days"),
                ("legacy_cutoff", "seed"),
                ("processing", "simulated"),
            )
        ),
    ],
)
def test_a_switch_is_set_as_the_conflicts_are_decided(
    pack: str, switch: str, at: datetime, option: str
) -> None:
    """0.4: defaults follow the base documents."""
    assert load_pack(pack).switch(switch, at) == option


def test_the_postponed_cutoff_holds_from_its_announcement_on(policy: Policy) -> None:
    """LEG-23: announced 2022-06-28."""
    postponed = policy.choosing({"legacy_cutoff": "postponed"})

    assert postponed.switch("legacy_cutoff", _day(2022, 6, 28) - SECOND) == "seed"
    assert postponed.switch("legacy_cutoff", _day(2022, 6, 28)) == "postponed"


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("grace", "SUB-04"),
        ("disabled", "SUB-05"),
        ("suspended_disabled", "SUB-10"),
        ("canceled_retention", "SUB-09"),
        ("legacy_suspension", "SUB-15"),
        ("trial_length", "SUB-17"),
        ("trial_seats", "SUB-17"),
        ("renewal_latest_hours", "TRM-06"),
        ("retry_after_minutes", "TRM-07"),
        ("cancellation_window", "TRM-09"),
        ("seat_window", "TRM-15"),
        ("smb_seat_limit", "TRM-33"),
        ("update_limit", "TRM-33"),
        ("coterminosity", "TRM-21"),
        ("three_year_billing_change", "TRM-20"),
        ("partner_transfer", "TRM-29"),
        ("continuity", "MAN-16"),
        ("doubled_subscriptions", "MAN-21"),
        ("legacy_sale", "LEG-22"),
        ("legacy_renewal", "LEG-01"),
        ("end_date_times", "GEN-02"),
        ("extended_service_term", "TRM-36"),
        ("extended_uplift", "TRM-36"),
        ("end_of_term", "TRM-36"),
        ("suspended_at_term_end", "SUB-10"),
        ("cancelled_data_retention", "SUB-09"),
        ("legacy_cutoff", "LEG-01"),
    ],
)
def test_a_figure_or_switch_names_its_rule(name: str, rule: str, policy: Policy) -> None:
    assert policy.rule(name) == rule


# A pack that does not say what the engine must know, or contradicts itself.

Content: TypeAlias = dict[str, Any]


def _content() -> Content:
    """Return the shipped pack as a mapping to be broken."""
    return copy.deepcopy(cast("Content", parse(read(SHIPPED), name="microsoft-csp.yaml")))


def _frozen(content: Content) -> Policy:
    """Freeze a pack against all that the lifecycles of the catalog ask for."""
    figures = {name: unit for each in LIFECYCLES.values() for name, unit in each.figures.items()}
    switches = {name: all_ for each in LIFECYCLES.values() for name, all_ in each.switches.items()}
    return policy_from(content, figures=figures, switches=switches)


def _put(path: tuple[str | int, ...], value: object) -> Callable[[Content], None]:
    def change(content: Content) -> None:
        part: Any = content
        for step in path[:-1]:
            part = part[step]
        part[path[-1]] = value

    return change


def _drop(path: tuple[str | int, ...]) -> Callable[[Content], None]:
    def change(content: Content) -> None:
        part: Any = content
        for step in path[:-1]:
            part = part[step]
        del part[path[-1]]

    return change


GRACE = ("figures", "grace")
COTERM = ("figures", "coterminosity", "spans")
WINDOW = ("figures", "cancellation_window", "spans")
END = ("switches", "end_of_term")
FIRST, SECOND_DAY, THIRD = date(2022, 3, 9), date(2022, 3, 10), date(2022, 3, 11)


@pytest.mark.parametrize(
    ("broken", "path", "says"),
    [
        pytest.param(
            _put(COTERM, [{"to": FIRST, "value": False}, {"from": THIRD, "value": True}]),
            (*COTERM, 1),
            "gap from 2022-03-09 to 2022-03-11",
            id="gap between two spans",
        ),
        pytest.param(
            _put((*GRACE, "spans"), [{"from": FIRST, "value": 30}]),
            (*GRACE, "spans", 0),
            "gap: nothing holds before",
            id="gap before the first span",
        ),
        pytest.param(
            _put((*GRACE, "spans"), [{"to": FIRST, "value": 30}]),
            (*GRACE, "spans", 0),
            "gap: nothing holds after",
            id="gap after the last span",
        ),
        pytest.param(
            _put(COTERM, [{"to": THIRD, "value": False}, {"from": FIRST, "value": True}]),
            (*COTERM, 1),
            "overlap from 2022-03-09 to 2022-03-11",
            id="overlap of two spans",
        ),
        pytest.param(
            _put(COTERM, [{"value": False}, {"from": FIRST, "value": True}]),
            (*COTERM, 1),
            "overlap",
            id="overlap with a span without an end",
        ),
        pytest.param(
            _put(
                COTERM,
                [
                    {"to": THIRD, "value": False},
                    {"from": THIRD, "to": FIRST, "value": True},
                    {"from": FIRST, "value": False},
                ],
            ),
            (*COTERM, 1),
            "",
            id="span that ends before it starts",
        ),
        pytest.param(_put(("colour",), "red"), ("colour",), '"colour"', id="unknown key"),
        pytest.param(
            _put((*GRACE, "colour"), "red"),
            (*GRACE, "colour"),
            '"colour"',
            id="unknown key of a figure",
        ),
        pytest.param(
            _put((*GRACE, "spans", 0, "until"), FIRST),
            (*GRACE, "spans", 0, "until"),
            '"until"',
            id="unknown key of a span",
        ),
        pytest.param(
            _put((*END, "colour"), "red"), (*END, "colour"), '"colour"', id="unknown switch key"
        ),
        pytest.param(
            _put((*END, "options", "est", "to"), FIRST),
            (*END, "options", "est", "to"),
            '"to"',
            id="unknown key of an option",
        ),
        pytest.param(
            _put(("figures", "graze"), {}), ("figures", "graze"), '"graze"', id="unknown figure"
        ),
        pytest.param(
            _put(("switches", "mood"), {}), ("switches", "mood"), '"mood"', id="unknown switch"
        ),
        pytest.param(_drop(GRACE), ("figures",), '"grace" is missing', id="missing figure"),
        pytest.param(_drop(END), ("switches",), '"end_of_term" is missing', id="missing switch"),
        pytest.param(_drop(("figures",)), ("figures",), "mapping", id="no figures"),
        pytest.param(_drop(("pack",)), (), '"pack" is missing', id="no name"),
        pytest.param(
            _drop((*GRACE, "rule")), GRACE, '"rule" is missing', id="figure without a rule"
        ),
        pytest.param(
            _put((*GRACE, "unit"), "hours"), (*GRACE, "unit"), "write days", id="wrong unit"
        ),
        pytest.param(
            _put((*GRACE, "unit"), "fortnights"), (*GRACE, "unit"), "write days", id="no such unit"
        ),
        pytest.param(
            _put((*GRACE, "spans", 0, "value"), -1),
            (*GRACE, "spans", 0, "value"),
            "-1 is not a number of days",
            id="negative days",
        ),
        pytest.param(
            _put((*GRACE, "spans", 0, "value"), True),
            (*GRACE, "spans", 0, "value"),
            "True is not a number of days",
            id="true days",
        ),
        pytest.param(
            _put((*GRACE, "spans", 0, "value"), Decimal("1.5")),
            (*GRACE, "spans", 0, "value"),
            "whole",
            id="half a day",
        ),
        pytest.param(
            _put((*GRACE, "spans", 0, "value"), "thirty"),
            (*GRACE, "spans", 0, "value"),
            "'thirty' is not a number of days",
            id="days in words",
        ),
        pytest.param(
            _put((*COTERM, 0, "value"), 1), (*COTERM, 0, "value"), "true or false", id="allowed 1"
        ),
        pytest.param(
            _drop((*GRACE, "spans", 0, "value")),
            (*GRACE, "spans", 0),
            '"value" is missing',
            id="span without a value",
        ),
        pytest.param(
            _put((*GRACE, "spans"), []), (*GRACE, "spans"), "at least one span", id="no spans"
        ),
        pytest.param(
            _put((*GRACE, "spans"), 30), (*GRACE, "spans"), "at least one span", id="bare value"
        ),
        pytest.param(
            _put((*COTERM, 1, "from"), "2022-03-10"),
            (*COTERM, 1, "from"),
            "is no date or instant",
            id="date in quotes",
        ),
        pytest.param(
            _put((*COTERM, 1, "from"), datetime(2022, 3, 10)),  # noqa: DTZ001 – the mistake
            (*COTERM, 1, "from"),
            "is no date or instant",
            id="instant without a zone",
        ),
        pytest.param(
            _drop((*WINDOW, 1, "earlier")),
            (*WINDOW, 1),
            "go together",
            id="begun_before without earlier",
        ),
        pytest.param(
            _drop((*WINDOW, 1, "begun_before")),
            (*WINDOW, 1),
            "go together",
            id="earlier without begun_before",
        ),
        pytest.param(
            _put(("figures", "canceled_retention", "by"), "mood"),
            ("figures", "canceled_retention", "by"),
            '"mood"',
            id="figure by a switch that is not there",
        ),
        pytest.param(
            _drop(("figures", "canceled_retention", "spans", "ninety_days")),
            ("figures", "canceled_retention", "spans"),
            "ninety_days",
            id="figure without spans for an option",
        ),
        pytest.param(
            _put((*END, "default"), "mercy"), (*END, "default"), '"mercy"', id="bad default"
        ),
        pytest.param(_put((*END, "choose"), "mercy"), (*END, "choose"), '"mercy"', id="bad choice"),
        pytest.param(
            _put((*END, "options", "mercy"), {}), (*END, "options"), "exactly", id="extra option"
        ),
        pytest.param(
            _drop((*END, "options", "est")), (*END, "options"), "exactly", id="missing option"
        ),
        pytest.param(
            _put((*END, "options", "grace", "from"), FIRST),
            (*END, "options", "grace"),
            '"from"',
            id="default that begins some day",
        ),
    ],
)
def test_a_broken_pack_is_refused_with_the_path_of_the_fault(
    broken: Callable[[Content], None], path: tuple[str | int, ...], says: str
) -> None:
    """GEN-09: no gap, no overlap, nothing unknown, nothing missing."""
    content = _content()
    broken(content)

    with pytest.raises(PolicyError) as caught:
        _frozen(content)

    said = {fault.path: fault.message for fault in caught.value.faults}
    assert path in said
    assert any(says in fault.message for fault in caught.value.faults if fault.path == path)
    assert ".".join(map(str, path)) in str(caught.value)


def test_all_faults_of_a_pack_are_told_at_once() -> None:
    content = _content()
    for change in (
        _put((*GRACE, "unit"), "hours"),
        _put((*COTERM, 0, "value"), 1),
        _drop(("figures", "disabled")),
        _put((*END, "default"), "mercy"),
    ):
        change(content)

    with pytest.raises(PolicyError) as caught:
        _frozen(content)

    paths = [fault.path for fault in caught.value.faults]
    wanted: list[tuple[str | int, ...]] = [
        (*GRACE, "unit"),
        (*COTERM, 0, "value"),
        ("figures",),
        (*END, "default"),
    ]
    assert all(path in paths for path in wanted)
    assert "microsoft-csp" in str(caught.value)


# Choosing another reading, and the content hash.


def test_choosing_another_reading_changes_the_digest_and_nothing_else(policy: Policy) -> None:
    """0.4: the hash on every fact tells the readings apart."""
    before = policy.digest

    chosen = policy.choosing({"cancelled_data_retention": "ninety_days"})

    assert chosen.digest != before == policy.digest
    assert chosen.id == policy.id
    assert chosen.length("canceled_retention", FOR_EVER) == 90 * DAY
    assert policy.length("canceled_retention", FOR_EVER) == 7 * DAY
    assert chosen.length("grace", FOR_EVER) == policy.length("grace", FOR_EVER)


def test_every_choice_has_a_digest_of_its_own(policy: Policy) -> None:
    choices = [
        {name: option} for name, options in SUBSCRIPTION.switches.items() for option in options[1:]
    ]
    both = {"end_of_term": "est", "processing": "reported"}

    digests = {policy.choosing(choice).digest for choice in ({}, *choices, both)}

    assert len(digests) == len(choices) + 2


def test_choosing_what_is_chosen_already_keeps_the_digest(policy: Policy) -> None:
    """And so does choosing there and back."""
    est = policy.choosing({"end_of_term": "est"})

    assert policy.choosing({}) is policy
    assert policy.choosing({"end_of_term": "grace"}).digest == policy.digest
    assert est.choosing({"end_of_term": "grace"}).digest == policy.digest


@pytest.mark.parametrize(
    ("choice", "path", "says"),
    [
        pytest.param(
            {"mood": "mild"}, ("switches", "mood"), 'no switch "mood"', id="unknown switch"
        ),
        pytest.param(
            {"end_of_term": "mercy"},
            ("switches", "end_of_term"),
            'no option "mercy"; choose one of grace, est',
            id="unknown option",
        ),
    ],
)
def test_a_choice_that_is_not_there_is_refused(
    choice: dict[str, str], path: tuple[str | int, ...], says: str, policy: Policy
) -> None:
    """0.4."""
    with pytest.raises(PolicyError) as caught:
        policy.choosing(choice)

    (fault,) = caught.value.faults
    assert fault.path == path
    assert says in fault.message


def test_the_digest_is_that_of_the_content_whatever_the_order_of_its_keys(policy: Policy) -> None:
    def turned(part: Any) -> Any:
        if isinstance(part, dict):
            items = list(cast("dict[str, Any]", part).items())
            return {key: turned(value) for key, value in reversed(items)}
        return part

    assert _frozen(_content()).digest == policy.digest
    assert _frozen(turned(_content())).digest == policy.digest
    assert len(policy.digest) == 64
    assert policy.version == f"microsoft-csp@{policy.digest[:16]}"


def test_a_changed_figure_changes_the_digest(policy: Policy) -> None:
    content = _content()
    _put((*GRACE, "spans", 0, "value"), 31)(content)

    assert _frozen(content).digest != policy.digest


def test_a_policy_cannot_be_changed(policy: Policy) -> None:
    with pytest.raises(AttributeError):
        policy.digest = "0" * 64  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(TypeError):
        policy.figures["grace"] = policy.figures["disabled"]  # type: ignore[index]  # pyright: ignore[reportIndexIssue]


# Packs as files.

AMY = Actor(ActorKind.USER, "amy", Role.ADMIN_AGENT, partner="contoso")


def _lapsing(policy: Policy, accept: Accept, settle: Settle) -> Subscription:
    """Return a subscription in the first instant after its term ended on 2025-09-30."""
    at = datetime(2024, 10, 1, 8, tzinfo=UTC)

    def request(name: str, data: Payload = EMPTY) -> Event:
        return Event(name, name, "s1", at, AMY, data)

    ask = Purchase("tailspin", "contoso", Product("E3"), 1, Term.P1Y, Billing.MONTHLY)
    active = settle(accept(None, request("purchase", ask), policy), at, policy)
    ending = accept(active, request("turn_autorenew_off"), policy)
    return settle(ending, datetime(2025, 10, 1, tzinfo=UTC), policy)


def _copied(folder: Path, *changes: tuple[str, str], name: str = "own.yaml") -> Path:
    """Copy the shipped pack with some of its text changed."""
    text = read(SHIPPED)
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def _line(path: Path, text: str) -> int:
    """Return the number of the one line that holds *text*."""
    (number,) = (number for number, line in enumerate(read(path).splitlines(), 1) if text in line)
    return number


GRACE_SPAN = '{value: 30, source: "S4:124,126; P01"}'


@pytest.mark.parametrize("days", [1, 10, 45])
def test_a_copied_pack_with_another_figure_changes_the_decision(
    days: int, tmp_path: Path, policy: Policy, accept: Accept, settle: Settle
) -> None:
    """SUB-04, GEN-09: figures are data, no code changes."""
    own = load_pack(str(_copied(tmp_path, (GRACE_SPAN, f"{{value: {days}}}"))))

    lapsed = _lapsing(own, accept, settle)

    assert (lapsed.state, lapsed.lapse_ends_at) == ("grace", _day(2025, 10, 1) + days * DAY)
    assert _lapsing(policy, accept, settle).lapse_ends_at == _day(2025, 10, 31)
    assert own.digest != policy.digest


def test_a_pack_without_a_grace_goes_straight_to_disabled(
    tmp_path: Path, accept: Accept, settle: Settle
) -> None:
    """SUB-01: expired and disabled at the same instant."""
    own = load_pack(str(_copied(tmp_path, (GRACE_SPAN, "{value: 0}"))))

    lapsed = _lapsing(own, accept, settle)

    assert (lapsed.state, lapsed.deleted_at) == ("disabled", _day(2025, 10, 1) + 90 * DAY)


def test_a_figure_may_change_some_day(tmp_path: Path, accept: Accept, settle: Settle) -> None:
    """GEN-09: the figure in force when the grace begins."""
    spans = "{to: 2025-10-01, value: 30}\n      - {from: 2025-10-01, value: 14}"
    own = load_pack(str(_copied(tmp_path, (GRACE_SPAN, spans))))

    assert _lapsing(own, accept, settle).lapse_ends_at == _day(2025, 10, 15)


def test_a_pack_that_extends_another_changes_only_what_it_says(
    tmp_path: Path, policy: Policy
) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(
        "pack: own\n"
        "extends: microsoft-csp\n"
        "choose: {cancelled_data_retention: ninety_days}\n"
        "figures:\n"
        "  grace: {unit: days, rule: SUB-04, spans: [{value: 10}]}\n",
        encoding="utf-8",
    )

    own = load_pack(str(path))

    assert own.id == "own"
    assert own.length("grace", FOR_EVER) == 10 * DAY
    assert own.length("canceled_retention", FOR_EVER) == 90 * DAY
    assert own.length("disabled", FOR_EVER) == policy.length("disabled", FOR_EVER)


def test_the_packs_have_digests_of_their_own() -> None:
    assert len({load_pack(name).digest for name in PACKS}) == len(PACKS)


@pytest.mark.parametrize(
    ("old", "new", "marker", "says"),
    [
        pytest.param(
            "    unit: days\n    rule: SUB-04",
            "    unit: weeks\n    rule: SUB-04",
            "unit: weeks",
            'figures.grace.unit: "weeks" is the wrong unit; write days',
            id="wrong unit",
        ),
        pytest.param(
            GRACE_SPAN, "{value: -30}", "{value: -30}", "figures.grace.spans.0.value", id="value"
        ),
        pytest.param(
            "{from: 2024-01-01, value: true, source: P41}",
            "{from: 2024-02-01, value: true, source: P41}",
            "{from: 2024-02-01",
            "gap from 2024-01-01 to 2024-02-01",
            id="gap",
        ),
        pytest.param(
            "  update_limit:",
            "  update_limits:",
            "update_limits:",
            'unknown figure "update_limits"',
            id="unknown figure",
        ),
        pytest.param(
            "    rule: SUB-15",
            "    rules: SUB-15",
            "rules: SUB-15",
            'unknown key "rules"',
            id="unknown key",
        ),
        pytest.param(
            "    default: simulated",
            "    default: instant",
            "default: instant",
            '"instant" is none of simulated, reported',
            id="bad default",
        ),
    ],
)
def test_a_broken_pack_file_is_told_with_file_line_and_remedy(
    old: str, new: str, marker: str, says: str, tmp_path: Path
) -> None:
    path = _copied(tmp_path, (old, new))

    with pytest.raises(DocumentError) as caught:
        load_pack(str(path))

    lines = [line for line in caught.value.lines if says in line]
    assert [line.split(": ")[0] for line in lines] == [f"{path}:{_line(path, marker)}"]


def test_a_missing_figure_is_told_at_the_figures(tmp_path: Path) -> None:
    cut = "  update_limit:\n    unit: count\n    rule: TRM-33\n    spans:\n      - {value: 1200"
    path = _copied(tmp_path, (cut + ", source: P02}\n", ""))

    with pytest.raises(DocumentError) as caught:
        load_pack(str(path))

    assert caught.value.faults == (
        (_line(path, "figures:"), 'figures: figure "update_limit" is missing; add it'),
    )


def test_all_faults_of_a_pack_file_are_told_in_the_order_of_its_lines(tmp_path: Path) -> None:
    path = _copied(
        tmp_path,
        (GRACE_SPAN, "{value: -30}"),
        ("    default: simulated", "    default: instant"),
        ("{value: 1200, source: P02}", "{value: many}"),
    )

    with pytest.raises(DocumentError) as caught:
        load_pack(str(path))

    assert [line for line, _ in caught.value.faults] == [
        _line(path, "default: instant"),
        _line(path, "{value: -30}"),
        _line(path, "{value: many}"),
    ]


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        pytest.param("pack: own\nfigures: [\n", 3, "YAML", id="no YAML"),
        pytest.param("pack: own\npack: other\n", 2, 'key "pack" stands twice', id="key twice"),
        pytest.param("- own\n", 1, "must be a mapping", id="no mapping"),
        pytest.param("", 1, "must be a mapping", id="empty"),
        pytest.param("pack: own\ncolour: red\n", 2, 'unknown key "colour"', id="unknown key"),
        pytest.param("pack: own\nfigures: 30\n", 2, "must be a mapping", id="figures no mapping"),
        pytest.param(
            "pack: own\nextends: microsoft-csp\nchoose:\n  mood: mild\n",
            4,
            'no switch "mood"',
            id="choice of an unknown switch",
        ),
        pytest.param(
            "pack: own\nextends: microsoft-csp\nchoose:\n  end_of_term: mercy\n",
            4,
            '"mercy"',
            id="choice of an unknown option",
        ),
    ],
)
def test_a_pack_file_of_the_wrong_shape_is_told_with_its_line(
    text: str, line: int, says: str, tmp_path: Path
) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(DocumentError) as caught:
        load_pack(str(path))

    assert caught.value.name == str(path)
    assert [number for number, message in caught.value.faults if says in message] == [line]


def test_a_fault_in_the_pack_that_is_extended_is_told_with_its_own_file_and_line(
    tmp_path: Path,
) -> None:
    base = _copied(tmp_path, (GRACE_SPAN, "{value: -30}"), name="base.yaml")
    path = tmp_path / "own.yaml"
    path.write_text("pack: own\nextends: base.yaml\n", encoding="utf-8")

    with pytest.raises(DocumentError) as caught:
        load_pack(str(path))

    assert f"{base}:{_line(base, '{value: -30}')}: figures.grace" in str(caught.value)


def test_packs_that_extend_each_other_are_refused(tmp_path: Path) -> None:
    for name, other in (("one", "two"), ("two", "one")):
        text = f"pack: {name}\nextends: {other}.yaml\n"
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")

    with pytest.raises(DocumentError, match="extends"):
        load_pack(str(tmp_path / "one.yaml"))


def test_a_pack_that_extends_itself_is_refused_with_the_line(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("pack: own\nextends: own.yaml\n", encoding="utf-8")

    with pytest.raises(DocumentError) as caught:
        load_pack(str(path))

    assert [line for line, _ in caught.value.faults] == [2]


def test_an_unknown_pack_is_told_with_those_that_there_are() -> None:
    with pytest.raises(DocumentError) as caught:
        load_pack("microsoft")

    assert 'no shipped pack "microsoft"' in str(caught.value)
    assert "microsoft-csp, microsoft-csp-est" in str(caught.value)


def test_a_pack_file_that_is_not_there_is_told_by_name(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"

    with pytest.raises(DocumentError) as caught:
        load_pack(str(path))

    assert str(path) in str(caught.value)
    assert "cannot be read" in str(caught.value)


def test_a_pack_file_that_is_no_text_is_told_so(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_bytes(b"pack: \xff\xfe")

    with pytest.raises(DocumentError, match="no UTF-8 text"):
        load_pack(str(path))
