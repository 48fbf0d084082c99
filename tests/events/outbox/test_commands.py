"""The commands `endpoints` and `deliveries`, as an operator uses them."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from standardwebhooks import Webhook
from typer.testing import CliRunner

from sublife.scheduler.cli import app

if TYPE_CHECKING:
    from tests.events.conftest import Desk
    from tests.events.outbox.conftest import Received, Receiver

OpenDesk = Callable[..., "Desk"]
ALLOWED = ("--allow-private", "--allow-http")
SOLD_AT = datetime(2024, 10, 1, 2, 35, tzinfo=UTC)


class Operator:
    """Runs commands on one database."""

    def __init__(self, url: str) -> None:
        self.url = url

    def run(self, *words: str, status: int = 0, answer: str | None = None) -> str:
        """Run a command, see that it ends with *status*, and return what it says."""
        done = CliRunner().invoke(app, [*words, "--store", self.url], input=answer)
        assert done.exit_code == status, done.output
        return done.stdout if status == 0 else done.output

    def json(self, *words: str, status: int = 0) -> Any:
        """Run a command and return the JSON it prints."""
        return json.loads(self.run(*words, "--json", status=status))


@pytest.fixture
def desk(shared_url: str, open_desk: OpenDesk) -> "Desk":
    """A desk at a store that a command can open too."""
    return open_desk(shared_url)


@pytest.fixture
def operator(desk: "Desk", shared_url: str) -> Operator:
    """Somebody at a terminal."""
    return Operator(shared_url)


def verified(received: "Received", secret: str) -> bool:
    """Return whether the receivers' own library takes a post as signed by *secret*."""
    return Webhook(secret).verify(received.body, received.headers) is not None


class TestEndpoints:
    def test_a_secret_is_shown_once_and_signs(
        self, desk: "Desk", operator: Operator, receiver: "Receiver"
    ) -> None:
        said = operator.run("endpoints", "add", "hook", receiver.url, *ALLOWED)
        secret = said.split()[-1]
        desk.sell("s1")

        operator.run("deliveries", "send")
        shown = operator.run("endpoints", "list") + operator.run("endpoints", "list", "--json")

        assert said == f"hook signs with {secret}\n"
        assert all(verified(each, secret) for each in receiver.received)
        assert len(receiver.received) == 2
        assert secret not in shown

    def test_the_list_tells_what_each_one_wants(
        self, operator: Operator, receiver: "Receiver"
    ) -> None:
        operator.run("endpoints", "add", "all", receiver.url, *ALLOWED)
        wants = ("--fact", "por-set", "--fact", "price-noted", "--customer", "tailspin")
        shape = ("--body", "partner-center", "--partner", "contoso", "--lifecycle", "subscription")
        operator.run("endpoints", "add", "some", receiver.url, *ALLOWED, *wants, *shape)

        every, some = operator.json("endpoints", "list")

        assert every["filters"] == {"facts": [], "lifecycles": [], "customers": [], "partners": []}
        assert some["body"] == "partner-center"
        assert some["filters"] == {
            "facts": ["por-set", "price-noted"],
            "lifecycles": ["subscription"],
            "customers": ["tailspin"],
            "partners": ["contoso"],
        }
        shown = operator.run("endpoints", "list")
        assert "everything" in shown
        assert "facts por-set, price-noted" in shown

    def test_no_endpoints_are_told_as_such(self, operator: Operator) -> None:
        assert operator.run("endpoints", "list") == "no endpoints\n"

    def test_a_secret_is_rotated(
        self, desk: "Desk", operator: Operator, receiver: "Receiver"
    ) -> None:
        old = operator.json("endpoints", "add", "hook", receiver.url, *ALLOWED)["secret"]

        new = operator.json("endpoints", "rotate-secret", "hook", "--hours", "2")
        desk.sell("s1")
        operator.run("deliveries", "send")

        until = datetime.fromisoformat(new["previous_secret_until"])
        assert timedelta(0) < until - datetime.now(UTC) < timedelta(hours=2)  # noqa: TID251
        assert all(verified(receiver.received[0], each) for each in (old, new["secret"]))

    def test_it_is_paused_and_resumed(
        self, desk: "Desk", operator: Operator, receiver: "Receiver"
    ) -> None:
        operator.run("endpoints", "add", "hook", receiver.url, *ALLOWED)
        operator.run("endpoints", "pause", "hook", "--because", "moving house")
        desk.sell("s1")
        operator.run("deliveries", "send")
        shown, count = operator.run("endpoints", "list"), len(receiver.received)

        operator.run("endpoints", "resume", "hook")
        operator.run("deliveries", "send")

        assert "moving house" in shown
        assert (count, len(receiver.received)) == (0, 2)

    def test_it_is_removed_when_the_answer_is_yes(
        self, operator: Operator, receiver: "Receiver"
    ) -> None:
        operator.run("endpoints", "add", "hook", receiver.url, *ALLOWED)

        operator.run("endpoints", "remove", "hook", answer="n\n", status=1)
        kept = operator.json("endpoints", "list")
        operator.run("endpoints", "remove", "hook", "--yes")

        assert [each["id"] for each in kept] == ["hook"]
        assert operator.json("endpoints", "list") == []

    def test_a_test_is_posted(self, operator: Operator, receiver: "Receiver") -> None:
        operator.run("endpoints", "add", "hook", receiver.url, *ALLOWED)

        taken = operator.run("endpoints", "test", "hook")
        receiver.refuse(500)
        refused = operator.json("endpoints", "test", "hook", status=1)

        assert taken.endswith(": answered 204\n")
        assert refused["error"] == "answered 500 Internal Server Error"
        assert json.loads(receiver.received[0].body)["type"] == "sublife.test-created"

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (("endpoints", "add", "a", "http://hooks.example/"), "or allow http for the endpoint"),
            (("endpoints", "add", "a", "https://127.0.0.1/"), "which is no public address"),
            (("endpoints", "add", "a", "https://a.example", "--fact", "x"), 'facts has "x"'),
            (("endpoints", "test", "a"), 'default has no endpoint "a"'),
            (("endpoints", "pause", "a"), 'default has no endpoint or handler "a"'),
            (("deliveries", "show", "a", "b#0"), '"a" of default has no delivery of fact b#0'),
            (("deliveries", "resend", "a", "--dead"), 'default has no endpoint or handler "a"'),
        ],
        ids=str,
    )
    def test_what_cannot_be_done_is_told_in_a_sentence(
        self, tmp_path: Path, open_desk: OpenDesk, words: tuple[str, ...], said: str
    ) -> None:
        url = f"sqlite:///{tmp_path / 'store.db'}"
        open_desk(url)

        output = Operator(url).run(*words, status=2)

        assert "not done" in output
        assert said in output

    def test_a_file_that_is_not_there_is_not_made(self, tmp_path: Path) -> None:
        path = tmp_path / "typo.db"

        output = Operator(f"sqlite:///{path}").run("endpoints", "list", status=2)

        assert "sublife migrate --store" in output
        assert not path.exists()


class TestDeliveries:
    @pytest.fixture
    def dead(self, desk: "Desk", operator: Operator, receiver: "Receiver") -> "Desk":
        """A desk with one subscription whose creation was given up."""
        from sublife.events.outbox import Retry, Settings, deliver, relay  # noqa: PLC0415

        operator.run("endpoints", "add", "hook", receiver.url, *ALLOWED)
        desk.sell("s1")
        receiver.refuse(500)
        relay(desk.store, SOLD_AT)
        once = Settings(retry=Retry(attempts=1))
        deliver(desk.store, SOLD_AT, chance=lambda: 1.0, settings=once)
        receiver.refuse(204)
        receiver.received.clear()
        return desk

    def test_the_list_shows_what_was_given_up_and_what_is_on_its_way(
        self, dead: "Desk", operator: Operator
    ) -> None:
        first, second = operator.json("deliveries", "list")

        assert (first["status"], first["fact"]) == ("dead", "subscription-created")
        assert first["error"] == "answered 500 Internal Server Error"
        assert first["ended_at"] == "2024-10-01T02:35:00Z"
        assert (second["status"], second["fact"]) == ("pending", "subscription-provisioned")
        shown = operator.run("deliveries", "list")
        assert "answered 500 Internal Server Error" in shown

    @pytest.mark.parametrize(
        ("filters", "count"),
        [
            (("--status", "dead"), 1),
            (("--status", "delivered"), 0),
            (("--status", "dead", "--status", "pending"), 2),
            (("--endpoint", "hook"), 2),
            (("--endpoint", "other"), 0),
            (("--subject", "s1"), 2),
            (("--subject", "s2"), 0),
            (("--fact", "subscription-created"), 1),
            (("--tenant", "other"), 0),
        ],
        ids=str,
    )
    def test_the_list_is_filtered(
        self, dead: "Desk", operator: Operator, filters: tuple[str, ...], count: int
    ) -> None:
        assert len(operator.json("deliveries", "list", *filters)) == count

    def test_an_empty_list_is_told_as_such(self, operator: Operator) -> None:
        assert operator.run("deliveries", "list") == "no such deliveries\n"

    def test_the_list_is_as_long_as_asked_for(self, dead: "Desk", operator: Operator) -> None:
        assert len(operator.json("deliveries", "list", "--limit", "1")) == 2

    def test_one_is_shown_with_its_body(
        self, dead: "Desk", operator: Operator, receiver: "Receiver"
    ) -> None:
        fact_id = operator.json("deliveries", "list", "--status", "dead")[0]["fact_id"]

        found = operator.json("deliveries", "show", "hook", fact_id)
        operator.run("deliveries", "resend", "hook", fact_id)
        operator.run("deliveries", "send")

        assert found["body"] == json.loads(receiver.received[0].body)
        assert "subscription-created" in operator.run("deliveries", "show", "hook", fact_id)

    def test_one_is_sent_again(
        self, dead: "Desk", operator: Operator, receiver: "Receiver"
    ) -> None:
        fact_id = operator.json("deliveries", "list", "--status", "dead")[0]["fact_id"]

        said = operator.run("deliveries", "resend", "hook", fact_id)
        sent = operator.json("deliveries", "send")

        assert said == "1 due again\n"
        assert sent == {"relayed": 0, "delivered": 2, "failed": 0, "dead": 0}
        assert receiver.ids[0] == fact_id

    def test_all_that_was_given_up_is_sent_again(
        self, dead: "Desk", operator: Operator, receiver: "Receiver"
    ) -> None:
        again = operator.json("deliveries", "resend", "hook", "--dead")
        operator.run("deliveries", "send")

        assert again == {"endpoint": "hook", "due_again": 1}
        assert len(receiver.received) == 2
        assert operator.json("deliveries", "list") == []

    @pytest.mark.parametrize("words", [("a",), ("a", "b#0", "--dead"), ("a", "no-number")])
    def test_it_must_be_clear_what_to_send_again(
        self, operator: Operator, words: tuple[str, ...]
    ) -> None:
        operator.run("deliveries", "resend", *words, status=2)

    def test_what_was_delivered_is_forgotten(self, dead: "Desk", operator: Operator) -> None:
        operator.run("deliveries", "send")

        count = operator.json("deliveries", "prune", "--days", "0")

        assert count == {"forgotten": 1}
        assert [each["status"] for each in operator.json("deliveries", "list")] == ["dead"]

    def test_numbers_are_lowered(self, operator: Operator) -> None:
        assert operator.run("deliveries", "rebase").startswith("numbers lowered by ")

    def test_it_goes_on_until_it_is_told_to_end(
        self, desk: "Desk", operator: Operator, receiver: "Receiver"
    ) -> None:
        """As a process of its own: it posts what is sold meanwhile, and ends cleanly."""
        operator.run("endpoints", "add", "hook", receiver.url, *ALLOWED)
        words = ["deliveries", "send", "--every", "0.1", "--store", operator.url]
        environment = {**os.environ, "PYTHONWARNINGS": "error"}
        with subprocess.Popen(
            [sys.executable, "-m", "sublife.scheduler", *words],
            env=environment,
            stderr=subprocess.PIPE,
        ) as process:
            desk.sell("s1")
            arrived = receiver.arrived.wait(60)
            process.send_signal(signal.SIGTERM)
            _, complaints = process.communicate(timeout=60)

        assert arrived
        assert (process.returncode, complaints) == (0, b"")
