"""Seeded hostile requests: never a 5xx, every no short, every line of the log one line."""

import io
import json
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_from_bytes

import pytest

from sublife.events.token import Role
from sublife.scheduler.api.brief import MOST_BYTES
from tests.scale import sized
from tests.scheduler.api.conftest import PURCHASE, operations
from tests.scheduler.test_log_line import logging_to

if TYPE_CHECKING:
    from tests.scheduler.api.conftest import Door

TEXTS = [
    "",
    " ",
    "sub-1",
    "order-1",
    "order-1#0",
    "hook",
    "subscription",
    "suspend",
    "a/b",
    "..",
    "a%2Fb",
    "x" * 99,
    "x" * 501,
    "\x00",
    "\n",
    "\x85",
    "\u2028",
    "\u202e",
    "e\u0301",
    "\ufffd",
    "\U0001f600" * 200,
    "'; DROP TABLE sublife_subject; --",
    "${jndi:ldap://x}",
    "<script>",
    "2024-10-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "-1",
    "1e999",
    "99999999999999999999",
    "NaN",
]
RAW = [b"%FF", b"%C0%AF", b"%ED%A0%80", b"%", b"%zz", b"%00", b"%2e%2e", b";x=1", b"%252F"]
HEADERS = [
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "Content-Type",
    "Content-Length",
    "Transfer-Encoding",
    "Host",
    "Origin",
    "traceparent",
    "X-Forwarded-For",
    "Accept",
    "Cookie",
]
FIELDS = [
    "request",
    "data",
    "by",
    "at",
    "lifecycle",
    "reason",
    "tenant",
    "subjects",
    "into",
    "to",
    "id",
    "url",
    "filters",
    "hours",
    "endpoint",
    "fact_id",
    "dead",
    "user",
    "quantity",
]
METHODS = ["GET", "GET", "GET", "POST", "POST", "POST", "DELETE", "PUT", "HEAD", "PATCH"]


class Fuzz:
    """Makes requests out of one seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 – of no secret
        self.paths = sorted(operations())

    def text(self) -> str:
        chosen = self.random.choice(TEXTS)
        if self.random.random() < 0.2:
            chosen += chr(self.random.choice([0x7F, 0x9B, 0x2066, 0x300, 0xD800, 0xDFFF, 0x10FFFF]))
        return chosen

    def part(self) -> bytes:
        if self.random.random() < 0.3:
            return self.random.choice(RAW)
        return quote_from_bytes(self.text().encode("utf-8", "surrogatepass"), safe="").encode()

    def path(self) -> str:
        pieces = self.random.choice(self.paths).split("/")
        for number, piece in enumerate(pieces):
            if piece.startswith("{"):
                known = {"{subject}": "sub-1", "{lifecycle}": "subscription", "{endpoint}": "hook"}
                is_known = self.random.random() < 0.4 and piece in known
                pieces[number] = known[piece] if is_known else self.part().decode()
        names = ["limit", "after", "until", "since", "customer", "kind", "of", "at", "days", "fact"]
        query = [
            f"{self.random.choice(names)}={self.part().decode()}"
            for _ in range(self.random.choice([0, 0, 1, 2, 3]))
        ]
        return "/".join(pieces) + ("?" + "&".join(query) if query else "")

    def value(self, depth: int = 0) -> Any:
        match self.random.randrange(12 if depth < 4 else 8):
            case 0:
                return self.random.choice([None, True, False])
            case 1:
                return self.random.choice([0, -1, 2**31, 2**63, 10**400, 1.5, 1e308, float("nan")])
            case 2 | 3 | 4 | 5 | 6 | 7:
                return self.text()
            case 8 | 9:
                return [self.value(depth + 1) for _ in range(self.random.randrange(4))]
            case _:
                return {self.name(): self.value(depth + 1) for _ in range(self.random.randrange(5))}

    def name(self) -> str:
        return self.random.choice(FIELDS) if self.random.random() < 0.7 else self.text()

    def body(self) -> bytes:
        kind = self.random.random()
        if kind < 0.4:
            asked = {"request": self.random.choice(["purchase", "suspend", "add_seats"])}
            data = {**PURCHASE, self.random.choice(list(PURCHASE)): self.value()}
            found: Any = {**asked, "data": data if self.random.random() < 0.8 else self.value()}
        else:
            found = {self.name(): self.value() for _ in range(self.random.randrange(6))}
        written = json.dumps(found).encode()
        if kind > 0.9 and written:
            place = self.random.randrange(len(written))
            written = written[:place] + self.random.randbytes(3) + written[place + 1 :]
        return written * self.random.choice([1] * 20 + [2])

    def headers(self, token: str) -> list[tuple[str, str]]:
        chosen = [("Authorization", f"Bearer {token}")] if self.random.random() < 0.95 else []
        chosen += [("Host", "localhost"), ("Content-Type", "application/json")]
        chosen.append(("Idempotency-Key", f"k{self.random.randrange(50)}"))
        for _ in range(self.random.choice([0, 0, 0, 1, 2])):
            text = self.random.choice([self.text(), '"2"', "*", token, "a\r\n b", 'W/"1"'])
            safe = text.encode("utf-8", "replace").decode()
            chosen.append((self.random.choice(HEADERS), safe))
        return chosen


def check(answer: Any, sent: Any) -> None:
    assert answer.status_code < 500, (sent, answer.text)
    if answer.status_code >= 400 and answer.content:
        assert len(answer.content) <= MOST_BYTES, sent
        assert answer.json()["status"] == answer.status_code, sent


def bombard(door: "Door", seed: int, number: int) -> list[int]:
    """Send so many requests with three tokens; return the statuses."""
    fuzz = Fuzz(seed)
    admin = door.client(Role.ADMIN)
    admin.sell("sub-1", key="order-1")
    clients = [admin, door.client(Role.READ), door.client(Role.ADMIN, tenant=None)]
    statuses: list[int] = []
    for _ in range(number):
        client = fuzz.random.choice([admin, *clients])
        method, path = fuzz.random.choice(METHODS), fuzz.path()
        body = fuzz.body() if method in {"POST", "PUT", "PATCH"} else b""
        headers = fuzz.headers(str(client.token))
        answer = client.send_as_is(method, path, body, headers)
        check(answer, (seed, method, path, headers[1:], body[:500]))
        statuses.append(answer.status_code)
    return statuses


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(sized(1, 5)))
def test_no_hostile_request_gets_a_5xx_or_a_long_no(
    database: str, open_door: Callable[..., "Door"], seed: int
) -> None:
    door = open_door(database)
    written = io.StringIO()

    with logging_to(written):
        statuses = bombard(door, seed, sized(250, 2_500))

    assert {200, 400, 401, 404, 405, 422} <= set(statuses)
    lines = written.getvalue().splitlines()
    assert lines
    assert all(json.loads(each)["event"] for each in lines)
    assert not any("sublife_0" in each for each in lines)
    assert written.getvalue().isascii()


def test_the_same_seed_makes_the_same_requests() -> None:
    first, second = Fuzz(7), Fuzz(7)

    assert [(first.path(), first.body()) for _ in range(20)] == [
        (second.path(), second.body()) for _ in range(20)
    ]
