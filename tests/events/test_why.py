"""why(): what decided a fact, an event or a refusal, by deciding it again."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sublife.events.packs import load_pack
from sublife.events.store import Store, StoreError
from sublife.events.why import Explanation, UnknownIdError, why
from sublife.lifecycle.subscription.model import ChangeSeats, Product, Upgrade
from sublife.lifecycle.tracing import Watch, unwatched

if TYPE_CHECKING:
    from tests.events.conftest import Desk

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
SOLD_AT = datetime(2024, 10, 1, 2, 35, tzinfo=UTC)
TERM_END = datetime(2025, 10, 1, tzinfo=UTC)
AFTERWARDS = datetime(2023, 8, 1, tzinfo=UTC)
OWN_PACK = """\
pack: short-grace
title: Ten days of grace
extends: microsoft-csp
figures:
  grace:
    unit: days
    rule: SUB-04
    spans:
      - {to: 2025-06-01, value: 30, source: "P01"}
      - {from: 2025-06-01, value: 10, source: our own rule}
"""


def timer(name: str, at: datetime, version: int, subject: str = "s1") -> str:
    return f"timer:{subject}/{name}/{at:%Y-%m-%dT%H:%M:%SZ}/{version}"


def lapse(desk: "Desk") -> None:
    """Sell a year that is not renewed, and let all of it happen."""
    desk.sell("s1", autorenew=False)
    desk.wake(TERM_END + 120 * DAY)


GRACE = timer("expiry_ended", TERM_END, 3)


class TestFact:
    def test_it_says_what_happened_to_whom_and_when_it_was_written(self, desk: "Desk") -> None:
        """Both instants: when it happened, and when it was written down."""
        lapse(desk)

        found = why(desk.store, f"{GRACE}#0")

        assert found.fact == "subscription-grace-started"
        assert found.data == {"ends_at": "2025-10-31T00:00:00Z"}
        assert (found.happened.event, found.happened.subject) == ("expiry_ended", "s1")
        assert found.happened.actor == "timer expiry_ended"
        assert found.happened.effective_at == TERM_END
        assert found.happened.recorded_at == TERM_END + 120 * DAY
        assert (found.happened.state_before, found.happened.state) == ("expired", "grace")

    def test_it_says_each_rule_with_its_source_and_how_it_was_read(self, desk: "Desk") -> None:
        """SUB-01, SUB-04: as the rules' own files have it."""
        lapse(desk)

        rules = {rule.id: rule for rule in why(desk.store, f"{GRACE}#0").rules}

        assert list(rules) == ["SUB-01", "SUB-04"]
        assert rules["SUB-04"].says.startswith("Grace, shown as expired on the wire, lasts exactly")
        assert rules["SUB-04"].source == "S4:124,126; P01"
        assert "Expired and a 30-day grace count as two states" in rules["SUB-01"].decision

    def test_it_says_the_figures_and_switches_that_were_asked_for(self, desk: "Desk") -> None:
        """GEN-09: with value, rule, validity and source of the pack, and no others."""
        lapse(desk)

        found = why(desk.store, f"{GRACE}#0")

        assert found.policy == load_pack().version
        assert [(each.name, each.value, each.rule, each.source) for each in found.figures] == [
            ("grace", "30 days", "SUB-04", "S4:124,126; P01")
        ]
        assert [(each.name, each.option, each.rule) for each in found.switches] == [
            ("end_of_term", "grace", "TRM-36")
        ]

    def test_it_says_what_was_read_of_the_subject_before_and_after(self, desk: "Desk") -> None:
        """What decided, not the whole snapshot; copying a field on is no reading."""
        lapse(desk)

        values = {each.name: each for each in why(desk.store, f"{GRACE}#0").values}

        assert (values["state"].before, values["state"].after) == ("expired", "grace")
        assert values["ends_on"].before == values["ends_on"].after == "2025-09-30"
        assert values["state"].is_own
        assert not {"friendly_name", "order_id", "price", "quantity"} & values.keys()

    def test_it_writes_the_dates_out(self, desk: "Desk") -> None:
        """SUB-04: the end of the grace by the figure that was used."""
        lapse(desk)

        found = why(desk.store, f"{GRACE}#0")

        assert [each.text for each in found.dates] == [
            "expiry_ended 2025-10-01T00:00:00Z + 30 d grace (SUB-04) = 2025-10-31T00:00:00Z"
        ]
        assert found.dates[0].name == "ends_at, lapse_ends_at"
        assert [each.text for each in found.next] == [
            "lapse_ends_at 2025-10-31T00:00:00Z = 2025-10-31T00:00:00Z"
        ]

    def test_it_goes_back_to_who_asked_for_it_all(self, desk: "Desk") -> None:
        """GEN-02, GEN-05: each link says how it led on, and how the date came about."""
        lapse(desk)

        chain = why(desk.store, f"{timer('grace_ended', TERM_END + 30 * DAY, 4)}#0").chain

        assert [(link.happened.event, link.led) for link in chain] == [
            (
                "expiry_ended",
                "it set lapse_ends_at 2025-10-31T00:00:00Z, and grace_ended is due then",
            ),
            ("term_ended", "expiry_ended is due at its instant"),
            ("purchase", "it set ends_on 2025-09-30, and term_ended is due then"),
        ]
        assert chain[0].dates[0].text == (
            "expiry_ended 2025-10-01T00:00:00Z + 30 d grace (SUB-04) = 2025-10-31T00:00:00Z"
        )
        assert chain[2].dates[0].text == (
            "anchor_on 2024-10-01 + 12 months (term P1Y) - 1 d (inclusive end date, GEN-02) "
            "= 2025-09-30"
        )
        assert chain[2].happened.actor == "user amy"
        assert not why(desk.store, f"{GRACE}#0").cut


def test_an_event_is_explained_as_a_whole(desk: "Desk") -> None:
    """Its request, and the rules of all its facts."""
    desk.sell("s1")
    desk.do("add_seats", "s1", SOLD_AT + DAY, ChangeSeats(5), event_id="more")

    found = why(desk.store, "more")

    assert found.fact is None
    assert found.data == {"quantity": 5}
    assert found.happened.facts == ("subscription-quantity-changed",)
    assert found.chain == ()
    assert {each.name: (each.before, each.after) for each in found.values}["quantity"] == (30, 35)


def test_an_activity_record_is_explained_by_its_fact(desk: "Desk") -> None:
    """EVT-04: the record of a renewal leads to the renewal."""
    desk.sell("s1")
    desk.wake(TERM_END)
    record = next(each for each in desk.store.records() if each.fact == "subscription-renewed")

    found = why(desk.store, record.id)

    assert "subscription-renewed" in found.happened.facts
    assert found.happened.event_id == record.event_id


def test_a_second_record_of_an_event_has_the_fact_of_its_own(desk: "Desk") -> None:
    """EVT-06: ids of further records end with their number, from 2."""
    lapse(desk)
    records = [each for each in desk.store.records() if "#" in each.id]

    assert all(why(desk.store, each.id).fact == each.fact for each in records)


class TestRefusal:
    def test_it_says_the_rule_the_figures_and_what_would_have_been_allowed(
        self, desk: "Desk"
    ) -> None:
        """TRM-12: the window was open for 168 hours."""
        desk.sell("s1")
        desk.do("cancel", "s1", SOLD_AT + 8 * DAY, event_id="too-late")

        found = why(desk.store, "too-late")

        assert found.refusal is not None
        assert (found.refusal.code, found.refusal.rule) == ("CANCEL_WINDOW_CLOSED", "TRM-12")
        assert found.refusal.accepted_in == ("active", "suspended")
        assert "add_seats" in found.refusal.allowed
        assert "cancel" not in found.refusal.allowed
        assert [(each.name, each.value) for each in found.figures] == [
            ("cancellation_window", "168 hours")
        ]
        (closed,) = found.dates
        assert closed.text == (
            "window_opened_at 2024-10-01T02:35:00Z + 168 h cancellation_window (TRM-09) "
            "= 2024-10-08T02:35:00Z"
        )
        assert found.doubts == ()

    def test_a_refusal_by_the_state_says_where_the_request_is_taken(self, desk: "Desk") -> None:
        """Table 1.2: a cell that refuses reads nothing but the state."""
        lapse(desk)
        desk.do("add_seats", "s1", TERM_END + 121 * DAY, ChangeSeats(5), event_id="dead")

        found = why(desk.store, "dead")

        assert found.refusal is not None
        assert found.refusal.code == "BAD_STATE"
        assert found.refusal.accepted_in == ("active",)
        assert found.doubts == ()

    def test_what_was_never_born_can_be_refused_and_explained(self, desk: "Desk") -> None:
        """TRM-02: a plan that does not exist."""
        desk.sell("s1", product=Product("E3", plans=("P1M/monthly",)))
        refused = next(iter(desk.store.history("s1")))

        found = why(desk.store, refused.event.id)

        assert found.refusal is not None
        assert found.refusal.code == "PLAN_NOT_OFFERED"
        assert found.refusal.allowed == ()
        assert found.doubts == ()


class TestOthers:
    def test_what_follows_leads_back_to_what_it_follows_from(self, desk: "Desk") -> None:
        """TRM-34: a partial upgrade makes another subscription."""
        desk.sell("s1")
        upgrade = Upgrade(Product("E5", rank=5), 10, into="s2")
        outcome = desk.do("upgrade", "s1", SOLD_AT + HOUR, upgrade, event_id="up")
        assert outcome.accepted, outcome.refusal

        chain = why(desk.store, "up/0").chain

        assert [(link.happened.event, link.happened.subject) for link in chain] == [
            ("upgrade", "s1")
        ]
        assert chain[0].led == "arise follows from it"

    def test_migrations_and_what_they_read_are_rebuilt(
        self, desk: "Desk", three_customers: Callable[["Desk"], None]
    ) -> None:
        """LEG-15, LEG-19: every event of the calendar, whatever other subjects it saw."""
        three_customers(desk)
        desk.wake(AFTERWARDS)
        entries = list(desk.store.journal())

        found = {each.event.id: why(desk.store, each.event.id) for each in entries}

        assert [each.doubts for each in found.values()] == [() for _ in entries]
        assert all(_is_whole(found[each.event.id]) for each in entries)
        others = {
            value.subject for each in found.values() for value in each.values if not value.is_own
        }
        assert others >= {"northwind-2", "contoso/northwind", "tailspin-1"}

    def test_every_chain_ends_with_a_request(
        self, desk: "Desk", three_customers: Callable[["Desk"], None]
    ) -> None:
        """Nothing happens that nobody has begun."""
        three_customers(desk)
        desk.wake(AFTERWARDS)

        for entry in desk.store.journal():
            found = why(desk.store, entry.event.id)
            first = found.chain[-1].happened if found.chain else found.happened
            assert first.actor in {"user amy", "user mia"}, entry.event.id


def _is_whole(found: Explanation) -> bool:
    """Whether a timed event says when it was due, and by which event that was set."""
    if not found.happened.event_id.startswith("timer:") or "/" in found.happened.event_id[-2:]:
        return True
    return bool(found.due and found.chain)


class TestPolicy:
    @pytest.fixture
    def pack(self, tmp_path: Path) -> str:
        path = tmp_path / "short-grace.yaml"
        path.write_text(OWN_PACK, encoding="utf-8")
        return str(path)

    def test_a_pack_of_ones_own_is_told_with_its_validity(
        self, url: str, open_desk: Callable[..., "Desk"], pack: str
    ) -> None:
        """GEN-09: the value in force at the event's own instant, since when, and by whom."""
        desk = open_desk(url, policy=load_pack(pack))
        lapse(desk)

        (figure,) = why(desk.store, f"{GRACE}#0").figures

        assert (figure.value, figure.source) == ("10 days", "our own rule")
        assert (figure.since, figure.until) == (datetime(2025, 6, 1, tzinfo=UTC), None)

    def test_a_pack_that_is_not_at_hand_is_named(
        self, url: str, open_desk: Callable[..., "Desk"], pack: str
    ) -> None:
        """What the journal says is told all the same, and with the pack everything."""
        desk = open_desk(url, policy=load_pack(pack))
        lapse(desk)
        other = Store(desk.store.engine, clock=desk.clock)

        without, with_pack = (
            why(other, f"{GRACE}#0"),
            why(other, f"{GRACE}#0", policies=[load_pack(pack)]),
        )

        assert "which is not at hand" in without.doubts[0]
        assert [rule.id for rule in without.rules] == ["SUB-01", "SUB-04"]
        assert without.figures == ()
        assert with_pack.doubts == ()
        assert with_pack.figures[0].value == "10 days"


class TestCannot:
    @pytest.mark.parametrize("id_", ["nothing", "nothing#0", "event-1#7", "event-1#x", "#0", ""])
    def test_what_is_not_there_is_told(self, desk: "Desk", id_: str) -> None:
        """No event, no fact, no record."""
        desk.sell("s1")

        with pytest.raises(UnknownIdError) as raised:
            why(desk.store, id_)

        assert f'no event, fact or activity record "{id_}"' in str(raised.value)

    def test_another_tenant_has_nothing_of_it(self, desk: "Desk") -> None:
        """Tenants never see each other."""
        desk.sell("s1")

        with pytest.raises(UnknownIdError):
            why(desk.store.of("other"), "event-1")

    def test_inside_a_hosts_transaction_it_is_refused(self, desk: "Desk") -> None:
        """There is more in it than what is committed."""
        desk.sell("s1")

        with desk.store.engine.begin() as connection, pytest.raises(StoreError):
            why(desk.store.within(connection), "event-1")

    def test_a_row_that_does_not_come_out_the_same_is_doubted(self, desk: "Desk") -> None:
        """Another release decided it, or somebody has changed it."""
        lapse(desk)
        with desk.store.engine.begin() as connection:
            connection.exec_driver_sql(
                "UPDATE sublife_journal SET rules = 'SUB-99' WHERE name = 'expiry_ended'"
            )

        found = why(desk.store, f"{GRACE}#0")

        assert "rules: SUB-01 SUB-04 instead of SUB-99" in found.doubts[0]


def test_nothing_is_written(desk: "Desk") -> None:
    """To explain is to look."""
    lapse(desk)
    before = desk.rows()

    why(desk.store, GRACE)

    assert desk.rows() == before


def test_an_explanation_is_plain_values(desk: "Desk") -> None:
    """It can be sent and kept as it is."""
    lapse(desk)

    said = why(desk.store, f"{GRACE}#0").as_mapping()

    assert said["happened"]["state"] == "grace"
    assert said["dates"][0]["figure"] == "grace"
    assert said["chain"][0]["happened"]["event"] == "term_ended"


def test_a_watched_subject_is_like_any_other(desk: "Desk") -> None:
    """What a decision makes of it becomes an ordinary one again, equal to what it was."""
    desk.sell("s1")
    plain = desk.subscription("s1")

    again = unwatched(Watch().subject(plain))

    assert type(again) is type(plain)
    assert again == plain
