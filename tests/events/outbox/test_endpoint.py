"""Endpoints: what may be one, and how its secret changes."""

import builtins
import importlib.util
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from freezegun import freeze_time
from standardwebhooks import Webhook, WebhookVerificationError

from sublife.events.outbox import (
    Body,
    Endpoint,
    Filters,
    add_endpoint,
    deliver,
    relay,
    rotate_secret,
    try_endpoint,
)
from sublife.events.outbox.endpoint import EndpointError, new_secret
from sublife.events.store.delivery import ConsumerTakenError, UnknownConsumerError
from sublife.events.webhook import ExtraMissingError
from sublife.events.webhook.address import AddressError

if TYPE_CHECKING:
    from tests.events.conftest import Desk
    from tests.events.outbox.conftest import Received, Receiver

Connect = Callable[..., Endpoint]
OpenDesk = Callable[..., "Desk"]
SOLD_AT = datetime(2024, 10, 1, 2, 35, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SECRET, NEW, NEWER = (new_secret(bytes([number]) * 32) for number in (1, 2, 3))


def verified(received: "Received", secret: str, at: datetime) -> bool:
    """Return whether the receivers' own library takes a post as signed by *secret*."""
    with freeze_time(at):
        try:
            Webhook(secret).verify(received.body, received.headers)
        except WebhookVerificationError:
            return False
    return True


class TestAdding:
    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"url": "hooks.example/in"}, "is no URL of https"),
            ({"url": "http://hooks.example/in"}, "is no URL of https; .* or allow http"),
            ({"url": "ftp://hooks.example/in"}, "is no URL of https"),
            ({"url": "https://amy:pass@hooks.example/"}, "carries a password"),
            ({"url": "https://10.0.0.5/"}, "10.0.0.5 lies at 10.0.0.5, which is no public"),
            ({"url": "https://localhost/"}, "localhost is this machine"),
            ({"url": "https://2130706433/"}, "an address in a form that hides which"),
            ({"id": " "}, "an endpoint needs an id"),
            ({"secret": "hunter2"}, "write whsec_ and 24 to 64 random bytes"),
            ({"secret": new_secret(b"short")}, "write whsec_ and 24 to 64 random bytes"),
            (
                {"filters": Filters(facts=("subscription-renewd",))},
                'facts has "subscription-renewd", .* did you mean subscription-renewed',
            ),
            ({"filters": Filters(lifecycles=("order",))}, 'lifecycles has "order"'),
        ],
        ids=lambda value: str(value)[:40],
    )
    def test_what_cannot_stand_is_refused_and_changes_nothing(
        self, open_desk: OpenDesk, changes: dict[str, Any], said: str
    ) -> None:
        desk = open_desk()
        given: dict[str, Any] = {"id": "hook", "url": "https://hooks.example/in", "secret": SECRET}

        with pytest.raises((EndpointError, AddressError), match=said):
            add_endpoint(desk.store, Endpoint(**{**given, **changes}), SOLD_AT)

        assert desk.store.endpoints.all() == ()

    def test_an_error_does_not_show_a_password(self, open_desk: OpenDesk) -> None:
        given = Endpoint(id="hook", url="http://amy:hunter2@hooks.example/", secret=SECRET)

        with pytest.raises(AddressError) as caught:
            add_endpoint(open_desk().store, given, SOLD_AT)

        assert "hunter2" not in str(caught.value)

    def test_an_id_is_given_once(self, desk: "Desk", connect: Connect) -> None:
        connect(desk)

        with pytest.raises(ConsumerTakenError, match='"hook" is an endpoint or handler of default'):
            connect(desk)

    def test_what_is_added_is_found_as_it_was_given(self, desk: "Desk") -> None:
        given = Endpoint(
            id="hook",
            url="https://hooks.example/in",
            body=Body.PARTNER_CENTER,
            filters=Filters(facts=("por-set",)),
            secret=SECRET,
            allow_private=True,
        )

        add_endpoint(desk.store, given, SOLD_AT)

        assert desk.store.endpoints.get("hook") == given

    def test_a_host_adds_one_in_its_own_transaction(self, desk: "Desk") -> None:
        given = Endpoint(id="hook", url="https://hooks.example/in", secret=SECRET)
        with desk.store.engine.connect() as connection, connection.begin() as undone:
            add_endpoint(desk.store.within(connection), given, SOLD_AT)
            undone.rollback()

        assert desk.store.endpoints.all() == ()

    def test_its_secrets_are_not_shown(self) -> None:
        given = Endpoint(id="a", url="https://a.example", secret=SECRET, previous_secret=NEW)

        assert SECRET not in repr(given)
        assert NEW not in repr(given)

    def test_one_that_is_not_there_is_named(self, desk: "Desk") -> None:
        with pytest.raises(UnknownConsumerError, match='default has no endpoint "hook"'):
            desk.store.endpoints.get("hook")


class TestRotation:
    def posted(self, desk: "Desk", receiver: "Receiver", at: datetime) -> "Received":
        desk.sell(f"s{len(receiver.received)}", at)
        relay(desk.store, at)
        deliver(desk.store, at, chance=lambda: 1.0)
        return receiver.received[-1]

    def test_both_secrets_sign_while_both_are_valid(
        self, desk: "Desk", receiver: "Receiver", connect: Connect
    ) -> None:
        connect(desk, receiver, secret=SECRET)

        until = rotate_secret(desk.store, "hook", NEW, now=SOLD_AT, overlap=DAY)
        during = self.posted(desk, receiver, SOLD_AT + DAY - HOUR)
        after = self.posted(desk, receiver, SOLD_AT + DAY)

        assert until == SOLD_AT + DAY
        for secret in (SECRET, NEW):
            assert verified(during, secret, SOLD_AT + DAY - HOUR)
        assert not verified(during, NEWER, SOLD_AT + DAY - HOUR)
        assert verified(after, NEW, SOLD_AT + DAY)
        assert not verified(after, SECRET, SOLD_AT + DAY)

    def test_two_are_valid_never_three(
        self, desk: "Desk", receiver: "Receiver", connect: Connect
    ) -> None:
        connect(desk, receiver, secret=SECRET)
        rotate_secret(desk.store, "hook", NEW, now=SOLD_AT)
        rotate_secret(desk.store, "hook", NEWER, now=SOLD_AT)

        post = self.posted(desk, receiver, SOLD_AT + HOUR)

        valid = [verified(post, each, SOLD_AT + HOUR) for each in (SECRET, NEW, NEWER)]
        assert valid == [False, True, True]

    def test_a_secret_that_cannot_sign_is_refused(self, desk: "Desk", connect: Connect) -> None:
        connect(desk, secret=SECRET)

        with pytest.raises(EndpointError, match="the secret of endpoint hook"):
            rotate_secret(desk.store, "hook", "whsec_", now=SOLD_AT)

        assert desk.store.endpoints.get("hook").secret == SECRET

    def test_only_what_is_there_is_rotated(self, desk: "Desk") -> None:
        with pytest.raises(UnknownConsumerError):
            rotate_secret(desk.store, "hook", NEW, now=SOLD_AT)


class TestTrying:
    def test_a_test_is_posted_at_once_and_signed(
        self, desk: "Desk", receiver: "Receiver", connect: Connect
    ) -> None:
        """EVT-11: test-created."""
        connect(desk, receiver, secret=SECRET)

        answer = try_endpoint(desk.store, "hook", "try-1", now=SOLD_AT)

        (got,) = receiver.received
        assert (answer.status, answer.is_accepted) == (204, True)
        assert json.loads(got.body)["type"] == "sublife.test-created"
        assert verified(got, SECRET, SOLD_AT)
        assert desk.store.deliveries.list() == ()

    def test_what_went_wrong_is_told(
        self, desk: "Desk", receiver: "Receiver", connect: Connect
    ) -> None:
        connect(desk, receiver, body=Body.PARTNER_CENTER)
        receiver.refuse(404)

        answer = try_endpoint(desk.store, "hook", "try-1", now=SOLD_AT)

        assert json.loads(receiver.received[0].body)["EventName"] == "test-created"
        assert (answer.is_accepted, answer.error) == (False, "answered 404 Not Found")


class TestWithoutTheExtra:
    def test_what_is_missing_is_named_with_its_extra(
        self, open_desk: OpenDesk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        desk = open_desk()
        find = importlib.util.find_spec

        def no_httpx(name: str, *rest: Any) -> Any:
            return None if name == "httpx" else find(name, *rest)

        monkeypatch.setattr("sublife.events.webhook.find_spec", no_httpx)
        given = Endpoint(id="hook", url="https://hooks.example/in", secret=SECRET)

        for work in (
            lambda: add_endpoint(desk.store, given, SOLD_AT),
            lambda: deliver(desk.store, SOLD_AT, chance=lambda: 1.0),
            lambda: try_endpoint(desk.store, "hook", "test-1", now=SOLD_AT),
        ):
            with pytest.raises(ExtraMissingError, match=r"httpx; install sublife\[webhooks\]"):
                work()

    def test_handlers_and_the_relay_need_it_not(
        self, open_desk: OpenDesk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nothing of the outbox imports it before it posts."""
        importing = builtins.__import__

        def none_of_it(name: str, *rest: Any, **more: Any) -> Any:
            assert name.partition(".")[0] not in {"httpx", "standardwebhooks"}
            return importing(name, *rest, **more)

        monkeypatch.setattr(builtins, "__import__", none_of_it)
        desk = open_desk()
        desk.sell("s1")

        assert relay(desk.store, SOLD_AT) == 0
