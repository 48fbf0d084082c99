"""Late equals punctual for every scenario, and for random requests to subjects that look at others.

Nobody wakes before the end, so each request has to see to what was due before it (GEN-08).
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from sublife.events.packs import load_pack
from sublife.lifecycle.customer.model import AcceptAgreement, Create, WithPartner
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.migration.model import Schedule as ScheduleMigration
from sublife.lifecycle.model import (
    EMPTY,
    Actor,
    ActorKind,
    Event,
    PartnerType,
    Payload,
    Refusal,
    Role,
)
from sublife.lifecycle.partner.model import Enrol as EnrolPartner
from sublife.lifecycle.partner.model import RecordRevenue, Revenue, SupportPlan, TakeSupportPlan
from sublife.lifecycle.programme import Enrol, Fulfil, Item
from sublife.lifecycle.subscription.model import (
    Platform,
    Product,
    Purchase,
    SetPor,
    Suspend,
)
from sublife.lifecycle.transfer.model import (
    EaSubscription,
    RecordAgreement,
    RenewAgreement,
    Schedule,
)
from sublife.scheduler.scenario import load
from tests.acceptance.test_properties import RANDOM, SCENARIOS, Life, Lived, Wakes
from tests.scale import sized

CHAPTERS = sorted(each.name for each in SCENARIOS.iterdir() if each.is_dir())


def same(life: Life) -> Lived:
    """See that a life is the same whether the calendar is in time or late; return it."""
    punctual, late = Lived(life), Lived(life, wakes=Wakes.AT_THE_END)
    assert late.told() == punctual.told()
    assert late.store.digest() == punctual.store.digest()
    assert late.store.all() == punctual.store.all()
    assert late.mistakes == punctual.mistakes
    assert (late.stuck, punctual.stuck) == ([], [])
    return late


def scripts(chapter: str) -> list[Path]:
    """Return the scenarios of a chapter."""
    found = sorted((SCENARIOS / chapter).rglob("*.yaml"))
    return [each for each in found if "packs" not in each.parts]


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_scenario_is_the_same_late(chapter: str) -> None:
    """What is asked in it, with nobody awake in between, writes the history it describes."""
    lived = 0
    for path in scripts(chapter):
        scenario = load(path)
        asked = [*scenario.given, *(act.event for act in scenario.acts if act.event is not None)]
        if asked:
            same(Life(scenario.policy, tuple(asked)))
            lived += 1

    assert lived


AMY = Actor(ActorKind.USER, "amy", Role.ADMIN_AGENT, "contoso", PartnerType.DIRECT_BILL)
GUS = Actor(ActorKind.USER, "gus", Role.GLOBAL_ADMIN, "contoso")
ULLA = Actor(ActorKind.USER, "ulla", Role.GLOBAL_ADMIN)
MICROSOFT = Actor(ActorKind.MICROSOFT, "microsoft")
E3 = Product("E3", "Office E3", rank=3)
DAY = timedelta(days=1)
BEGIN = datetime(2021, 11, 20, 8, tzinfo=UTC)
"""When everything is sold; the terms end, and Contoso is judged, a year later."""
PLANNED = datetime(2022, 11, 5, 8, tzinfo=UTC)
"""When customers plan what falls due in the weeks after."""
WEEKS = 60
"""Days in which something falls due and something is asked."""
CUSTOMERS = ("tailspin", "wingtip")


class Script:
    """Events with ids of their own, put down one after another."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def ask(
        self,
        at: datetime,
        name: str,
        subject: str,
        data: Payload = EMPTY,
        lifecycle: str = "subscription",
        by: Actor = AMY,
    ) -> None:
        """Put down a request."""
        number = len(self.events)
        self.events.append(Event(f"event-{number}", name, subject, at, by, data, None, lifecycle))

    def life(self) -> Life:
        """Return all of it in order of time."""
        return Life(load_pack(), tuple(sorted(self.events, key=lambda each: each.at)))


@st.composite
def plans(draw: st.DrawFn, customers: Sequence[str] = CUSTOMERS) -> Script:
    """Draw what customers have with one partner, and what they plan."""
    script = Script()
    if draw(st.booleans()):
        _direct(draw, script)
    for customer in customers:
        _begun(draw, script, customer)
        _planned(draw, script, customer)
    return script


@st.composite
def mixtures(draw: st.DrawFn) -> Life:
    """Draw what two customers have with one partner, what they plan, and what they ask for then."""
    script = draw(plans())
    for _ in range(draw(st.integers(4, 12))):
        at = PLANNED + draw(st.integers(1, WEEKS * 24)) * timedelta(hours=1)
        name, subject, data, lifecycle, by = draw(st.sampled_from(_requests()))
        script.ask(at, name, subject, data, lifecycle, by)
    return script.life()


def _direct(draw: st.DrawFn, script: Script) -> None:
    """Let Contoso be a direct-bill partner that is judged in these weeks; it may fall short."""
    at = BEGIN.replace(year=2019) + draw(st.integers(0, 40)) * DAY
    direct = EnrolPartner(PartnerType.DIRECT_BILL, support_plan=SupportPlan("ASfP", at.date()))
    script.ask(at, "enrol", "contoso", direct, "partner", MICROSOFT)
    years = (2020, 2021, 2022) if draw(st.booleans()) else (2020, 2021)
    days = [date(year, 3, 1) for year in years]
    lines = tuple(Revenue(on, Decimal(400_000), paid_on=on) for on in days)
    script.ask(at, "record_revenue", "contoso", RecordRevenue(lines), "partner", MICROSOFT)


def _begun(draw: st.DrawFn, script: Script, customer: str) -> None:
    """Let a customer have a tenant, two legacy subscriptions with an add-on, and one beside."""
    if draw(st.booleans()):
        script.ask(BEGIN, "create", customer, Create("contoso", "DE"), "customer")
        accepted = AcceptAgreement("ulla")
        script.ask(BEGIN, "accept_agreement", customer, accepted, "customer", ULLA)
    sold: list[tuple[str, int, dict[str, Any]]] = [
        ("1", draw(st.integers(0, 10)), {}),
        ("2", draw(st.integers(0, 10)), {}),
        ("3", 11, {"add_on_to": f"{customer}-1"}),
    ]
    for number, days, more in sold:
        bought = Purchase(
            customer, "contoso", E3, 5, Term.P1Y, Billing.MONTHLY, platform=Platform.LEGACY, **more
        )
        script.ask(BEGIN + days * DAY, "purchase", f"{customer}-{number}", bought)


def _planned(draw: st.DrawFn, script: Script, customer: str) -> None:
    """Let it plan a transfer, a migration and a programme, each for a day of its own."""
    beside = Purchase(customer, "contoso", E3, 3, Term.P1Y, Billing.MONTHLY)
    script.ask(PLANNED, "purchase", f"{customer}-0", beside)
    aligned = draw(st.sampled_from([None, f"{customer}-0"]))
    over = PLANNED.date() + draw(st.integers(2, WEEKS)) * DAY
    agreement = RecordAgreement(customer, over, (EaSubscription(f"{customer}-ea-sub", E3, 30),))
    script.ask(PLANNED, "record_agreement", f"{customer}-ea", agreement, "agreement", MICROSOFT)
    transfer = Schedule(
        f"{customer}-ea",
        f"{customer}-ea-sub",
        customer,
        "contoso",
        f"{customer}-csp",
        Term.P1Y,
        Billing.MONTHLY,
        align_with=aligned,
    )
    script.ask(PLANNED, "schedule", f"{customer}-move", transfer, "transfer")
    migration = ScheduleMigration(
        customer=customer,
        subscription=f"{customer}-2",
        into=f"{customer}-nce",
        target_at=PLANNED + draw(st.integers(2, WEEKS)) * DAY,
        align_with=aligned,
        por=draw(st.sampled_from(["", "fabrikam"])),
    )
    script.ask(PLANNED, "schedule", f"{customer}-migration", migration, "migration", GUS)
    programme = f"contoso/{customer}"
    script.ask(PLANNED, "enrol", programme, Enrol(customer, "contoso"), "programme", GUS)
    for item in draw(st.sampled_from([(), tuple(Item)[1:], tuple(Item)])):
        script.ask(PLANNED, "fulfil", programme, Fulfil(item, "1"), "programme", GUS)


def _requests() -> list[tuple[str, str, Payload, str, Actor]]:
    """Return what may be asked for while all that falls due."""
    reseller = EnrolPartner(PartnerType.INDIRECT_RESELLER, provider="contoso")
    plan = TakeSupportPlan("ASfP", date(2023, 8, 31))
    found: list[tuple[str, str, Payload, str, Actor]] = [
        ("enrol", "fabrikam", reseller, "partner", MICROSOFT),
        ("sign_mpa", "fabrikam", EMPTY, "partner", MICROSOFT),
        ("enrol", "contoso", reseller, "partner", MICROSOFT),
        ("take_support_plan", "contoso", plan, "partner", MICROSOFT),
        ("cancel", "nobody", EMPTY, "subscription", AMY),
    ]
    for customer in CUSTOMERS:
        renewed = RenewAgreement(date(2025, 9, 30))
        bought = Purchase(customer, "contoso", E3, 2, Term.P1Y, Billing.MONTHLY)
        found += [
            ("end_relationship", customer, WithPartner("contoso"), "customer", ULLA),
            ("renew_agreement", f"{customer}-ea", renewed, "agreement", MICROSOFT),
            ("cancel_schedule", f"{customer}-move", EMPTY, "transfer", AMY),
            ("cancel", f"{customer}-migration", EMPTY, "migration", GUS),
            (
                "fulfil",
                f"contoso/{customer}",
                Fulfil(Item.PARTNER_AGREEMENT, "1"),
                "programme",
                GUS,
            ),
            ("opt_out", f"contoso/{customer}", EMPTY, "programme", GUS),
            ("cancel", f"{customer}-0", EMPTY, "subscription", AMY),
            ("purchase", f"{customer}-csp", bought, "subscription", AMY),
            ("purchase", f"{customer}-new", bought, "subscription", AMY),
            ("set_por", f"{customer}-0", SetPor("fabrikam"), "subscription", AMY),
            *(
                (name, f"{customer}-{number}", data, "subscription", AMY)
                for number in (0, 1)
                for name, data in (
                    ("suspend", Suspend(("non-payment",))),
                    ("turn_autorenew_off", EMPTY),
                )
            ),
        ]
    return found


@given(life=mixtures())
@profile(RANDOM, max_examples=sized(15, 40))
def test_late_equals_punctual_for_subjects_that_look_at_each_other(life: Life) -> None:
    """GEN-08, GEN-09: transfers, migrations, programmes and partners find what they would have."""
    same(life)


def test_such_mixtures_are_lived() -> None:
    """They are no empty pages: what is planned happens or fails, what is asked is taken or not."""
    seen: set[str] = set()

    @given(life=mixtures())
    @profile(RANDOM, max_examples=40, database=None, derandomize=True)
    def look(life: Life) -> None:
        for each in Lived(life).entries():
            what = "refused" if isinstance(each.outcome, Refusal) else each.state
            seen.add(f"{each.event.lifecycle} {what}")

    look()

    assert seen >= {
        "transfer completed",
        "transfer failed",
        "migration completed",
        "migration failed",
        "partner restricted",
        "partner authorized",
        "subscription grace",
        "subscription refused",
        "customer unrelated",
    }
