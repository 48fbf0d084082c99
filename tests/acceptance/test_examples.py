"""The example backend and its nightly run: real requests, real processes, both databases."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import MetaData, create_engine, select, text
from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from examples import cron
from examples.backend.api import create_app
from examples.backend.settings import Settings
from examples.backend.transaction import Backend
from sublife.events.store import ConflictError, Store
from sublife.scheduler.clock import SimulatedClock

TOP = Path(__file__).parents[2]
SOLD_AT = datetime(2024, 10, 1, 2, 35, tzinfo=UTC)
TERM_END = datetime(2025, 10, 1, tzinfo=UTC)
DAY = timedelta(days=1)
Rows = dict[str, list[tuple[Any, ...]]]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'backend.db'}"
    address = str(request.getfixturevalue("migrated_database"))
    return address.replace("postgresql:", "postgresql+psycopg:", 1)


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(SOLD_AT)


@pytest.fixture
def backend(url: str, clock: SimulatedClock) -> Iterator[Backend]:
    backend = Backend(Settings(database=url), clock)
    yield backend
    backend.close()


class InProcess(httpx.BaseTransport):
    """Carries requests to an application in this process, by its ASGI interface.

    Args:
        app: the application.
    """

    def __init__(self, app: FastAPI) -> None:
        self._transport = httpx.ASGITransport(app)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return asyncio.run(self._handled(request))

    async def _handled(self, request: httpx.Request) -> httpx.Response:
        answer = await self._transport.handle_async_request(request)
        return httpx.Response(
            answer.status_code, headers=answer.headers, content=await answer.aread()
        )


class Client:
    """Somebody who uses the backend through its endpoints."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http
        self.count = 0

    def ask(
        self, path: str, body: object = None, *, key: str | None = None, etag: str | None = None
    ) -> httpx.Response:
        """Post a request, with a key of its own unless one is given."""
        self.count += 1
        headers = {"Idempotency-Key": key or f"key-{self.count}", "X-User": "amy"}
        if etag is not None:
            headers["If-Match"] = etag
        return self.http.post(path, json=body, headers=headers)

    def sell(self, *, key: str | None = None, **changes: object) -> httpx.Response:
        order = {"customer": "tailspin", "sku": "E3", "seats": 30, "unit_price": "20.00"}
        return self.ask("/subscriptions", order | changes, key=key)

    def sold(self, *, autorenew: bool = True) -> str:
        """Sell a subscription and return its path."""
        return f"/subscriptions/{self.sell(autorenew=autorenew).json()['id']}"

    def get(self, path: str, **query: str | int) -> Any:
        answer = self.http.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
def client(backend: Backend) -> Iterator[Client]:
    transport = InProcess(create_app(backend))
    with httpx.Client(transport=transport, base_url="http://backend") as http:
        client = Client(http)
        assert http.post("/customers", json={"id": "tailspin", "name": "T"}).status_code == 201
        yield client


def rows(url: str) -> Rows:
    """Return every row of every table that the database has, ours and the backend's."""
    engine = create_engine(url)
    found: Rows = {}
    with engine.connect() as connection:
        tables = MetaData()
        tables.reflect(connection)
        for table in tables.sorted_tables:
            ordered = select(table).order_by(*table.primary_key)
            found[table.name] = [tuple(row) for row in connection.execute(ordered)]
    engine.dispose()
    return found


class TestSelling:
    def test_a_sale_is_there_with_its_charge(self, client: Client, url: str) -> None:
        """The lifecycle's rows and the backend's, from one transaction."""
        answer = client.sell()

        shown = client.get(f"/subscriptions/{answer.json()['id']}")
        found = rows(url)
        assert (answer.status_code, answer.headers["ETag"]) == (201, '"2"')
        assert (shown["state"], shown["seats"], shown["unit_price"]) == ("active", 30, "20.00")
        assert "suspend" in shown["allowed"]
        assert client.get("/customers/tailspin/invoice")["balance"] == "600.00"
        tables = ("sale", "invoiceline", "sublife_subject", "sublife_order")
        assert [len(found[name]) for name in tables] == [1, 1, 1, 1]

    def test_a_subscription_through_its_life(self, client: Client, clock: SimulatedClock) -> None:
        """Every endpoint that changes something."""
        path = client.sold()
        clock.move(SOLD_AT + DAY)
        asked = [
            client.ask(f"{path}/seats", {"quantity": 5}),
            client.ask(f"{path}/suspend", {"reasons": ["non-payment"]}),
            client.ask(f"{path}/reactivate"),
            client.ask(f"{path}/autorenew", {"on": True}),
            client.ask(f"{path}/autorenew", {"on": False}),
            client.ask(f"{path}/cancel"),
        ]

        states = [each.json()["state"] for each in asked]
        assert [each.status_code for each in asked] == [200] * 6
        assert states == ["active", "suspended", "active", "active", "active", "canceled"]
        history = client.get(f"{path}/history")["items"]
        assert [each["sequence"] for each in history] == list(range(1, 9))
        assert {each["by"] for each in history} == {"amy", "provisioning_ended"}
        assert client.get("/subscriptions", customer="tailspin")[0]["state"] == "canceled"

    def test_credits_are_booked_too(self, client: Client) -> None:
        """A cancellation within the window gives back all but the days that were used."""
        path = client.sold()

        client.ask(f"{path}/cancel")

        lines = client.get("/customers/tailspin/invoice")["lines"]
        assert [line["text"] for line in lines] == ["subscription-created", "subscription-canceled"]
        assert float(lines[1]["amount"]) < 0

    def test_an_unknown_customer_buys_nothing(self, client: Client, url: str) -> None:
        before = rows(url)

        answer = client.sell(customer="nobody")

        assert (answer.status_code, answer.json()["code"]) == (404, "UNKNOWN_CUSTOMER")
        assert rows(url) == before


class TestNo:
    def test_a_refusal_is_a_problem_with_code_rule_and_sentence(
        self, client: Client, url: str
    ) -> None:
        """409; it is on record, and nothing is booked."""
        path = client.sold()
        before = rows(url)

        answer = client.ask(f"{path}/reactivate")

        body = answer.json()
        assert answer.status_code == 409
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert (body["code"], body["rule"], body["status"]) == ("BAD_STATE", "1.2", 409)
        assert body["detail"].startswith("The subscription is active")
        assert client.get(f"{path}/history")["items"][-1]["refusal"] == "BAD_STATE"
        after = rows(url)
        changed = {name for name in after if after[name] != before[name]}
        assert changed == {"sublife_journal", "sublife_subject"}

    def test_an_unknown_subscription_is_not_found(self, client: Client) -> None:
        answers = [client.http.get("/subscriptions/none"), client.ask("/subscriptions/none/cancel")]

        assert [each.status_code for each in answers] == [404, 404]
        assert {each.json()["code"] for each in answers} == {"UNKNOWN_SUBSCRIPTION"}

    def test_a_request_without_a_key_is_refused(self, client: Client) -> None:
        assert client.http.post("/subscriptions/none/cancel").status_code == 422

    @pytest.mark.parametrize(
        ("query", "code"),
        [({"after": "nonsense"}, "BAD_CURSOR"), ({"limit": 0}, "BAD_LIMIT")],
        ids=["cursor", "limit"],
    )
    def test_a_wrong_page_is_a_bad_request(
        self, client: Client, query: dict[str, Any], code: str
    ) -> None:
        answer = client.http.get("/due", params=query)

        assert (answer.status_code, answer.json()["code"]) == (400, code)


class TestRolledBack:
    """What the backend rolls back leaves no trace in any table, the lifecycle's or its own."""

    def test_a_sale_beyond_the_credit_limit(self, client: Client, url: str) -> None:
        """The lifecycle has said yes and everything was written when the backend says no."""
        client.sold()
        before = rows(url)

        answer = client.sell(seats=10_000)

        assert (answer.status_code, answer.json()["code"]) == (409, "CREDIT_LIMIT")
        after = rows(url)
        assert len(after) >= 9
        for table in after:
            assert after[table] == before[table], table

    def test_seats_beyond_the_credit_limit_with_what_was_due_before(
        self, client: Client, url: str, clock: SimulatedClock
    ) -> None:
        """A renewal that was due first is undone with it, and is there again for the next one."""
        path = client.sold()
        clock.move(TERM_END + 2 * DAY)
        before = rows(url)

        answer = client.ask(f"{path}/seats", {"quantity": 10_000}, key="again")

        assert answer.json()["code"] == "CREDIT_LIMIT"
        after = rows(url)
        for table in after:
            assert after[table] == before[table], table
        assert client.ask(f"{path}/seats", {"quantity": 1}).status_code == 200
        booked = [line["text"] for line in client.get("/customers/tailspin/invoice")["lines"]]
        assert booked == [
            "subscription-created",
            "subscription-renewed",
            "subscription-quantity-changed",
        ]

    def test_a_key_that_was_rolled_back_was_never_used(self, client: Client) -> None:
        """The client fixes its request and sends it with the same key."""
        client.sell(seats=10_000, key="sale")

        answer = client.sell(seats=10, key="sale")

        assert (answer.status_code, answer.json()["repeated"]) == (201, False)

    def test_a_fault_of_the_backend(self, backend: Backend, client: Client, url: str) -> None:
        """Also where its own table is broken and the database itself refuses."""
        with backend.engine.begin() as connection:
            connection.execute(text("ALTER TABLE invoiceline RENAME TO elsewhere"))
        before = rows(url)

        with pytest.raises(Exception, match="invoiceline"):
            client.sell()

        assert rows(url) == before


class TestAgain:
    def test_the_same_request_twice_has_one_effect(self, client: Client, url: str) -> None:
        """Same key, same answer, one charge."""
        first = client.sell(key="sale")
        before = rows(url)

        again = client.sell(key="sale")

        assert first.json() | {"repeated": True} == again.json()
        assert (again.status_code, again.headers["ETag"]) == (201, first.headers["ETag"])
        assert rows(url) == before

    def test_a_refusal_is_given_again(self, client: Client) -> None:
        path = client.sold()

        first = client.ask(f"{path}/reactivate", key="back")
        again = client.ask(f"{path}/reactivate", key="back")

        assert (first.status_code, first.json()) == (again.status_code, again.json())

    def test_a_key_for_two_requests_is_refused(self, client: Client, url: str) -> None:
        path = client.sold()
        client.ask(f"{path}/suspend", {}, key="one")
        before = rows(url)

        answer = client.ask(f"{path}/cancel", key="one")

        assert (answer.status_code, answer.json()["code"]) == (422, "IDEMPOTENCY_KEY_TAKEN")
        assert rows(url) == before


class TestSeen:
    def test_who_has_seen_the_latest_is_let_in(self, client: Client, clock: SimulatedClock) -> None:
        """Also where something is due and has not been settled yet."""
        path = client.sold(autorenew=False)
        clock.move(TERM_END)
        etag = client.http.get(path).headers["ETag"]

        answer = client.ask(f"{path}/reactivate", etag=etag)

        assert etag == '"4"'
        assert (answer.status_code, answer.headers["ETag"]) == (409, '"4"')

    def test_who_has_not_is_told_to_look_again(self, client: Client, url: str) -> None:
        path = client.sold()
        etag = client.http.get(path).headers["ETag"]
        client.ask(f"{path}/seats", {"quantity": 1})
        before = rows(url)

        answer = client.ask(f"{path}/suspend", {}, etag=etag)

        assert (answer.status_code, answer.json()["code"]) == (412, "STALE_VERSION")
        assert rows(url) == before

    @pytest.mark.parametrize(("etag", "status"), [("*", 200), ('W/"2"', 200), ("nonsense", 400)])
    def test_an_etag_is_one_of_ours(self, client: Client, etag: str, status: int) -> None:
        path = client.sold()

        assert client.ask(f"{path}/suspend", {}, etag=etag).status_code == status


class TestLooking:
    def test_what_is_due_is_listed_page_by_page(self, client: Client) -> None:
        paths = [client.sold() for _ in range(3)]

        first = client.get("/due", limit=2)
        rest = client.get("/due", limit=2, after=first["next"])

        listed = [each["id"] for page in (first, rest) for each in page["items"]]
        assert sorted(listed) == sorted(path.removeprefix("/subscriptions/") for path in paths)
        assert rest["next"] is None
        assert first["items"][0]["due_at"] == "2025-10-01T00:00:00Z"
        assert client.get("/due", until="2025-09-30T23:59:59Z")["items"] == []

    def test_a_history_is_shown_page_by_page(self, client: Client) -> None:
        path = client.sold()
        client.ask(f"{path}/suspend", {})

        first = client.get(f"{path}/history", limit=2)
        rest = client.get(f"{path}/history", limit=2, after=first["next"])

        assert [each["event"] for each in first["items"]] == ["purchase", "provisioning_ended"]
        assert [each["to"] for each in rest["items"]] == ["suspended"]


class TestTransaction:
    def test_a_conflict_runs_all_of_it_again(self, backend: Backend) -> None:
        """What the first attempt wrote is gone before the second begins."""
        attempts: list[int] = []

        def work(session: Session, _store: Store) -> None:
            attempts.append(
                len(session.connection().execute(text("SELECT id FROM customer")).all())
            )
            session.connection().execute(
                text("INSERT INTO customer VALUES ('new', 'N', 'EUR', '1.00')")
            )
            if len(attempts) < 3:
                raise ConflictError("another writer was first", whole=True)

        backend.run(work)

        assert attempts == [0, 0, 0]

    def test_another_error_is_raised_at_once(self, backend: Backend) -> None:
        attempts: list[int] = []

        def work(session: Session, _store: Store) -> None:
            attempts.append(1)
            raise OperationalError("SELECT", {}, OSError("the power is gone"))

        with pytest.raises(OperationalError):
            backend.run(work)

        assert len(attempts) == 1


def run_cron(url: str) -> subprocess.CompletedProcess[str]:
    """Run the nightly script as cron does."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "examples.cron"],
        cwd=TOP,
        env=os.environ | {"BACKEND_DATABASE": url},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


class TestCron:
    def test_a_night_settles_books_and_tells(self, client: Client, url: str) -> None:
        """A term that ended last year is settled by the real clock, dated when it was due."""
        lapsing, renewing = client.sold(autorenew=False), client.sold()
        before = len(rows(url)["invoiceline"])

        night, again = run_cron(url), run_cron(url)

        name = lapsing.removeprefix("/subscriptions/")
        assert (night.returncode, again.returncode) == (0, 0), night.stdout + night.stderr
        assert f"2025-10-01T00:00:00Z {name} term_ended -> expired SUB-03 TRM-04" in night.stdout
        assert f"{name} retention_ended -> deleted" in night.stdout
        assert ", 0 stuck" in night.stdout
        assert " 0 events until" in again.stdout
        assert len(rows(url)["invoiceline"]) > before
        assert client.get(renewing)["state"] == "active"

    def test_each_part_is_booked_in_its_own_transaction(
        self, backend: Backend, client: Client, clock: SimulatedClock, url: str
    ) -> None:
        """The backend's lines are those of the lifecycle's facts, no more and no less."""
        for _ in range(5):
            client.sold()
        clock.move(TERM_END + 2 * DAY)

        status = cron.settle_all(backend)

        found = rows(url)
        orders = [row for row in found["sublife_order"] if "renew" in row]
        lines = [row for row in found["invoiceline"] if "subscription-renewed" in row]
        assert status == cron.DONE
        assert len(lines) == len(orders) == 5

    def test_a_stuck_subscription_is_named_and_holds_up_no_other(
        self, client: Client, url: str
    ) -> None:
        """Somebody has changed a row by hand, so its timer cannot be applied."""
        stuck, moved = client.sold(autorenew=False), client.sold(autorenew=False)
        name = stuck.removeprefix("/subscriptions/")
        engine = create_engine(url)
        with engine.begin() as connection:
            connection.execute(
                text("UPDATE sublife_subject SET due = 'grace_ended' WHERE id = :id"), {"id": name}
            )
        engine.dispose()

        night = run_cron(url)

        assert night.returncode == 1
        assert f"{name} is stuck and stays due" in night.stdout
        assert client.get(moved)["state"] == "deleted"

    def test_a_database_that_does_not_answer_is_told(self) -> None:
        night = run_cron("postgresql+psycopg:///none?host=/nowhere")

        assert night.returncode == 2
        assert "does not answer" in night.stdout
        assert night.stderr == ""


class TestProcess:
    def test_the_backend_serves(self, url: str) -> None:
        """`python -m examples.backend`, with a real socket between."""
        settings = {"BACKEND_DATABASE": url, "BACKEND_PORT": "0"}
        with subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "examples.backend"],
            cwd=TOP,
            env=os.environ | settings,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        ) as process:
            try:
                with httpx.Client(base_url=_address(process), timeout=60) as http:
                    client = Client(http)
                    http.post("/customers", json={"id": "tailspin", "name": "T"})
                    path = client.sold()
                    refused = client.ask(f"{path}/reactivate")
                    shown = client.get(path)
                    assert http.get("/docs").status_code == 200
            finally:
                process.send_signal(signal.SIGINT)
                process.wait(60)

        assert refused.json()["code"] == "BAD_STATE"
        assert shown["state"] == "active"
        assert process.returncode in {0, -signal.SIGINT}
        assert len(rows(url)["sale"]) == 1


def _address(process: subprocess.Popen[str]) -> str:
    """Return where the server listens, as soon as it says so."""
    assert process.stderr is not None
    for line in process.stderr:
        if found := re.search(r"running on (http://\S+)", line):
            return found[1]
    raise AssertionError("the server has ended")
