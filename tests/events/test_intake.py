"""submit() and settle(): one door, one transaction per event, one effect per event id."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from sublife.events.intake import (
    EventIdTakenError,
    EventInFutureError,
    Outcome,
    settle,
    submit,
    work,
)
from sublife.events.store import Transaction
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.machine import UnknownEventError, UnknownSubjectError
from sublife.lifecycle.model import ModelError, Payload, Refusal
from sublife.lifecycle.refusal import refuse
from sublife.lifecycle.subscription.model import BuyAgain, ChangeSeats, Product, Suspend, Upgrade
from tests.events.broken import failing_for

if TYPE_CHECKING:
    from tests.events.conftest import Desk

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
SOLD_AT = datetime(2024, 10, 1, 2, 35, tzinfo=UTC)
TERM_END = datetime(2025, 10, 1, tzinfo=UTC)
MID_TERM = datetime(2025, 3, 1, 9, tzinfo=UTC)
E5 = Product("E5", "Office E5", rank=5)
SUSPEND = Suspend(("non-payment",))


@pytest.fixture(params=["sqlite-memory", "sqlite-file", "postgresql", "postgresql-partitioned"])
def kind(request: pytest.FixtureRequest) -> str:
    """Every kind of database, that with partitions too: these tests write and read all there is."""
    return str(request.param)


def _names(outcomes: tuple[Outcome, ...]) -> list[str]:
    return [outcome.event.name for outcome in outcomes]


def _answer(outcome: Outcome) -> tuple[object, ...]:
    """What a caller is told, without what happened around it."""
    return (
        outcome.event,
        outcome.facts,
        outcome.refusal,
        outcome.state,
        outcome.version,
        outcome.rules,
        outcome.state_before,
    )


class TestDueBeforeCommand:
    def test_a_command_at_the_term_end_sees_the_state_after_it(self, desk: "Desk") -> None:
        """GEN-08, SUB-03: at TE the subscription has expired already."""
        desk.sell("s1", autorenew=False)

        outcome = desk.do("suspend", "s1", TERM_END, SUSPEND)

        assert _names(outcome.before) == ["term_ended", "expiry_ended"]
        assert outcome.state_before == "grace"
        assert outcome.refusal is not None
        assert outcome.refusal.code == "BAD_STATE"

    def test_a_command_one_second_before_the_term_end_sees_the_state_before_it(
        self, desk: "Desk"
    ) -> None:
        """GEN-03: the state holds up to its end, exclusive."""
        desk.sell("s1", autorenew=False)

        outcome = desk.do("suspend", "s1", TERM_END - SECOND, SUSPEND)

        assert outcome.before == ()
        assert (outcome.accepted, outcome.state) == (True, "suspended")

    def test_a_command_at_the_term_end_sees_the_new_term(self, desk: "Desk") -> None:
        """GEN-08, TRM-06: the renewal of that instant is over, and seats can be added."""
        desk.sell("s1")

        outcome = desk.do("add_seats", "s1", TERM_END, ChangeSeats(5))

        assert _names(outcome.before) == ["term_ended", "renewal_ended"]
        assert outcome.accepted
        assert desk.subscription("s1").ends_on.isoformat() == "2026-09-30"
        assert desk.subscription("s1").quantity == 35

    def test_what_the_command_reads_is_settled_first_too(self, desk: "Desk") -> None:
        """GEN-08, TRM-21: nobody aligns with a subscription that has just expired."""
        desk.sell("old", autorenew=False)

        outcome = desk.sell("new", TERM_END, align_with="old")

        assert [each.event.subject for each in outcome.before] == ["old", "old"]
        assert outcome.refusal is not None
        assert outcome.refusal.code == "COTERM_NO_TARGET"
        assert desk.subscription("old").state == "grace"

    def test_what_is_due_to_the_same_customer_comes_first(self, desk: "Desk") -> None:
        """GEN-08: it may look at what is about to change."""
        desk.sell("s1")
        desk.sell("s2")

        outcome = desk.do("add_seats", "s1", TERM_END, ChangeSeats(5))

        assert [each.event.subject for each in outcome.before] == ["s1", "s1", "s2", "s2"]
        assert desk.subscription("s2").version == 4

    def test_other_customers_are_left_to_the_next_settling(self, desk: "Desk") -> None:
        """GEN-08: only the customer's subjects are brought up to date, and what they read."""
        desk.sell("s1")
        desk.sell("s2", customer="wingtip")

        desk.do("add_seats", "s1", TERM_END, ChangeSeats(5))

        assert desk.subscription("s2").version == 2
        assert desk.store.next_due() == TERM_END

    def test_what_falls_due_with_the_command_happens_in_the_same_transaction(
        self, desk: "Desk"
    ) -> None:
        """SUB-01: an order is provisioned at its own instant."""
        outcome = desk.sell("s1")

        assert _names(outcome.after) == ["provisioning_ended"]
        assert (outcome.own_state, outcome.state) == ("pending", "active")
        assert outcome.version == 2

    def test_the_sequence_of_an_outcome_is_the_order_of_the_effects(self, desk: "Desk") -> None:
        """8.4: before, itself, what followed from it, what fell due with it."""
        desk.sell("s1", autorenew=False)

        outcome = desk.do("buy_again", "s1", TERM_END, BuyAgain("s2"))

        assert [(each.event.name, each.event.subject) for each in outcome.sequence()] == [
            ("term_ended", "s1"),
            ("expiry_ended", "s1"),
            ("buy_again", "s1"),
            ("arise", "s2"),
            ("provisioning_ended", "s2"),
        ]

    def test_a_deadline_that_includes_its_instant_is_still_met_at_it(self, desk: "Desk") -> None:
        """GEN-04, TRM-09: 168 h with their last instant, and not one second more."""
        desk.sell("s1")
        desk.sell("s2")

        in_time = desk.do("cancel", "s1", SOLD_AT + timedelta(hours=168))
        too_late = desk.do("cancel", "s2", SOLD_AT + timedelta(hours=168) + SECOND)

        assert in_time.accepted
        assert too_late.refusal is not None
        assert too_late.refusal.code == "CANCEL_WINDOW_CLOSED"


class TestOnceOnly:
    def test_the_same_event_id_twice_has_one_effect(self, desk: "Desk") -> None:
        """The event id is unique in the journal."""
        desk.sell("s1")
        event = desk.event("add_seats", "s1", MID_TERM, ChangeSeats(5))
        desk.clock.move(MID_TERM)
        submit(desk.store, event)
        rows = desk.rows()

        again = submit(desk.store, event)

        assert again.repeated
        assert desk.rows() == rows
        assert desk.subscription("s1").quantity == 35

    def test_the_same_event_id_twice_gets_the_first_answer(self, desk: "Desk") -> None:
        """A caller whose first answer was lost gets it again."""
        desk.sell("s1")
        event = desk.event("add_seats", "s1", MID_TERM, ChangeSeats(5))
        desk.clock.move(MID_TERM)

        first, again = submit(desk.store, event), submit(desk.store, event)

        assert not first.repeated
        assert again.repeated
        assert _answer(again) == _answer(first)

    def test_a_repeated_order_gets_the_first_answer(self, desk: "Desk") -> None:
        """The state of an outcome includes what fell due with it, the second time as the first."""
        first = desk.sell("s1")

        again = submit(desk.store, first.event)

        assert (first.state, first.version) == ("active", 2)
        assert _answer(again) == _answer(first)

    def test_a_repeated_refusal_gets_the_first_answer(self, desk: "Desk") -> None:
        """A no is not asked again either."""
        desk.sell("s1")
        first = desk.do("reactivate", "s1", MID_TERM)
        rows = desk.rows()

        again = submit(desk.store, first.event)

        assert again.repeated
        assert again.refusal is not None
        assert again.refusal.code == "BAD_STATE"
        assert _answer(again) == _answer(first)
        assert desk.rows() == rows

    def test_the_first_answer_comes_back_after_the_state_has_moved_on(self, desk: "Desk") -> None:
        """A retry of last year's request does not ask what holds today."""
        desk.sell("s1", autorenew=False)
        suspended = desk.do("suspend", "s1", MID_TERM, SUSPEND)
        refused = desk.do("suspend", "s1", MID_TERM + DAY, SUSPEND)
        desk.wake(TERM_END + 121 * DAY)
        rows = desk.rows()

        again = [submit(desk.store, each.event) for each in (suspended, refused)]

        assert desk.subscription("s1").state == "deleted"
        assert [_answer(each) for each in again] == [_answer(suspended), _answer(refused)]
        assert desk.rows() == rows

    def test_a_repeated_event_settles_nothing(self, desk: "Desk") -> None:
        """What is due stays due: nothing at all happens for a known id."""
        desk.sell("s1")
        first = desk.do("add_seats", "s1", MID_TERM, ChangeSeats(5))
        desk.clock.move(TERM_END + DAY)

        submit(desk.store, first.event)

        assert desk.store.next_due() == TERM_END

    @pytest.mark.parametrize(
        ("name", "subject", "data"),
        [
            pytest.param("remove_seats", "s1", ChangeSeats(5), id="another request"),
            pytest.param("add_seats", "s2", ChangeSeats(5), id="another subject"),
            pytest.param("add_seats", "s1", ChangeSeats(7), id="another payload"),
        ],
    )
    def test_the_id_of_another_event_is_refused(
        self, desk: "Desk", name: str, subject: str, data: Payload
    ) -> None:
        """An id names one event; the message names both."""
        desk.sell("s1")
        desk.sell("s2")
        desk.do("add_seats", "s1", MID_TERM, ChangeSeats(5), event_id="e1")
        rows = desk.rows()

        with pytest.raises(EventIdTakenError) as caught:
            desk.do(name, subject, MID_TERM, data, event_id="e1")

        assert "e1 belongs to add_seats on s1" in str(caught.value)
        assert f"{name} on {subject}" in str(caught.value)
        assert desk.rows() == rows

    def test_the_id_that_a_follow_up_needs_is_refused_where_it_is_taken(self, desk: "Desk") -> None:
        """To submit it again would never help, so it is no conflict."""
        desk.sell("s1")
        desk.do("add_seats", "s1", MID_TERM, ChangeSeats(5), event_id="again/0")
        rows = desk.rows()

        with pytest.raises(EventIdTakenError, match="again/0"):
            desk.do("buy_again", "s1", MID_TERM, BuyAgain("s2"), event_id="again")

        assert desk.rows() == rows

    def test_settling_twice_has_one_effect(self, desk: "Desk") -> None:
        """A timed event's id is made of subject, timer and due instant."""
        desk.sell("s1", autorenew=False)
        first = desk.wake(TERM_END)
        rows = desk.rows()

        again = desk.wake(TERM_END)

        assert first.count == 2
        assert (again.count, again.outcomes) == (0, ())
        assert desk.rows() == rows


class TestRefusals:
    def test_a_refused_event_is_in_the_journal(self, desk: "Desk") -> None:
        """EVT-06: with its code, its rule and who asked."""
        desk.sell("s1")

        outcome = desk.do("reactivate", "s1", MID_TERM)

        entry = desk.store.history("s1")[-1]
        assert entry.event == outcome.event
        assert isinstance(entry.outcome, Refusal)
        assert (entry.outcome.code, entry.rules) == ("BAD_STATE", ("1.2",))
        assert (entry.state_before, entry.state, entry.version) == ("active", "active", 2)

    def test_a_refused_event_changes_no_other_table(self, desk: "Desk") -> None:
        """A no leaves one line in the journal and nothing else."""
        desk.sell("s1")
        before, written = desk.standing(), desk.rows()["sublife_journal"]

        desk.do("reactivate", "s1", MID_TERM)

        assert desk.standing() == before
        assert desk.rows()["sublife_journal"][:-1] == written

    def test_a_refused_order_brings_no_subject_about(self, desk: "Desk") -> None:
        """TRM-02: what is not offered is not there afterwards."""
        outcome = desk.sell("s1", term=Term.P1M, billing=Billing.ANNUAL)

        assert outcome.refusal is not None
        assert outcome.refusal.code == "BILLING_EXCEEDS_TERM"
        assert (outcome.state, outcome.version) == ("absent", 0)
        assert desk.store.get("s1") is None
        assert len(desk.store.history("s1")) == 1

    def test_a_refused_order_may_be_placed_again(self, desk: "Desk") -> None:
        """A no uses up the event id, not the subject."""
        desk.sell("s1", term=Term.P1M, billing=Billing.ANNUAL)

        outcome = desk.sell("s1")

        assert (outcome.accepted, outcome.state) == (True, "active")

    def test_an_event_dated_before_the_latest_change_is_refused(self, desk: "Desk") -> None:
        """GEN-09: facts are never rewritten."""
        desk.sell("s1")
        desk.do("add_seats", "s1", MID_TERM, ChangeSeats(5))

        outcome = submit(desk.store, desk.event("suspend", "s1", MID_TERM - SECOND, SUSPEND))

        assert outcome.refusal is not None
        assert outcome.refusal.code == "OUT_OF_ORDER"
        assert desk.subscription("s1").state == "active"

    def test_an_event_of_the_same_instant_as_the_latest_change_is_taken(self, desk: "Desk") -> None:
        """EVT-05: records of one instant are told apart by their sequence."""
        desk.sell("s1")
        desk.do("add_seats", "s1", MID_TERM, ChangeSeats(5))

        outcome = desk.do("suspend", "s1", MID_TERM, SUSPEND)

        assert outcome.accepted


class TestNothingWritten:
    def test_an_event_of_the_future_is_refused(self, desk: "Desk") -> None:
        """What has not happened cannot be decided."""
        desk.sell("s1")
        rows = desk.rows()

        with pytest.raises(EventInFutureError, match="s1 is dated 2024-10-01T02:35:01Z"):
            submit(desk.store, desk.event("suspend", "s1", SOLD_AT + SECOND, SUSPEND))

        assert desk.rows() == rows

    def test_an_event_of_this_instant_is_taken(self, desk: "Desk") -> None:
        """The present is not the future."""
        assert desk.sell("s1").event.at == desk.clock.now()

    def test_an_event_on_an_unknown_subject_writes_nothing(self, desk: "Desk") -> None:
        """Only a birth brings a subject about."""
        desk.sell("s1")
        rows = desk.rows()

        with pytest.raises(UnknownSubjectError, match="s2 does not exist"):
            desk.do("suspend", "s2", MID_TERM, SUSPEND)

        assert desk.rows() == rows

    def test_an_unknown_request_writes_nothing(self, desk: "Desk") -> None:
        """Not even what was due before it."""
        desk.sell("s1")
        rows = desk.rows()

        with pytest.raises(UnknownEventError, match='no event "explode"'):
            desk.do("explode", "s1", TERM_END)

        assert desk.rows() == rows

    def test_a_payload_of_another_request_writes_nothing(self, desk: "Desk") -> None:
        """The message says what was given and what is needed."""
        desk.sell("s1")
        rows = desk.rows()

        with pytest.raises(ModelError, match="BuyAgain; give ChangeSeats"):
            desk.do("add_seats", "s1", MID_TERM, BuyAgain("s2"))

        assert desk.rows() == rows

    def test_a_request_of_another_lifecycle_writes_nothing(self, desk: "Desk") -> None:
        desk.sell("s1")
        before = desk.rows()
        event = replace(desk.event("accept_relationship", "s1", SOLD_AT), lifecycle="customer")

        with pytest.raises(ModelError, match="it is a Subscription, which does not live by"):
            submit(desk.store, event)

        assert desk.rows() == before

    def test_a_settling_without_a_time_zone_is_refused(self, desk: "Desk") -> None:
        """GEN-01: an instant without a zone is none."""
        with pytest.raises(ModelError, match="no time zone"):
            settle(desk.store, TERM_END.replace(tzinfo=None))


class TestFollowUps:
    def test_buying_again_brings_the_second_subscription_about_at_once(self, desk: "Desk") -> None:
        """SUB-13: one event, two subjects, one instant."""
        desk.sell("s1", autorenew=False)
        at = TERM_END + 29 * DAY

        outcome = desk.do("buy_again", "s1", at, BuyAgain("s2"), event_id="again")

        assert [(each.event.name, each.event.cause) for each in outcome.followed] == [
            ("arise", "again")
        ]
        assert (desk.subscription("s1").state, desk.subscription("s2").state) == ("grace", "active")
        assert desk.subscription("s2").created_at == at
        arisen = desk.store.history("s2")[0]
        assert (arisen.event.cause, arisen.event.at) == ("again", at)

    def test_buying_again_is_refused_where_the_second_subject_exists(self, desk: "Desk") -> None:
        """SUB-13: all or none, so the old subscription is untouched too."""
        desk.sell("s1", autorenew=False)
        desk.sell("s2")
        desk.wake(TERM_END)
        before, written = desk.standing(), desk.rows()["sublife_journal"]

        outcome = desk.do("buy_again", "s1", TERM_END + DAY, BuyAgain("s2"))

        assert outcome.refusal is not None
        assert outcome.refusal.code == "BAD_STATE"
        assert desk.standing() == before
        assert desk.rows()["sublife_journal"][:-1] == written

    def test_a_part_moves_to_a_second_subscription_in_one_transaction(self, desk: "Desk") -> None:
        """TRM-34: no seat is lost, none is there twice."""
        desk.sell("s1")

        desk.do("upgrade", "s1", MID_TERM, Upgrade(E5, quantity=10, into="s2"))

        assert (desk.subscription("s1").quantity, desk.subscription("s2").quantity) == (20, 10)
        assert desk.subscription("s2").ends_on == desk.subscription("s1").ends_on

    def test_a_part_moves_into_a_subscription_that_is_there(self, desk: "Desk") -> None:
        """TRM-34: an upgrade into what already runs, outside its cancellation window."""
        desk.sell("s1")
        desk.sell("s2", product=E5, quantity=5)

        outcome = desk.do("upgrade", "s1", MID_TERM, Upgrade(E5, quantity=10, into="s2"))

        assert [each.event.name for each in outcome.followed] == ["receive_seats"]
        assert (desk.subscription("s1").quantity, desk.subscription("s2").quantity) == (20, 15)

    def test_an_upgrade_into_a_subscription_that_does_not_fit_moves_nothing(
        self, desk: "Desk"
    ) -> None:
        """TRM-34: the target is still in its cancellation window."""
        desk.sell("s1")
        desk.sell("s2", MID_TERM, product=E5, quantity=5)
        before, written = desk.standing(), desk.rows()["sublife_journal"]

        outcome = desk.do("upgrade", "s1", MID_TERM, Upgrade(E5, quantity=10, into="s2"))

        assert outcome.refusal is not None
        assert outcome.refusal.code == "UPGRADE_TARGET_REFUSED"
        assert desk.standing() == before
        assert desk.rows()["sublife_journal"][:-1] == written

    def test_a_follow_up_that_fails_takes_the_whole_event_with_it(
        self, desk: "Desk", monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One transaction: neither the first subject nor the second is written."""
        desk.sell("s1")
        before = desk.rows()
        monkeypatch.setattr(work, "decide", failing_for("s2"))

        with pytest.raises(ModelError, match="s2 breaks"):
            desk.do("upgrade", "s1", MID_TERM, Upgrade(E5, quantity=10, into="s2"))

        assert desk.rows() == before

    def test_a_crash_while_writing_takes_everything_with_it(
        self, desk: "Desk", monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The transaction is written as a whole or not at all."""
        desk.sell("s1")
        before = desk.rows()
        flush = Transaction.flush

        def crash(tx: Transaction) -> None:
            flush(tx)
            raise OSError("the power is gone")

        monkeypatch.setattr(Transaction, "flush", crash)

        with pytest.raises(OSError, match="the power is gone"):
            desk.do("buy_again", "s1", MID_TERM, BuyAgain("s2"))

        monkeypatch.undo()
        assert desk.rows() == before


class TestSleeping:
    """A late daemon changes nothing: the history is the one of a daemon that never slept."""

    ENDS_AT = datetime(2026, 3, 1, tzinfo=UTC)

    def _live(self, desk: "Desk", instants: list[datetime], *, batch: int = 1000) -> str:
        """Run one mixed life, settle at *instants*, and return the digest of the journal."""
        desk.sell("yearly", autorenew=False)
        desk.sell("monthly", SOLD_AT + SECOND, term=Term.P1M)
        desk.sell("suspended", SOLD_AT + 2 * SECOND)
        desk.sell("canceled", SOLD_AT + 3 * SECOND)
        desk.do("suspend", "suspended", SOLD_AT + DAY, SUSPEND)
        desk.do("cancel", "canceled", SOLD_AT + DAY)
        for at in instants:
            desk.wake(at, batch=batch)
        return desk.store.digest()

    def test_one_go_and_day_by_day_and_a_month_asleep_are_the_same(
        self, url: str, open_desk: Callable[..., "Desk"]
    ) -> None:
        """GEN-08, SUB-01: each timed event is dated when it was due, not when anybody woke."""
        days = (self.ENDS_AT - SOLD_AT).days
        daily = [SOLD_AT + 2 * DAY + number * DAY for number in range(days - 2)]
        asleep = [at for at in daily if at.month not in {6, 10}]

        digests = {
            self._live(open_desk(url, tenant=tenant), [*instants, self.ENDS_AT])
            for tenant, instants in (("one go", []), ("daily", daily), ("asleep", asleep))
        }

        assert len(digests) == 1

    @pytest.mark.parametrize("batch", [1, 2, 1000])
    def test_the_size_of_the_batches_makes_no_difference(
        self, url: str, open_desk: Callable[..., "Desk"], batch: int
    ) -> None:
        """GEN-08: what is due first happens first, whoever shares the transaction."""
        one_go = self._live(open_desk(url, tenant="one go"), [self.ENDS_AT])

        in_batches = self._live(open_desk(url, tenant="in batches"), [self.ENDS_AT], batch=batch)

        assert in_batches == one_go

    @pytest.mark.parametrize("batch", [1, 2, 1000])
    def test_a_settling_returns_what_happened_in_due_order(self, desk: "Desk", batch: int) -> None:
        """GEN-08: in the order of the instants, across all subjects."""
        for subject in ("s1", "s2", "s3"):
            desk.sell(subject, term=Term.P1M)

        settled = desk.wake(datetime(2025, 1, 1, tzinfo=UTC), batch=batch)

        instants = [outcome.event.at for outcome in settled.outcomes]
        assert settled.count == len(instants) == 3 * 3 * 2
        assert instants == sorted(instants)
        assert settled.stuck == ()

    def test_a_settling_may_return_only_the_count(self, desk: "Desk") -> None:
        """A large night needs no list of what happened."""
        desk.sell("s1", autorenew=False)
        desk.clock.move(TERM_END)

        settled = settle(desk.store, TERM_END, collect=False)

        assert (settled.count, settled.outcomes) == (2, ())

    def test_a_settling_includes_its_own_instant_and_nothing_later(self, desk: "Desk") -> None:
        """GEN-03: at TE the next state holds; a second before it does not."""
        desk.sell("s1", autorenew=False)

        early, on_time = desk.wake(TERM_END - SECOND), desk.wake(TERM_END)

        assert (early.count, on_time.count) == (0, 2)

    def test_a_late_event_is_decided_as_of_its_own_instant(self, desk: "Desk") -> None:
        """GEN-09: submitted after the window has closed, but dated inside it."""
        desk.sell("s1")
        in_window = SOLD_AT + timedelta(hours=168)
        desk.clock.move(in_window + 3 * DAY)

        outcome = submit(desk.store, desk.event("cancel", "s1", in_window))

        assert (outcome.accepted, outcome.state) == (True, "canceled")


class TestStuck:
    def test_a_stuck_subject_is_named_and_holds_up_no_other(
        self, desk: "Desk", monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The others are settled as if it were not there."""
        for subject in ("s1", "s2", "s3"):
            desk.sell(subject, autorenew=False)
        monkeypatch.setattr(work, "decide", failing_for("s2"))

        settled = desk.wake(TERM_END)

        assert [each.subject for each in settled.stuck] == ["s2"]
        assert "s2 breaks" in settled.stuck[0].reason
        states = {name: each.state for name, each in desk.store.all().items()}
        assert states == {"s1": "grace", "s2": "active", "s3": "grace"}

    @pytest.mark.parametrize("batch", [1, 2])
    def test_a_stuck_subject_does_not_block_later_batches(
        self, desk: "Desk", monkeypatch: pytest.MonkeyPatch, batch: int
    ) -> None:
        """It is left alone after the first try, or the settling would never end."""
        for subject in ("s1", "s2", "s3"):
            desk.sell(subject, autorenew=False)
        monkeypatch.setattr(work, "decide", failing_for("s1"))

        settled = desk.wake(TERM_END + 200 * DAY, batch=batch)

        assert [each.subject for each in settled.stuck] == ["s1"]
        states = {name: each.state for name, each in desk.store.all().items()}
        assert states == {"s1": "active", "s2": "deleted", "s3": "deleted"}

    def test_a_user_event_with_the_id_of_a_timer_holds_up_no_other_subject(
        self, desk: "Desk"
    ) -> None:
        """Whatever ids a host makes up, the calendar goes on for everybody else."""
        desk.sell("s1", autorenew=False)
        desk.sell("s2", autorenew=False)
        taken = "s1/term_ended/2025-10-01T00:00:00Z/3"
        desk.do("add_seats", "s1", MID_TERM, ChangeSeats(5), event_id=taken)

        desk.wake(TERM_END)

        assert desk.subscription("s2").state == "grace"

    def test_an_id_of_the_calendar_is_refused(self, desk: "Desk") -> None:
        """What begins with `timer:` is no host's to give, and nothing is written."""
        desk.sell("s1", autorenew=False)
        before = tuple(desk.store.journal())

        with pytest.raises(EventIdTakenError, match=r"timer:.* belong to timed events"):
            desk.do("suspend", "s1", MID_TERM, event_id="timer:s1/term_ended")

        assert tuple(desk.store.journal()) == before

    def test_the_ids_of_further_records_are_refused(self, desk: "Desk") -> None:
        """EVT-06: `sale#2` is the second record of the event `sale`, so no event may have it."""
        desk.sell("s1")
        rows = desk.rows()

        with pytest.raises(EventIdTakenError, match=r"sale#2.* belong to the records"):
            desk.do("suspend", "s1", MID_TERM, event_id="sale#2")

        assert desk.rows() == rows

    def test_a_refused_timer_makes_its_subject_stuck(
        self, desk: "Desk", monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nobody can be told no by the calendar; the refusal stands in the reason."""
        desk.sell("s1", autorenew=False)

        def no(*_args: object, **_more: object) -> Refusal:
            return refuse("ALREADY_SUSPENDED")

        monkeypatch.setattr(work, "decide", no)

        settled = desk.wake(TERM_END)

        assert "The subscription is suspended already." in settled.stuck[0].reason

    def test_a_stuck_subject_stays_due_and_moves_when_it_can(
        self, desk: "Desk", monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Once fixed, it has the history it would have had."""
        desk.sell("s1", autorenew=False)
        monkeypatch.setattr(work, "decide", failing_for("s1"))
        desk.wake(TERM_END + 40 * DAY)
        still_due = desk.store.next_due()
        monkeypatch.undo()

        settled = desk.wake(TERM_END + 41 * DAY)

        assert still_due == TERM_END
        assert settled.stuck == ()
        assert [each.event.at for each in settled.outcomes] == [
            TERM_END,
            TERM_END,
            TERM_END + 30 * DAY,
        ]


class TestTwoInstants:
    def test_a_timed_event_has_when_it_happened_and_when_it_was_written(self, desk: "Desk") -> None:
        """Effective when it was due, recorded when somebody woke."""
        desk.sell("s1", autorenew=False)
        woke_at = TERM_END + 3 * DAY

        desk.wake(woke_at)

        expired, graced = desk.store.history("s1")[2:]
        assert [(each.event.at, each.recorded_at) for each in (expired, graced)] == [
            (TERM_END, woke_at),
            (TERM_END, woke_at),
        ]
        record = desk.store.records()[0]
        assert (record.effective_at, record.recorded_at) == (TERM_END, woke_at)

    def test_a_late_event_has_when_it_happened_and_when_it_was_written(self, desk: "Desk") -> None:
        """The same holds for what a person did."""
        desk.sell("s1")
        desk.clock.move(MID_TERM + DAY)

        submit(desk.store, desk.event("add_seats", "s1", MID_TERM, ChangeSeats(5)))

        entry = desk.store.history("s1")[-1]
        assert (entry.event.at, entry.recorded_at) == (MID_TERM, MID_TERM + DAY)
        order = desk.store.orders()[-1]
        assert (order.effective_at, order.recorded_at) == (MID_TERM, MID_TERM + DAY)

    def test_the_digest_does_not_depend_on_when_it_was_written(
        self, url: str, open_desk: Callable[..., "Desk"]
    ) -> None:
        """The same history, written down at once or later."""
        prompt, late = open_desk(url, tenant="prompt"), open_desk(url, tenant="late")
        late.clock.move(TERM_END)

        for each in (prompt, late):
            each.sell("s1")

        assert prompt.store.digest() == late.store.digest()
