"""submit() after a late calendar: what was due happens first, to whoever reads what is asked."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from sublife.events.intake import (
    Outcome,
    StaleVersionError,
    settle,
    submission,
    submit,
    work,
)
from sublife.events.pause import PausedError, pause
from sublife.events.permission import allowed, as_of
from sublife.events.store import Store, Transaction
from sublife.events.store.link import Link
from sublife.lifecycle.customer.model import AcceptAgreement, Create, WithPartner
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.machine import UnknownSubjectError
from sublife.lifecycle.migration.model import Schedule as ScheduleMigration
from sublife.lifecycle.model import (
    EMPTY,
    Actor,
    ActorKind,
    Event,
    ModelError,
    PartnerType,
    Payload,
    Role,
)
from sublife.lifecycle.partner.model import Enrol as EnrolPartner
from sublife.lifecycle.programme import Enrol, Fulfil, Item
from sublife.lifecycle.subscription.model import (
    ChangeSeats,
    Platform,
    Product,
    Purchase,
    Rename,
)
from sublife.lifecycle.transfer.model import (
    EaSubscription,
    RecordAgreement,
    RenewAgreement,
    Schedule,
)
from tests.events.broken import failing_for

if TYPE_CHECKING:
    from tests.events.conftest import Desk

OpenDesk = Callable[..., "Desk"]
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
AMY = Actor(ActorKind.USER, "amy", Role.ADMIN_AGENT, "contoso", PartnerType.DIRECT_BILL)
ULLA = Actor(ActorKind.USER, "ulla", Role.GLOBAL_ADMIN)
MIA = Actor(ActorKind.USER, "mia", Role.GLOBAL_ADMIN, "contoso")
MICROSOFT = Actor(ActorKind.MICROSOFT, "microsoft")
E3 = Product("E3", "Office E3", rank=3)
BEGIN = datetime(2024, 9, 2, 8, tzinfo=UTC)
ENROLLED_AT = datetime(2020, 9, 15, 9, tzinfo=UTC)
RESTRICTED_AT = datetime(2021, 9, 15, tzinfo=UTC)
"""A year after a direct-bill partner enrolled that has no support plan."""
DUE = datetime(2024, 10, 1, tzinfo=UTC)
"""When the agreement is over, and what is scheduled on it is processed."""
TERM_END = datetime(2025, 9, 2, tzinfo=UTC)
LEGACY_AT = datetime(2022, 2, 15, 8, tzinfo=UTC)
MOVED_AT = datetime(2022, 12, 10, tzinfo=UTC)
"""When a legacy subscription that is scheduled is moved."""


def asked(
    at: datetime,
    name: str,
    subject: str,
    data: Payload = EMPTY,
    lifecycle: str = "subscription",
    by: Actor = AMY,
) -> Event:
    """Return a user event whose id says all that tells it from others."""
    return Event(f"{name} {subject} {at}", name, subject, at, by, data, None, lifecycle)


def bought(subject: str, customer: str = "tailspin", at: datetime = BEGIN, **more: Any) -> Event:
    """Return a purchase of five E3 for a year."""
    order = Purchase(customer, "contoso", E3, 5, Term.P1Y, Billing.MONTHLY, **more)
    return asked(at, "purchase", subject, order)


def moving(
    at: datetime = BEGIN, over: date = date(2024, 9, 30), **more: Any
) -> tuple[Event, Event]:
    """Return an agreement of Tailspin and a schedule to go to CSP when it is over."""
    agreement = RecordAgreement("tailspin", over, (EaSubscription("ea-sub", E3, 30),))
    ask = Schedule("ea", "ea-sub", "tailspin", "contoso", "s1", Term.P1Y, Billing.MONTHLY, **more)
    return (
        asked(at, "record_agreement", "ea", agreement, "agreement", MICROSOFT),
        asked(at, "schedule", "move", ask, "transfer"),
    )


def legacy(subject: str, at: datetime = LEGACY_AT) -> Event:
    """Return a purchase on the platform that is to be left."""
    return bought(subject, at=at, platform=Platform.LEGACY)


def migrating(subject: str, target_at: datetime, **more: Any) -> Event:
    """Return a schedule to move Tailspin's subscription at an instant."""
    plan = ScheduleMigration(
        customer="tailspin",
        subscription=subject,
        into=f"{subject}-nce",
        target_at=target_at,
        **more,
    )
    at = target_at - 5 * DAY
    return asked(at, "schedule", f"move {subject}", plan, "migration", MIA)


def enrolment(at: datetime, kind: PartnerType = PartnerType.INDIRECT_PROVIDER) -> Event:
    """Return that Contoso becomes known as a partner."""
    return asked(at, "enrol", "contoso", EnrolPartner(kind), "partner", MICROSOFT)


def told(store: Store) -> list[str]:
    """Return what happened, by subject."""
    return [
        f"{each.event.subject} {each.event.at} {each.event.name} {each.state} {each.outcome}"
        for each in store.journal()
    ]


Lived = Callable[[Sequence[Event]], Store]


@pytest.fixture
def lived(url: str, open_desk: OpenDesk) -> Lived:
    """Lives a script with nobody awake, and sees that a calendar in time writes the same."""

    def live(script: Sequence[Event]) -> Store:
        in_time, late = open_desk(url, tenant="in time"), open_desk(url, tenant="late")
        for desk in (in_time, late):
            for event in sorted(script, key=lambda each: each.at):
                desk.clock.move(event.at)
                if desk is in_time:
                    settle(desk.store, event.at)
                submit(desk.store, event)
            assert desk.wake(max(each.at for each in script) + 60 * DAY).stuck == ()
        assert told(late.store) == told(in_time.store)
        assert late.store.digest() == in_time.store.digest()
        assert late.store.all() == in_time.store.all()
        return late.store

    return live


def states(store: Store) -> dict[str, str]:
    """Return the state of every subject by its id."""
    return {name: str(each.state) for name, each in store.all().items()}


class TestLateCalendar:
    """GEN-08: late, a request finds what it would have found in time, and changes no past."""

    def test_a_transfer_finds_the_subscription_it_aligns_with(self, lived: Lived) -> None:
        """TRM-21: it is cancelled two days after the transfer looked at it."""
        aligned = bought("s0", at=DUE - 5 * DAY)
        cancelled = asked(DUE + 2 * DAY, "cancel", "s0")

        store = lived([aligned, *moving(align_with="s0", at=DUE - 4 * DAY), cancelled])

        assert (states(store)["move"], states(store)["s0"]) == ("completed", "deleted")

    def test_a_transfer_finds_the_relationship_of_its_customer(self, lived: Lived) -> None:
        """EA-03: the customer ends it two days after the transfer."""
        created = asked(BEGIN, "create", "tailspin", Create("contoso", "DE"), "customer")
        agreed = AcceptAgreement("ulla")
        accepted = asked(BEGIN, "accept_agreement", "tailspin", agreed, "customer", ULLA)
        planned = moving(at=BEGIN + 2 * DAY)
        ended = asked(
            DUE + 2 * DAY, "end_relationship", "tailspin", WithPartner("contoso"), "customer", ULLA
        )

        assert states(lived([created, accepted, *planned, ended]))["move"] == "completed"

    def test_a_transfer_finds_its_agreement(self, lived: Lived) -> None:
        """EA-24: an agreement renewed after the transfer calls nothing back."""
        renewed = asked(
            DUE + 2 * DAY,
            "renew_agreement",
            "ea",
            RenewAgreement(date(2027, 9, 30)),
            "agreement",
            MICROSOFT,
        )

        assert states(lived([*moving(), renewed]))["move"] == "completed"

    def test_what_the_calendar_creates_comes_before_who_takes_its_id(self, lived: Lived) -> None:
        """A purchase cannot take the id that a transfer has given away already."""
        store = lived([*moving(), bought("s1", at=DUE + DAY)])

        assert states(store)["move"] == "completed"
        assert [each.event.name for each in store.history("s1")][:3] == [
            "arise",
            "provisioning_ended",
            "purchase",
        ]

    def test_a_migration_finds_the_subscription_it_aligns_with(self, lived: Lived) -> None:
        """TRM-21: it is cancelled a day after the migration looked at it."""
        script = [
            legacy("old"),
            bought("s0", at=MOVED_AT - 5 * DAY),
            migrating("old", MOVED_AT, align_with="s0"),
            asked(MOVED_AT + DAY, "cancel", "s0"),
        ]

        assert states(lived(script))["move old"] == "completed"

    def test_a_subscription_ends_by_the_programme_as_it_was(self, lived: Lived) -> None:
        """LEG-04: what is fulfilled after the term end comes too late."""
        begun, ended = datetime(2021, 8, 1, 8, tzinfo=UTC), datetime(2022, 8, 1, tzinfo=UTC)
        programme, enrol = "contoso/tailspin", Enrol("tailspin", "contoso")
        script = [
            legacy("old", begun),
            asked(ended - 60 * DAY, "enrol", programme, enrol, "programme", MIA),
        ]
        for days, item in enumerate(Item, -2):
            done = Fulfil(item, "1")
            script.append(asked(ended + days * DAY, "fulfil", programme, done, "programme", MIA))

        assert states(lived(script))["old-migration-2022-08-01"] == "failed"

    def test_a_partner_that_becomes_known_changes_no_past(self, lived: Lived) -> None:
        """EA-32: a migration names a partner of record that turns out to be none, but later."""
        enrolled = EnrolPartner(PartnerType.INDIRECT_PROVIDER)
        script = [
            legacy("old"),
            migrating("old", MOVED_AT, por="fabrikam"),
            asked(MOVED_AT + DAY, "enrol", "fabrikam", enrolled, "partner", MICROSOFT),
        ]

        assert states(lived(script))["move old"] == "completed"

    def test_a_partner_that_comes_back_changes_no_past(self, lived: Lived) -> None:
        """AUT-04, AUT-07: it goes over to the indirect model after its transfer has failed."""
        reseller = EnrolPartner(PartnerType.INDIRECT_RESELLER, provider="adatum")
        script = [
            enrolment(ENROLLED_AT, PartnerType.DIRECT_BILL),
            *moving(at=RESTRICTED_AT - 14 * DAY, over=RESTRICTED_AT.date() + 4 * DAY),
            asked(RESTRICTED_AT + 6 * DAY, "enrol", "contoso", reseller, "partner", MICROSOFT),
        ]

        store = lived(script)

        assert states(store)["contoso"] == "authorized"
        assert states(store)["move"] == "failed"

    def test_a_partner_brought_up_to_date_for_one_customer_is_so_for_all(
        self, lived: Lived
    ) -> None:
        """AUT-06: restricted by its calendar after one customer's transfer, before the other's."""
        script = [
            enrolment(ENROLLED_AT, PartnerType.DIRECT_BILL),
            *moving(at=RESTRICTED_AT - 14 * DAY, over=RESTRICTED_AT.date() - 5 * DAY),
            bought("late", "wingtip", RESTRICTED_AT + DAY),
        ]

        store = lived(script)

        assert states(store)["contoso"] == "restricted"
        assert states(store)["move"] == "completed"
        assert "late" not in states(store)


class TestScope:
    """Whose calendar comes first, and whose is left to the next settling."""

    def test_a_partner_of_which_nobody_else_has_something_due_needs_no_other(
        self, desk: "Desk"
    ) -> None:
        """What is due to itself happens in the same transaction, and is told."""
        give(desk, enrolment(ENROLLED_AT, PartnerType.DIRECT_BILL))
        review = asked(RESTRICTED_AT, "review", "contoso", EMPTY, "partner", MICROSOFT)

        outcome = give(desk, review)

        assert [each.event.name for each in outcome.before] == [
            "authorization_year_ended",
            "transition_ended",
        ]

    def test_before_a_partner_changes_all_customers_are_settled(self, desk: "Desk") -> None:
        """A part of them at a time, so that no transaction grows with what is due."""
        for number in range(3):
            give(desk, bought(f"s{number}", f"customer-{number}"))

        enrol_contoso(desk)

        assert desk.store.next_due() == TERM_END + 365 * DAY
        assert {each.version for each in desk.store.all().values()} == {1, 4}

    def test_a_customer_that_is_created_is_no_partner(self, desk: "Desk") -> None:
        """Who it is stands in what is decided, so only its own calendar comes first."""
        give(desk, bought("s1", "wingtip"))
        give(desk, bought("s2", "tailspin"))

        create = Create("contoso", "DE")
        give(desk, asked(TERM_END, "create", "tailspin", create, "customer"))

        assert [desk.subscription(name).version for name in ("s1", "s2")] == [2, 4]

    def test_a_stuck_subject_of_the_customer_holds_up_no_request_to_another(
        self, desk: "Desk", monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It would not have had its calendar been in time; it stays due and is settled later."""
        for name in ("s1", "s2", "s3"):
            give(desk, bought(name, autorenew=False))
        monkeypatch.setattr(work, "decide", failing_for("s2"))

        outcome = give(desk, asked(TERM_END, "add_seats", "s1", ChangeSeats(5)))

        assert not outcome.accepted
        assert states(desk.store) == {"s1": "grace", "s2": "active", "s3": "grace"}

    def test_a_stuck_subject_holds_up_no_partner(
        self, desk: "Desk", monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The rest of the tenant is settled, and the partner's request decided."""
        for name in ("s1", "s2"):
            give(desk, bought(name, autorenew=False))
        monkeypatch.setattr(work, "decide", failing_for("s1"))

        outcome = enrol_contoso(desk)

        assert outcome.accepted
        assert states(desk.store) == {"contoso": "authorized", "s1": "active", "s2": "grace"}

    def test_a_stuck_subject_refuses_its_own_requests(
        self, desk: "Desk", monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What is asked of it cannot be decided."""
        give(desk, bought("s1", autorenew=False))
        monkeypatch.setattr(work, "decide", failing_for("s1"))

        with pytest.raises(ModelError, match="s1 breaks"):
            give(desk, asked(TERM_END, "add_seats", "s1", ChangeSeats(5)))

    def test_a_partner_waits_for_what_is_paused_and_due(self, desk: "Desk") -> None:
        """GEN-08: it could be read by what would have come first; nothing at all is changed."""
        give(desk, legacy("old"))
        give(desk, bought("s1", "wingtip", LEGACY_AT))
        give(desk, migrating("old", MOVED_AT))
        pause(desk.store, by="amy", reason="audit", lifecycle="migration")
        desk.clock.move(MOVED_AT)
        rows = desk.rows()

        with pytest.raises(PausedError, match="move old cannot change"):
            submit(desk.store, enrolment(MOVED_AT))

        assert desk.rows() == rows

    def test_what_nobody_could_have_asked_for_settles_what_may_create_it(
        self, desk: "Desk", monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The subject may be about to be created: all that is due is settled, part by part."""
        for number in range(5):
            give(desk, bought(f"s{number}", f"customer-{number}", autorenew=False))
        desk.clock.move(TERM_END)
        written: list[int] = []
        flush = Transaction.flush

        def flushed(tx: Transaction) -> None:
            written.append(len(tx.touched.subjects))
            flush(tx)

        monkeypatch.setattr(Transaction, "flush", flushed)
        monkeypatch.setattr(submission, "settle", partial(settle, batch=2))

        with pytest.raises(UnknownSubjectError, match="nobody does not exist"):
            submit(desk.store, asked(TERM_END, "cancel", "nobody"))

        assert written == [2, 2, 1]
        assert set(states(desk.store).values()) == {"grace"}

    def test_in_a_hosts_transaction_all_of_it_is_the_hosts(self, desk: "Desk") -> None:
        """What the host rolls back has not been settled either."""
        give(desk, bought("s1", autorenew=False))
        rows = desk.rows()
        desk.clock.move(TERM_END)

        with desk.store.engine.connect() as connection, connection.begin() as host:
            store = desk.store.within(connection)
            outcome = submit(store, enrolment(TERM_END))
            within = store.all()["s1"].state
            host.rollback()

        assert [each.event.name for each in outcome.before] == ["term_ended", "expiry_ended"]
        assert (outcome.accepted, within) == (True, "grace")
        assert desk.rows() == rows

    def test_a_preview_finds_what_a_request_would(self, desk: "Desk") -> None:
        """A migration was due: the subscription is gone by then, and nothing can be asked of it."""
        give(desk, legacy("old"))
        give(desk, migrating("old", MOVED_AT))
        at = MOVED_AT + DAY
        rows = desk.rows()

        found, may = as_of(desk.store, "old", at=at), allowed(desk.store, "old", at=at)

        assert desk.rows() == rows
        outcome = give(desk, asked(at, "cancel", "old"))
        assert found is not None
        assert (found.state, found.version) == (outcome.state_before, outcome.version)
        assert "cancel" not in may

    def test_the_version_is_compared_after_what_was_due_to_the_customer(self, desk: "Desk") -> None:
        """The migration has moved the subscription before anybody looks at its version."""
        give(desk, legacy("old"))
        give(desk, migrating("old", MOVED_AT))
        event = asked(MOVED_AT + DAY, "cancel", "old")
        desk.clock.move(event.at)
        seen = as_of(desk.store, "old")
        stored = desk.store.get("old")
        assert seen is not None
        assert stored is not None

        with pytest.raises(StaleVersionError) as caught:
            submit(desk.store, event, expected_version=stored.version)

        assert caught.value.found == seen.version
        assert not submit(desk.store, event, expected_version=seen.version).accepted


def statements(
    monkeypatch: pytest.MonkeyPatch, desk: "Desk", event: Event
) -> tuple[list[str], Outcome]:
    """Return what a request asks of the database, and what became of it."""
    asked_for: list[str] = []
    rows = Link.rows

    def listed(link: Link, text: str, values: Any) -> list[Any]:
        asked_for.append(text)
        return rows(link, text, values)

    with monkeypatch.context() as patch:
        patch.setattr(Link, "rows", listed)
        outcome = give(desk, event)
    return asked_for, outcome


class TestCost:
    def test_in_time_a_request_asks_nothing_more(
        self, desk: "Desk", monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whether something is due comes with what is read anyway, of the subject and its id."""
        for number in range(3):
            give(desk, bought(f"s{number}"))
        event = asked(TERM_END - HOUR, "add_seats", "s1", ChangeSeats(5))

        asked_for, outcome = statements(monkeypatch, desk, event)

        about_subjects = [each for each in asked_for if "FROM sublife_subject" in each]
        on_sqlite = desk.store.engine.dialect.name == "sqlite"
        assert outcome.before == ()
        assert len(about_subjects) == (1 if on_sqlite else 3)
        assert all("behind" in each or "FOR UPDATE" in each for each in about_subjects)

    def test_of_another_customer_late_nothing_but_that_is_asked(
        self, desk: "Desk", monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One more question, by the customer; whoever is late is left alone."""
        give(desk, bought("s1"))
        give(desk, bought("s2", "wingtip", BEGIN - DAY))
        event = asked(TERM_END - HOUR, "add_seats", "s1", ChangeSeats(5))
        in_time, _ = statements(monkeypatch, desk, asked(BEGIN, "rename", "s1", Rename("one")))

        late, outcome = statements(monkeypatch, desk, event)

        more = 1 if desk.store.engine.dialect.name == "sqlite" else 2
        assert outcome.before == ()
        assert len(late) == len(in_time) + more
        assert desk.subscription("s2").version == 2


class TestAtOnce:
    """Requests of several customers while their calendar is being caught up with."""

    WORKERS = 2
    DESKS = 3

    def test_whoever_comes_first_the_history_is_that_of_a_calendar_in_time(
        self, shared_url: str, open_desk: OpenDesk
    ) -> None:
        """A transfer that is claimed by a worker is waited for, or done by the request itself."""
        customers = [f"customer-{number}" for number in range(8)]
        in_time, late = open_desk(), open_desk(shared_url)
        for customer in customers:
            for event in before_due(customer):
                give(in_time, event)
                give(late, event)
        settle(in_time.store, DUE)
        for customer in customers:
            for event in after_due(customer):
                give(in_time, event)
        late.clock.move(DUE + 3 * DAY)

        def catch_up() -> None:
            assert settle(late.store, DUE, batch=3, workers=1).stuck == ()

        def ask(customer: str) -> None:
            for event in after_due(customer):
                submit(late.store, event)

        with ThreadPoolExecutor(self.WORKERS + self.DESKS) as pool:
            under_way = [pool.submit(catch_up) for _ in range(self.WORKERS)]
            under_way += [pool.submit(ask, customer) for customer in customers]
        for each in under_way:
            each.result()

        assert late.store.all() == in_time.store.all()
        assert late.store.digest() == in_time.store.digest()


def before_due(customer: str) -> list[Event]:
    """Return what a customer has on `DUE`: a transfer that looks at a subscription."""
    agreement = RecordAgreement(customer, date(2024, 9, 30), (EaSubscription(customer, E3, 30),))
    transfer = Schedule(
        f"{customer}-ea",
        customer,
        customer,
        "contoso",
        f"{customer}-csp",
        Term.P1Y,
        Billing.MONTHLY,
        align_with=f"{customer}-s0",
    )
    return [
        bought(f"{customer}-s0", customer, DUE - 5 * DAY),
        asked(
            DUE - 5 * DAY, "record_agreement", f"{customer}-ea", agreement, "agreement", MICROSOFT
        ),
        asked(DUE - 5 * DAY, "schedule", f"{customer}-move", transfer, "transfer"),
    ]


def after_due(customer: str) -> list[Event]:
    """Return what a customer asks for afterwards: an end to what the transfer looked at."""
    return [
        asked(DUE + DAY, "cancel", f"{customer}-s0"),
        bought(f"{customer}-csp", customer, DUE + 2 * DAY),
    ]


def give(desk: "Desk", event: Event) -> Outcome:
    """Submit an event of an instant that the clock is moved to."""
    desk.clock.move(max(event.at, desk.clock.now()))
    return submit(desk.store, event)


def enrol_contoso(desk: "Desk") -> Outcome:
    """Let Contoso become known as everything sold a year ago ends."""
    return give(desk, enrolment(TERM_END))
