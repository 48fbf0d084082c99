"""Following the journal: nothing is passed over, nothing comes twice, each subject in order."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Connection, text

from sublife.events.intake import submit
from sublife.events.outbox import (
    Body,
    CommittedFact,
    Delivery,
    Endpoint,
    Filters,
    Status,
    relay,
)
from sublife.events.store import Store
from sublife.events.store.delivery import RestoredError, UnknownConsumerError
from sublife.events.store.delivery.statement import CLAIM, FOLLOWING, NEXT_OF_SUBJECT
from sublife.events.store.link import Link
from sublife.events.store.statement import Statement
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.model import EMPTY, Actor, ActorKind, Event, Fact, PartnerType, Role
from sublife.lifecycle.subscription.model import (
    ChangeSeats,
    Product,
    Purchase,
    RequestTransfer,
    Suspend,
)

if TYPE_CHECKING:
    from tests.events.conftest import Desk

Connect = Callable[..., Endpoint]
OpenDesk = Callable[..., "Desk"]
SOLD_AT = datetime(2024, 10, 1, 2, 35, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def found(desk: "Desk", consumer: str = "hook") -> list[tuple[str, int, str]]:
    """Return what is on its way: subject, place in its journal, fact."""
    rows = desk.store.deliveries.list(consumer=consumer)
    return [(each.subject, each.sequence, each.fact) for each in rows]


def in_order(rows: list[tuple[str, int, str]]) -> bool:
    """Return whether each subject's entries are there without a gap, from the first one on."""
    by_subject: dict[str, list[int]] = {}
    for subject, sequence, _ in rows:
        by_subject.setdefault(subject, []).append(sequence)
    return all(
        sorted(set(sequences)) == list(range(1, max(sequences) + 1))
        for sequences in by_subject.values()
    )


class TestTheRelay:
    def test_each_committed_fact_becomes_one_delivery(self, desk: "Desk", connect: Connect) -> None:
        connect(desk)
        desk.sell("s1")

        counts = [relay(desk.store, SOLD_AT), relay(desk.store, SOLD_AT)]

        assert counts == [2, 0]
        assert found(desk) == [
            ("s1", 1, "subscription-created"),
            ("s1", 2, "subscription-provisioned"),
        ]

    def test_a_refused_event_leaves_no_delivery(self, desk: "Desk", connect: Connect) -> None:
        desk.sell("s1")
        desk.do("suspend", "s1", SOLD_AT + DAY, Suspend())
        connect(desk)
        relay(desk.store, SOLD_AT)
        before = found(desk)
        refused = desk.do("add_seats", "s1", SOLD_AT + 2 * DAY, ChangeSeats(5))

        count = relay(desk.store, SOLD_AT)

        assert not refused.accepted
        assert count == 0
        assert found(desk) == before

    def test_it_reads_page_by_page(self, desk: "Desk", connect: Connect) -> None:
        for number in range(7):
            desk.sell(f"s{number}")
        connect(desk)

        count = relay(desk.store, SOLD_AT, page=3)

        assert count == 14
        assert in_order(found(desk))

    def test_only_the_first_open_fact_of_a_subject_is_due(
        self, desk: "Desk", connect: Connect
    ) -> None:
        """Also where a page ends between two facts of one subject."""
        desk.sell("s1")
        desk.sell("s2")
        connect(desk)

        relay(desk.store, SOLD_AT, page=1)

        due = [each.subject for each in desk.store.deliveries.list() if each.next_attempt_at]
        assert due == ["s1", "s2"]

    def test_a_new_endpoint_gets_what_comes_from_now_on(
        self, desk: "Desk", connect: Connect
    ) -> None:
        desk.sell("s1")
        old = connect(desk)
        new = Endpoint(id="new", url=old.url, secret=old.secret)
        desk.store.endpoints.add(new, SOLD_AT)
        desk.sell("s2")

        relay(desk.store, SOLD_AT)

        assert {subject for subject, *_ in found(desk, "new")} == {"s2"}
        assert {subject for subject, *_ in found(desk)} == {"s1", "s2"}

    def test_a_paused_endpoint_catches_up_when_it_is_resumed(
        self, desk: "Desk", connect: Connect
    ) -> None:
        connect(desk)
        desk.store.endpoints.pause("hook", SOLD_AT, "asked")
        desk.sell("s1")
        while_paused = relay(desk.store, SOLD_AT)

        desk.store.endpoints.pause("hook", None)

        assert (while_paused, relay(desk.store, SOLD_AT)) == (0, 2)

    def test_an_endpoint_that_is_removed_takes_its_deliveries_along(
        self, desk: "Desk", connect: Connect
    ) -> None:
        desk.sell("s1")
        connect(desk)
        connect(desk, name="other")
        relay(desk.store, SOLD_AT)

        desk.store.endpoints.remove("hook")

        assert [each.id for each in desk.store.endpoints.all()] == ["other"]
        assert {each.consumer for each in desk.store.deliveries.list()} == {"other"}
        with pytest.raises(UnknownConsumerError, match='default has no endpoint or handler "hook"'):
            desk.store.endpoints.remove("hook")

    def test_tenants_do_not_get_each_others_facts(self, desk: "Desk", connect: Connect) -> None:
        other = desk.store.of("other")
        endpoint = connect(desk)
        other.endpoints.add(endpoint, SOLD_AT, from_start=True)
        desk.sell("s1")

        counts = (relay(desk.store, SOLD_AT), relay(other, SOLD_AT))

        assert counts == (2, 0)
        assert other.deliveries.list() == ()

    def test_two_relays_at_once_write_each_fact_once(
        self, shared_url: str, open_desk: OpenDesk, connect: Connect
    ) -> None:
        """Two connections take turns, page by page."""
        desks = [open_desk(shared_url) for _ in range(2)]
        for number in range(30):
            desks[0].sell(f"s{number}")
        connect(desks[0])
        counts: list[int] = []

        def follow(desk: "Desk") -> None:
            counts.append(relay(desk.store, SOLD_AT, page=4))

        threads = [Thread(target=follow, args=(desk,)) for desk in desks]
        for each in threads:
            each.start()
        for each in threads:
            each.join(60)

        assert sum(counts) == 60
        assert in_order(found(desks[0]))


class TestFilters:
    @pytest.mark.parametrize(
        ("filters", "subjects"),
        [
            (Filters(), {"s1", "s2"}),
            (Filters(facts=("subscription-created",)), {"s1", "s2"}),
            (Filters(facts=("subscription-renewed",)), set[str]()),
            (Filters(customers=("contoso",)), {"s1"}),
            (Filters(customers=("contoso", "fabrikam")), {"s1", "s2"}),
            (Filters(partners=("northwind",)), {"s2"}),
            (Filters(customers=("contoso",), partners=("northwind",)), set[str]()),
            (Filters(lifecycles=("subscription",)), {"s1", "s2"}),
            (Filters(lifecycles=("transfer",)), set[str]()),
        ],
    )
    def test_an_endpoint_gets_what_its_filters_name(
        self, open_desk: OpenDesk, connect: Connect, filters: Filters, subjects: set[str]
    ) -> None:
        desk = open_desk()
        desk.sell("s1", customer="contoso", partner="tailspin")
        desk.sell("s2", customer="fabrikam", partner="northwind")
        endpoint = connect(desk, name="all")
        given = Endpoint(id="hook", url=endpoint.url, secret=endpoint.secret, filters=filters)
        desk.store.endpoints.add(given, SOLD_AT, from_start=True)

        relay(desk.store, SOLD_AT)

        assert {subject for subject, *_ in found(desk)} == subjects

    def test_they_are_kept_as_they_were_given(self, desk: "Desk", connect: Connect) -> None:
        filters = Filters(("por-set",), ("subscription",), ("contoso",), ("tailspin",))
        connect(desk, filters=filters)

        assert desk.store.endpoints.get("hook").filters == filters

    def test_partner_center_gets_only_what_it_has_a_name_for(
        self, desk: "Desk", connect: Connect
    ) -> None:
        """EVT-11."""
        desk.sell("s1")
        connect(desk, body=Body.PARTNER_CENTER)

        relay(desk.store, SOLD_AT)

        assert found(desk) == [("s1", 1, "subscription-created")]

    def test_a_partner_gets_what_happened_while_the_subscription_was_his(
        self, desk: "Desk", connect: Connect
    ) -> None:
        """TRM-29: not what came after a transfer, nor what was before; the transfer is for both."""
        for partner in ("tailspin", "northwind"):
            connect(desk, name=partner, filters=Filters(partners=(partner,)))
        desk.sell("s1", partner="tailspin")
        desk.do("add_seats", "s1", SOLD_AT + HOUR, ChangeSeats(5))
        _transfer(desk, "s1", SOLD_AT + 10 * DAY)
        desk.do("suspend", "s1", SOLD_AT + 20 * DAY, Suspend())

        relay(desk.store, SOLD_AT)

        old, new = (
            [fact for _, _, fact in found(desk, partner)] for partner in ("tailspin", "northwind")
        )
        assert old == [
            "subscription-created",
            "subscription-provisioned",
            "subscription-quantity-changed",
            "transfer-requested",
            "transfer-completed",
        ]
        assert new == [
            "transfer-completed",
            "subscription-suspended",
            "subscription-autorenew-changed",
        ]

    def test_a_fact_that_names_a_partner_is_for_that_one(self, open_desk: OpenDesk) -> None:
        """A customer has no partner of its own; its relationships have."""
        desk = open_desk()
        desk.sell("s1")
        entry = desk.store.history("s1")[0]
        accepted = Fact("relationship-accepted", {"partner": "northwind"})
        fact = CommittedFact("default", replace(entry, outcome=(accepted,)), 0, "contoso", "")

        wanted = [Filters(partners=(each,)).want(fact) for each in ("northwind", "tailspin")]

        assert wanted == [True, False]


def _transfer(desk: "Desk", subject: str, at: datetime) -> None:
    def agent(partner: str) -> Actor:
        kind, role = ActorKind.USER, Role.ADMIN_AGENT
        return Actor(kind, f"agent@{partner}", role, partner, PartnerType.DIRECT_BILL)

    desk.clock.move(at)
    for name, partner, data in (
        ("request_transfer", "northwind", RequestTransfer("northwind", relationship_accepted=True)),
        ("accept_transfer", "tailspin", EMPTY),
    ):
        event = desk.event(name, subject, at, data)
        outcome = submit(desk.store, replace(event, actor=agent(partner)))
        assert outcome.accepted, outcome.refusal


@contextmanager
def open_transaction(store: Store) -> Generator[Connection]:
    """Begin a host's transaction that has got its number, and commit it at the end."""
    with store.engine.connect() as connection, connection.begin():
        connection.execute(text("SELECT pg_current_xact_id()"))
        yield connection


class TestOutOfOrderCommits:
    """PostgreSQL: the transaction with the lower number commits last."""

    def test_no_fact_is_passed_over(
        self, migrated_database: str, open_desk: OpenDesk, connect: Connect
    ) -> None:
        desk = open_desk(migrated_database)
        connect(desk)
        with open_transaction(desk.store) as early:
            desk.sell("later-number")
            desk.clock.move(SOLD_AT)
            inside = desk.store.within(early)
            submit(inside, _bought(desk, "early-number"))
            while_open = relay(desk.store, SOLD_AT)

        afterwards = relay(desk.store, SOLD_AT)

        assert (while_open, afterwards) == (0, 4)
        assert {subject for subject, *_ in found(desk)} == {"early-number", "later-number"}
        assert in_order(found(desk))

    def test_what_was_committed_before_goes_on_meanwhile(
        self, migrated_database: str, open_desk: OpenDesk, connect: Connect
    ) -> None:
        desk = open_desk(migrated_database)
        connect(desk)
        desk.sell("before")
        with open_transaction(desk.store):
            desk.sell("during")
            while_open = relay(desk.store, SOLD_AT)

        assert while_open == 2
        assert {subject for subject, *_ in found(desk)} == {"before"}
        assert relay(desk.store, SOLD_AT) == 2

    def test_a_subject_stays_in_order_when_a_host_got_its_number_early(
        self, migrated_database: str, open_desk: OpenDesk, connect: Connect
    ) -> None:
        """The host's number is lower than that of the change before, which it waits for."""
        desk = open_desk(migrated_database)
        connect(desk)
        desk.sell("s1")
        with open_transaction(desk.store) as early:
            desk.do("add_seats", "s1", SOLD_AT + HOUR, ChangeSeats(5))
            desk.clock.move(SOLD_AT + DAY)
            submit(desk.store.within(early), desk.event("suspend", "s1", SOLD_AT + DAY, Suspend()))
            while_open = relay(desk.store, SOLD_AT)
        afterwards = relay(desk.store, SOLD_AT, page=1)

        stamps = _stamps(desk)
        due = [each for each in desk.store.deliveries.list() if each.next_attempt_at]
        assert (while_open, afterwards) == (2, 3)
        assert stamps == sorted(stamps)
        assert [each.sequence for each in due] == [1]
        assert in_order(found(desk))

    def test_what_a_host_rolled_back_is_not_handed_on(
        self, migrated_database: str, open_desk: OpenDesk, connect: Connect
    ) -> None:
        desk = open_desk(migrated_database)
        connect(desk)
        with desk.store.engine.connect() as connection, connection.begin() as undone:
            desk.clock.move(SOLD_AT)
            submit(desk.store.within(connection), _bought(desk, "s1"))
            undone.rollback()
        desk.sell("s2")

        relay(desk.store, SOLD_AT)

        assert {subject for subject, *_ in found(desk)} == {"s2"}

    def test_many_writers_and_relays_lose_and_double_nothing(
        self, migrated_database: str, open_desk: OpenDesk, connect: Connect
    ) -> None:
        """Writers commit in any order while two relays follow."""
        desk = open_desk(migrated_database)
        connect(desk)
        desk.clock.move(SOLD_AT)
        writers = [
            Thread(target=_sell_many, args=(open_desk(migrated_database), f"w{number}", 15))
            for number in range(4)
        ]
        counts: list[int] = []
        followers = [
            Thread(target=_follow, args=(open_desk(migrated_database), writers, counts))
            for _ in range(2)
        ]
        for each in (*writers, *followers):
            each.start()
        for each in (*writers, *followers):
            each.join(120)
        counts.append(relay(desk.store, SOLD_AT))

        rows = found(desk)
        assert sum(counts) == len(rows) == len(set(rows)) == 120
        assert in_order(rows)


def _bought(desk: "Desk", subject: str) -> Event:
    """Return a purchase that is not submitted yet."""
    product = Product("E3", "Office E3", rank=3)
    order = Purchase("tailspin", "contoso", product, 30, Term.P1Y, Billing.MONTHLY)
    return desk.event("purchase", subject, SOLD_AT, order, event_id=f"bought-{subject}")


def _sell_many(desk: "Desk", name: str, count: int) -> None:
    desk.clock.move(SOLD_AT)
    for number in range(count):
        with open_transaction(desk.store) as connection:
            event = _bought(desk, f"{name}-{number}")
            submit(desk.store.within(connection), event)


def _follow(desk: "Desk", writers: list[Thread], counts: list[int]) -> None:
    while any(each.is_alive() for each in writers):
        counts.append(relay(desk.store, SOLD_AT, page=7))


def _stamps(desk: "Desk") -> list[int]:
    query = text("SELECT stamp FROM sublife_journal ORDER BY subject, sequence")
    with desk.store.engine.connect() as connection:
        return list(connection.execute(query).scalars())


class TestARestoredDatabase:
    """PostgreSQL: a dump brings the numbers of another server along."""

    def test_following_it_is_refused_until_the_numbers_are_lowered(
        self, migrated_database: str, open_desk: OpenDesk, connect: Connect
    ) -> None:
        desk = open_desk(migrated_database)
        desk.sell("s1")
        connect(desk)
        relay(desk.store, SOLD_AT)
        desk.do("add_seats", "s1", SOLD_AT + HOUR, ChangeSeats(5))
        _as_from_another_server(desk, 10**9)
        digest = desk.store.digest()

        with pytest.raises(RestoredError, match="run `sublife deliveries rebase` once"):
            relay(desk.store, SOLD_AT)
        desk.store.deliveries.rebase()
        desk.sell("s2")
        desk.do("suspend", "s1", SOLD_AT + DAY, Suspend())
        count = relay(desk.store, SOLD_AT)

        assert count == 5
        assert in_order(found(desk))
        assert {each.status for each in desk.store.deliveries.list()} == {Status.PENDING}
        assert digest != desk.store.digest()

    def test_lowering_the_numbers_where_there_are_none_does_nothing(self, desk: "Desk") -> None:
        desk.sell("s1")
        before = desk.store.digest()

        desk.store.deliveries.rebase()

        assert desk.store.digest() == before


def _as_from_another_server(desk: "Desk", up: int) -> None:
    with desk.store.engine.begin() as connection:
        for table in ("journal", "subject", "consumer"):
            query = text(f"UPDATE sublife_{table} SET stamp = stamp + :up WHERE stamp > 0")  # noqa: S608
            connection.execute(query, {"up": up})


class TestPlans:
    """What is asked again and again is found by an index, and nothing is sorted."""

    @pytest.mark.parametrize(
        ("statement", "given", "index"),
        [
            (FOLLOWING, {"k_stamp": 0, "k_position": 5, "n": 100}, "sublife_journal_order"),
            (CLAIM, {"c": "hook", "now": SOLD_AT, "n": 10}, "sublife_delivery_due"),
            (NEXT_OF_SUBJECT, {"c": "hook", "s": "s1", "now": SOLD_AT}, "sublife_delivery_"),
        ],
        ids=["following", "claim", "next of a subject"],
    )
    def test_the_index_is_used(
        self,
        shared_url: str,
        open_desk: OpenDesk,
        statement: Statement,
        given: dict[str, Any],
        index: str,
    ) -> None:
        desk = open_desk(shared_url)
        with desk.store.engine.connect() as connection, connection.begin():
            link = Link(connection.connection, connection.dialect)
            if not link.is_sqlite:
                link.run("SET LOCAL enable_seqscan = off")
            explained = _Explained(link)
            statement.raw(explained, {"t": "default", **given})

        plan = explained.plan.lower()
        assert index in plan
        assert "sort" not in plan
        assert "temp b-tree" not in plan


class _Explained(Link):
    """A connection that tells how it would answer."""

    def __init__(self, link: Link) -> None:
        super().__init__(link.connection, link.dialect)
        self.plan = ""

    def rows(self, text: str, values: Any) -> list[Any]:
        how = "EXPLAIN QUERY PLAN" if self.is_sqlite else "EXPLAIN"
        found = super().rows(f"{how} {text}", _stored(values, self.is_sqlite))
        self.plan = "\n".join(str(row[-1]) for row in found)
        return []


def _stored(values: Any, is_sqlite: bool) -> Any:
    if is_sqlite:
        return [str(each) if isinstance(each, datetime) else each for each in values]
    return values


def test_a_delivery_tells_its_fact(desk: "Desk", connect: Connect) -> None:
    desk.sell("s1")
    connect(desk)
    relay(desk.store, SOLD_AT)
    entry = desk.store.history("s1")[0]

    delivery = desk.store.deliveries.find("hook", entry.event.id, 0)

    assert delivery == Delivery(
        consumer="hook",
        subject="s1",
        sequence=1,
        number=0,
        event_id=entry.event.id,
        fact="subscription-created",
        customer="tailspin",
        partner="contoso",
        status=Status.PENDING,
        attempts=0,
        created_at=SOLD_AT,
        first_attempt_at=None,
        next_attempt_at=SOLD_AT,
        ended_at=None,
        status_code=None,
        error=None,
    )
    assert delivery.fact_id == f"{entry.event.id}#0"
    assert desk.store.deliveries.fact(delivery).entry == entry
