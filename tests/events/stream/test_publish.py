"""Committed facts in a real JetStream stream: once, in order, whatever happens to the broker."""

import ssl
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event as Signal
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy.orm import Session

from sublife.events.intake import submit
from sublife.events.outbox import Retry, Status
from sublife.events.stream import (
    Broker,
    BrokerAwayError,
    BrokerError,
    BrokerRefusedError,
    Connection,
    Message,
    Published,
    SettingError,
    keep_publishing,
    publish,
)
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.subscription.model import Product, Purchase, Rename, Suspend

if TYPE_CHECKING:
    from tests.events.conftest import Desk
    from tests.events.stream.conftest import Kept, Operator, Server

Connect = Callable[..., Connection]
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
SOLD_AT = datetime(2024, 10, 1, 2, 35, tzinfo=UTC)
TERM_END = datetime(2025, 10, 1, tzinfo=UTC)
ORDER = Purchase("tailspin", "contoso", Product("E3"), 30, Term.P1Y, Billing.MONTHLY)
OWN = Path(__file__).with_name("127.0.0.1.pem")
TLS = Path(__file__).parents[1] / "webhook" / "hooks.example.pem"


def longest() -> float:
    return 0.999


def round_of(desk: "Desk", connection: Connection, **more: Any) -> Published:
    """Publish once, by the desk's clock."""
    return publish(desk.store, desk.clock.now(), connection=connection, chance=longest, **more)


def publish_all(desk: "Desk", connection: Connection, **more: Any) -> int:
    """Publish until nothing is left; return how many facts the broker has taken."""
    count, more_follows = 0, True
    while more_follows:
        done = round_of(desk, connection, **more)
        count += done.published
        more_follows = done.more
    return count


def committed(desk: "Desk") -> dict[str, list[str]]:
    """Return the ids of all facts of the journal, with their tenant, by subject."""
    found = defaultdict[str, list[str]](list)
    for entry in desk.store.journal():
        for number in range(len(entry.outcome) if isinstance(entry.outcome, tuple) else 0):
            found[entry.event.subject].append(f"{desk.store.tenant}/{entry.event.id}#{number}")
    return {subject: ids for subject, ids in found.items() if ids}


def streamed(kept: Sequence["Kept"]) -> dict[str, list[str]]:
    """Return the ids of messages by the subject they are about, in the stream's order."""
    found = defaultdict[str, list[str]](list)
    for each in kept:
        found[each.body["subject"]].append(each.id)
    return dict(found)


def busy(desk: "Desk", count: int = 20) -> None:
    """Sell, suspend and lapse subscriptions, so that each has several facts."""
    for number in range(count):
        desk.sell(f"s{number}")
    for number in range(0, count, 3):
        desk.do("suspend", f"s{number}", SOLD_AT + DAY, Suspend())
    desk.wake(TERM_END + DAY)


class Cut(Connection):
    """A connection that is cut off in the middle: the broker has some messages, we know of none.

    Args:
        broker: where it leads.
        after: sendings that go well before.
        cut: called in the middle of the next one.
    """

    def __init__(self, broker: Broker, after: int, cut: Callable[[], object]) -> None:
        super().__init__(broker)
        self._left = after
        self._cut = cut

    def send(self, messages: Sequence[Message]) -> Any:
        """Send, and lose what the broker answers where it is time."""
        self._left -= 1
        if self._left != -1:
            return super().send(messages)
        super().send(messages[: (len(messages) + 1) // 2])
        self._cut()
        raise BrokerAwayError("cut off")


class Killing(Connection):
    """A connection whose server is killed while messages are on their way.

    Args:
        broker: where it leads.
        server: what is killed.
    """

    def __init__(self, broker: Broker, server: "Server") -> None:
        super().__init__(broker)
        self._server = server
        self.is_armed = True
        self._sent = 0

    def send(self, messages: Sequence[Message]) -> Any:
        """Send, and kill the server meanwhile every second time."""
        self._sent += 1
        if not self.is_armed or self._sent % 2:
            return super().send(messages)
        killer = Thread(target=self._server.kill)
        killer.start()
        try:
            return super().send(messages)
        finally:
            killer.join()


class Waiting(Connection):
    """A connection that lets its server be started after an outage, and counts what arrives.

    Args:
        broker: where it leads.
        facts: how many have to arrive; then it says stop.
        start: called at the first outage.
    """

    def __init__(self, broker: Broker, facts: int, start: Callable[[], object]) -> None:
        super().__init__(broker)
        self.stop = Signal()
        self.outages = 0
        self._facts = facts
        self._start = start

    def send(self, messages: Sequence[Message]) -> Any:
        """Send, and see what comes of it."""
        try:
            answers = super().send(messages)
        except BrokerAwayError:
            self.outages += 1
            self._start()
            raise
        self._facts -= sum(each is None for each in answers)
        if not self._facts:
            self.stop.set()
        return answers


class TestMessage:
    @pytest.fixture
    def kind(self) -> str:
        """The database makes no difference to what a broker says."""
        return "sqlite-memory"

    def test_a_fact_is_a_cloudevent_under_its_tenant_lifecycle_and_name(
        self, desk: "Desk", server: "Server", connection: Connection
    ) -> None:
        desk.sell("s1", customer="tailspin")

        publish_all(desk, connection)

        created, noted = server.kept()
        assert created.subject == "sublife.default.subscription.subscription-created"
        assert created.headers["Content-Type"].startswith("application/cloudevents+json")
        assert (created.headers["Sublife-Subject"], created.headers["Sublife-Sequence"]) == (
            "s1",
            "1",
        )
        assert created.body["id"] == "event-1#0"
        assert created.body["type"] == "sublife.subscription-created"
        assert created.body["data"]["customer"] == "tailspin"
        assert created.id == "default/event-1#0"
        assert noted.subject.startswith("sublife.default.subscription.")

    def test_what_a_subject_name_forbids_is_escaped(
        self, open_desk: Callable[..., "Desk"], url: str, server: "Server", connect: Connect
    ) -> None:
        odd = "a.b *>\u00fc\n"
        desk = open_desk(url, tenant=odd)
        desk.do("purchase", "s 1.\u00e9", SOLD_AT, ORDER, event_id="id\r\nX: \u00e9*")

        publish_all(desk, connect(prefix="csp.facts"))

        first = server.kept()[0]
        assert first.subject == (
            "csp.facts.a%2Eb%20%2A%3E%C3%BC%0A.subscription.subscription-created"
        )
        assert first.id == "a.b%20%2A%3E%C3%BC%0A/id%0D%0AX:%20%C3%A9%2A#0"
        assert first.body["subject"] == "s 1.\u00e9"
        assert "X" not in first.headers

    def test_tenants_may_use_one_event_id(
        self, desk: "Desk", server: "Server", connection: Connection
    ) -> None:
        """The id of an event is its tenant's own; neither fact may pass for the other."""
        other = type(desk)(desk.store.of("other"), desk.clock)
        for each in (desk, other):
            each.do("purchase", "s1", SOLD_AT, ORDER, event_id="order-1")
            publish_all(each, connection)

        timer = "timer:s1/provisioning_ended/2024-10-01T02:35:00Z/1#0"
        assert [each.id for each in server.kept()] == [
            "default/order-1#0",
            f"default/{timer}",
            "other/order-1#0",
            f"other/{timer}",
        ]


class TestOnceAndInOrder:
    def test_every_fact_arrives_once_and_in_order_of_its_subject(
        self, desk: "Desk", server: "Server", connection: Connection
    ) -> None:
        busy(desk)

        count = publish_all(desk, connection, page=7)

        kept = server.kept()
        assert streamed(kept) == committed(desk)
        assert count == len(kept) > 50
        assert round_of(desk, connection) == Published()

    def test_what_comes_later_follows(
        self, desk: "Desk", server: "Server", connection: Connection
    ) -> None:
        desk.sell("s1")
        publish_all(desk, connection)
        desk.do("suspend", "s1", SOLD_AT + DAY, Suspend())

        assert publish_all(desk, connection) == 2

        assert streamed(server.kept()) == committed(desk)

    def test_what_was_rolled_back_is_not_published(
        self, desk: "Desk", server: "Server", connection: Connection
    ) -> None:
        desk.sell("s1")
        with Session(desk.store.engine) as session:
            event = desk.event("suspend", "s1", desk.clock.now(), Suspend())
            submit(desk.store.within(session), event)
            session.rollback()

        publish_all(desk, connection)

        assert len(server.kept()) == 2
        assert streamed(server.kept()) == committed(desk)

    def test_a_refused_event_is_no_fact(
        self, desk: "Desk", server: "Server", connection: Connection
    ) -> None:
        desk.sell("s1")
        refused = desk.do("reactivate", "s1", SOLD_AT + DAY)

        publish_all(desk, connection)

        assert refused.refusal is not None
        assert len(server.kept()) == 2

    def test_a_stream_may_begin_with_what_comes(
        self, desk: "Desk", server: "Server", connection: Connection
    ) -> None:
        desk.sell("s1")
        publish_all(desk, connection, from_start=False)
        desk.sell("s2")

        publish_all(desk, connection, from_start=False)

        assert list(streamed(server.kept())) == ["s2"]

    def test_another_stream_has_its_own_place(
        self, desk: "Desk", server: "Server", connect: Connect
    ) -> None:
        desk.sell("s1")

        publish_all(desk, connect())
        publish_all(desk, connect(stream="second", prefix="second"))

        assert len(server.kept()) == len(server.kept("second")) == 2

    def test_one_process_at_a_time_publishes_for_a_tenant(
        self, desk: "Desk", connect: Connect
    ) -> None:
        desk.sell("s1")
        inner: list[Published] = []
        broker = connect().broker

        def meanwhile() -> None:
            inner.append(round_of(desk, connect()))

        cut = Cut(broker, 0, meanwhile)
        with pytest.raises(BrokerAwayError):
            round_of(desk, cut)
        cut.close()

        assert inner == [Published(busy=True)]

    def test_a_paused_stream_waits(
        self, desk: "Desk", server: "Server", connection: Connection
    ) -> None:
        round_of(desk, connection)
        desk.store.endpoints.pause("nats:sublife", SOLD_AT, "asked")
        desk.sell("s1")

        paused = round_of(desk, connection)
        desk.store.endpoints.pause("nats:sublife", None)

        assert paused == Published(busy=True)
        assert publish_all(desk, connection) == 2


class TestBrokerFails:
    @pytest.mark.parametrize("after", [0, 1, 2])
    def test_killed_in_the_middle_and_started_again_it_has_everything_once(
        self, desk: "Desk", server: "Server", connect: Connect, after: int
    ) -> None:
        busy(desk)
        cut = Cut(connect().broker, after, server.kill)

        with pytest.raises(BrokerAwayError):
            publish_all(desk, cut, page=40)
        with pytest.raises(BrokerAwayError):
            round_of(desk, cut)
        server.start()
        publish_all(desk, cut, page=40)
        cut.close()

        assert streamed(server.kept()) == committed(desk)

    def test_killed_while_messages_are_on_their_way_it_has_everything_once(
        self, desk: "Desk", server: "Server", connect: Connect
    ) -> None:
        """The server dies at any place among them, again and again."""
        busy(desk, 60)
        connection = Killing(connect().broker, server)

        for _ in range(4):
            with pytest.raises(BrokerAwayError):
                publish_all(desk, connection, page=50)
            server.start()
        connection.is_armed = False
        publish_all(desk, connection)
        connection.close()

        assert streamed(server.kept()) == committed(desk)

    def test_away_from_the_beginning_nothing_is_changed(
        self, desk: "Desk", server: "Server", connection: Connection
    ) -> None:
        desk.sell("s1")
        server.kill()

        with pytest.raises(BrokerAwayError, match=r"nats://127\.0\.0\.1:\d+ does not answer"):
            round_of(desk, connection)

        assert desk.store.deliveries.list() == ()
        server.start()
        assert publish_all(desk, connection) == 2

    def test_a_broker_that_says_nothing_is_not_waited_for_for_ever(
        self, desk: "Desk", server: "Server", connect: Connect
    ) -> None:
        connection = connect(timeout_seconds=1)
        desk.sell("s1")
        publish_all(desk, connection)
        desk.sell("s2")

        server.pause()
        with pytest.raises(BrokerAwayError, match="has not confirmed"):
            round_of(desk, connection)
        server.resume()
        publish_all(desk, connection)

        assert streamed(server.kept()) == committed(desk)

    def test_it_goes_on_by_itself_after_an_outage(
        self, desk: "Desk", server: "Server", connection: Connection
    ) -> None:
        """`keep_publishing` waits for the broker, and is told to stop."""
        busy(desk)
        server.kill()
        facts = sum(map(len, committed(desk).values()))
        waiting = Waiting(connection.broker, facts, server.start)

        keep_publishing(
            desk.store, waiting.stop, connection=waiting, chance=longest, beat_seconds=0.01
        )
        waiting.close()

        assert waiting.outages == 1
        assert streamed(server.kept()) == committed(desk)


class TestBrokerRefuses:
    @pytest.fixture
    def kind(self) -> str:
        """The database makes no difference to what a broker says."""
        return "sqlite-memory"

    def test_a_stream_that_is_missing_is_named(
        self, desk: "Desk", server: "Server", connect: Connect
    ) -> None:
        desk.sell("s1")
        connection = connect(create=False)

        with pytest.raises(BrokerRefusedError, match=r'"sublife" the subjects sublife\.>'):
            round_of(desk, connection)

        server.make(name="sublife", subjects=["sublife.>"])
        assert publish_all(desk, connection) == 2

    def test_a_stream_without_our_subjects_is_named(
        self, desk: "Desk", server: "Server", connection: Connection
    ) -> None:
        desk.sell("s1")
        server.make(name="sublife", subjects=["else.>"])

        with pytest.raises(BrokerRefusedError, match=r"takes sublife\.default\.subscription\."):
            round_of(desk, connection)

    def test_subjects_of_another_stream_are_not_written_there(
        self, desk: "Desk", server: "Server", connect: Connect
    ) -> None:
        desk.sell("s1")
        server.make(name="other", subjects=["sublife.>"])

        with pytest.raises(BrokerRefusedError, match="another stream than"):
            round_of(desk, connect(create=False))
        with pytest.raises(BrokerRefusedError, match="does not make the stream"):
            round_of(desk, connect())

        assert server.kept("other") == []

    def test_one_that_is_full_is_named_and_loses_nothing(
        self, desk: "Desk", server: "Server", connection: Connection
    ) -> None:
        busy(desk)
        limits = {"name": "sublife", "subjects": ["sublife.>"], "discard": "new"}
        server.make(**limits, max_msgs=33)

        for _ in range(3):
            with pytest.raises(BrokerRefusedError, match="maximum messages exceeded; raise its"):
                publish_all(desk, connection)
        kept = len(server.kept())
        server.change(**limits, max_msgs=1000)
        publish_all(desk, connection)

        assert kept == 33
        assert streamed(server.kept()) == committed(desk)

    def test_a_fact_that_is_too_large_holds_up_its_own_subject_alone(
        self, desk: "Desk", server: "Server", connection: Connection
    ) -> None:
        for subject in ("s1", "s2"):
            desk.sell(subject)
        desk.do("suspend", "s1", SOLD_AT + DAY, Suspend(("x" * 3000,)))
        desk.do("rename", "s1", SOLD_AT + DAY, Rename("Contoso"))
        desk.do("rename", "s2", SOLD_AT + DAY, Rename("Contoso"))
        limits = {"name": "sublife", "subjects": ["sublife.>"]}
        server.make(**limits, max_msg_size=2000)

        done = round_of(desk, connection)
        waiting = desk.store.deliveries.list()
        server.change(**limits, max_msg_size=100_000)
        desk.clock.move(desk.clock.now() + HOUR)
        publish_all(desk, connection)

        kept = streamed(server.kept())
        assert (done.published, done.refused, done.dead) == (len(kept["s2"]) + 2, 1, 0)
        assert {each.subject for each in waiting} == {"s1"}
        assert len(waiting) == len(kept["s1"]) - 2
        assert "more than the stream" in str(waiting[0].error)
        assert kept == committed(desk)

    def test_a_fact_that_is_given_up_is_listed_and_can_be_resent(
        self, desk: "Desk", server: "Server", connection: Connection
    ) -> None:
        desk.sell("s1")
        desk.do("suspend", "s1", SOLD_AT + DAY, Suspend(("x" * 3000,)))
        limits = {"name": "sublife", "subjects": ["sublife.>"]}
        server.make(**limits, max_msg_size=2000)

        done = round_of(desk, connection, retry=Retry(attempts=1))
        (dead,) = desk.store.deliveries.list(status=Status.DEAD)
        server.change(**limits, max_msg_size=100_000)
        desk.store.deliveries.resend("nats:sublife", dead.event_id, dead.number, desk.clock.now())
        publish_all(desk, connection)

        assert done.dead == 1
        assert sorted(streamed(server.kept())["s1"]) == sorted(committed(desk)["s1"])

    def test_a_server_without_jetstream_is_named(
        self, desk: "Desk", open_server: Callable[..., "Server"], connect: Connect
    ) -> None:
        desk.sell("s1")
        plain = open_server(jetstream=False)

        with pytest.raises(BrokerRefusedError, match="start nats-server with --jetstream"):
            round_of(desk, connect(plain.url))

    def test_wrong_users_are_named_and_no_password_is_told(
        self, desk: "Desk", open_server: Callable[..., "Server"], connect: Connect
    ) -> None:
        desk.sell("s1")
        server = open_server('authorization { user: amy, password: "right-pw" }')
        address = f"@127.0.0.1:{server.port}"

        for url in (server.url, f"nats://amy:wrong-pw{address}"):
            with pytest.raises(BrokerRefusedError, match="does not let us in") as caught:
                round_of(desk, connect(url))
            assert "wrong-pw" not in str(caught.value)
        assert publish_all(desk, connect(f"nats://amy:right-pw{address}")) == 2

    @pytest.mark.parametrize(
        ("allowed", "create", "says"),
        [
            ("_INBOX.>", True, "does not let us look for the stream"),
            ("_INBOX.>", False, "does not let us publish"),
        ],
    )
    def test_what_a_user_may_not_do_is_named(
        self,
        desk: "Desk",
        open_server: Callable[..., "Server"],
        connect: Connect,
        allowed: str,
        create: bool,
        says: str,
    ) -> None:
        desk.sell("s1")
        server = open_server(
            "authorization { users: [{user: amy, password: pw, permissions: "
            f'{{publish: ["{allowed}"]}}}}] }}'
        )
        url = f"nats://amy:pw@127.0.0.1:{server.port}"

        with pytest.raises(BrokerRefusedError, match=says):
            round_of(desk, connect(url, create=create, timeout_seconds=1))


class TestConnection:
    @pytest.fixture
    def kind(self) -> str:
        """The database makes no difference to what a broker says."""
        return "sqlite-memory"

    def test_the_stream_it_makes_keeps_everything_and_knows_ids(
        self, desk: "Desk", server: "Server", connect: Connect
    ) -> None:
        desk.sell("s1")

        publish_all(desk, connect(duplicate_window=HOUR))

        config = server.info().config
        assert config.subjects == ["sublife.>"]
        assert config.duplicate_window == HOUR.total_seconds()
        assert (config.max_msgs, config.max_bytes, config.max_age) == (-1, -1, 0)
        assert str(config.storage) == "file"

    def test_a_stream_that_is_there_is_left_as_it_is(
        self, desk: "Desk", server: "Server", connection: Connection
    ) -> None:
        desk.sell("s1")
        server.make(name="sublife", subjects=["sublife.>", "more"], max_msgs=10)

        publish_all(desk, connection)

        assert server.info().config.subjects == ["sublife.>", "more"]
        assert server.info().config.max_msgs == 10

    def test_several_servers_are_tried_in_turn(
        self, desk: "Desk", server: "Server", connect: Connect
    ) -> None:
        desk.sell("s1")

        assert publish_all(desk, connect(f"nats://127.0.0.1:1, {server.url}")) == 2

    def test_tenants_go_through_one_connection(
        self, desk: "Desk", server: "Server", connection: Connection
    ) -> None:
        """The server numbers its clients: there is none between two of the test's own."""

        async def number(js: Any) -> Any:
            return js._nc.client_id

        tenants = [type(desk)(desk.store.of(name), desk.clock) for name in ("a", "b", "c")]
        for each in tenants:
            each.sell("s1")
        publish_all(tenants[0], connection)
        before = server.ask(number)
        for each in tenants:
            publish_all(each, connection)

        assert server.ask(number) - before == 1
        assert len(server.kept()) == 6

    def test_a_server_is_known_by_its_certificate(
        self, desk: "Desk", open_server: Callable[..., "Server"], connect: Connect
    ) -> None:
        desk.sell("s1")
        server = open_server(f'tls {{ cert_file: "{TLS}", key_file: "{TLS}" }}')
        url = f"tls://127.0.0.1:{server.port}"

        for more in ({}, {"tls_ca": TLS}):
            with pytest.raises(BrokerRefusedError, match="no secure connection") as caught:
                round_of(desk, connect(url, **more))
            assert isinstance(caught.value.__cause__, ssl.SSLError)

    def test_both_sides_can_ask_for_certificates(
        self, desk: "Desk", open_server: Callable[..., "Server"], connect: Connect
    ) -> None:
        desk.sell("s1")
        files = f'cert_file: "{OWN}", key_file: "{OWN}", ca_file: "{OWN}"'
        server = open_server(f"tls {{ {files}, verify: true }}")
        url = f"tls://127.0.0.1:{server.port}"

        with pytest.raises(BrokerError):
            round_of(desk, connect(url, tls_ca=OWN))
        assert publish_all(desk, connect(url, tls_ca=OWN, tls_certificate=OWN)) == 2

    def test_it_signs_in_with_a_credentials_file(
        self,
        desk: "Desk",
        open_server: Callable[..., "Server"],
        operator: "Operator",
        connect: Connect,
        tmp_path: Path,
    ) -> None:
        desk.sell("s1")
        server = open_server(operator.config)
        own, broken = tmp_path / "own.creds", tmp_path / "broken.creds"
        own.write_text(operator.credentials)
        broken.write_text("no credentials\n")

        with pytest.raises(BrokerRefusedError, match="does not let us in"):
            round_of(desk, connect(server.url))
        with pytest.raises(BrokerRefusedError, match=r"broken\.creds"):
            round_of(desk, connect(server.url, credentials=broken))
        assert publish_all(desk, connect(server.url, credentials=own)) == 2

    @pytest.mark.parametrize("setting", ["credentials", "tls_ca", "tls_certificate"])
    def test_a_file_that_is_not_there_is_named(
        self, desk: "Desk", connect: Connect, setting: str
    ) -> None:
        desk.sell("s1")

        with pytest.raises(BrokerRefusedError, match=f"no file /none; nats_{setting} names it"):
            round_of(desk, connect(**{setting: Path("/none")}))


class TestBroker:
    @pytest.mark.parametrize(
        "wrong",
        [
            {"url": "http://127.0.0.1:4222"},
            {"url": "nats://"},
            {"url": "nats://127.0.0.1:99999"},
            {"url": "nats://amy:secret-pw@127.0.0.1:4222,"},
            {"stream": "a.b"},
            {"stream": ""},
            {"prefix": "a..b"},
            {"prefix": "a.*"},
            {"prefix": "$JS"},
        ],
        ids=str,
    )
    def test_what_cannot_be_is_refused_without_telling_a_password(
        self, wrong: dict[str, Any]
    ) -> None:
        with pytest.raises(SettingError) as caught:
            Broker(**wrong)

        assert "secret-pw" not in str(caught.value)

    def test_its_address_is_shown_without_passwords(self) -> None:
        broker = Broker(url="nats://amy:secret-pw@one:4222,tls://token@[::1]:4333")

        assert broker.where == "nats://one:4222, tls://[::1]:4333"
        assert "secret-pw" not in repr(broker)
