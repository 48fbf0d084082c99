"""Replay: what is expected is compared exactly, and every run gives the same history."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest

from sublife.events.store import Store
from sublife.scheduler.clock import SimulatedClock
from sublife.scheduler.replay import (
    Difference,
    Replay,
    ReplayError,
    Result,
    replay_file,
    run,
    total_digest,
)
from sublife.scheduler.scenario import loads

Play = Callable[[str], Result]
Write = Callable[..., Path]
REPLAY = (sys.executable, "-m", "sublife.scheduler", "replay")

EVERYTHING = """\
title: Every kind of expectation
rules: [SUB-02]
by: {user: amy}
steps:
  - at: 2024-10-01T02:35:00Z
    do: purchase
    subject: s1
    with:
      customer: tailspin
      partner: contoso
      product: {sku: E3}
      quantity: 30
      term: P1Y
      billing: monthly
      price: {unit: 10.00, currency: EUR}
    expect:
      state: active
      version: 2
      users: true
      admins: full
      billed: true
      due: {term_ended: 2025-10-01T00:00:00Z}
      fields: {quantity: 30, ends_on: 2025-09-30, autorenew: true}
      wire: {status: active, commitmentEndDate: 2025-09-30T00:00:00Z, quantity: 30}
      facts: [subscription-created, subscription-provisioned]
      records: []
      orders: [{transaction: new, quantity: 30, amount: 300.00, currency: EUR}]
      webhooks: [subscription-updated]
  - at: 2024-11-01T00:00:00Z
    do: suspend
    subject: s1
    id: stop
    with: {reasons: [fraud]}
    expect:
      state: suspended
      users: false
      facts:
        - {fact: subscription-suspended, reasons: fraud, rules: [SUB-07, SUB-08]}
        - {fact: subscription-autorenew-changed, autorenew: false}
      records: [renewal progress planned]
      orders: []
      webhooks: [subscription-updated, subscription-updated]
  - at: 2024-11-01T00:00:00Z
    do: suspend
    subject: s1
    id: stop
    with: {reasons: [fraud]}
    expect: {repeated: true, facts: []}
  - at: 2024-11-02T00:00:00Z
    do: suspend
    subject: s1
    expect: {refused: ALREADY_SUSPENDED, facts: []}
  - at: 2024-11-03T00:00:00Z
    do: add_seats
    subject: s1
    with: {quantity: 1}
    expect:
      refused: {code: SUSPENDED_LOCKED, rule: "1.2", details: {api_error: 2001}}
  - at: 2025-10-01T00:00:00Z
    subject: s1
    expect:
      state: disabled
      users: false
      admins: data
      billed: false
      allowed: [buy_again]
      due: {grace_ended: 2025-10-31T00:00:00Z}
      facts: [{fact: subscription-disabled, at: 2025-10-01T00:00:00Z, subject: s1}]
      records: [{kind: renewal, outcome: lapsed, actor_kind: timer, actor_id: term_ended}]
  - at: 2025-11-01T00:00:00Z
    do: buy_again
    subject: s1
    with: {into: s2}
    expect:
      facts: [subscription-bought-again, subscription-created, subscription-provisioned]
      orders: [new]
      subjects:
        s2: {state: active, version: 2, wire: {status: active}, fields: {quantity: 30}}
  - at: 2026-01-29T00:00:00Z
    subject: s1
    expect: {state: deleted, due: {}, wire: {status: deleted}}
expect:
  refusals: [ALREADY_SUSPENDED, SUSPENDED_LOCKED]
  records: [renewal progress planned, renewal progress lapsed, {fact: subscription-deleted}]
  orders: [new, new]
  facts:
    - subscription-created
    - subscription-provisioned
    - subscription-suspended
    - subscription-autorenew-changed
    - subscription-disabled
    - subscription-bought-again
    - subscription-created
    - subscription-provisioned
    - subscription-deleted
"""


REFUSED_PURCHASE = """\
title: Annual billing of a monthly term
rules: [TRM-02]
steps:
  - at: 2024-10-01T00:00:00Z
    do: purchase
    subject: s1
    with:
      {customer: a, partner: b, product: {sku: E3}, quantity: 1, term: P1M, billing: annual}
    expect: {refused: BILLING_EXCEEDS_TERM, state: absent}
"""


class Change(NamedTuple):
    """One value of the scenario changed, and the one difference it must give."""

    name: str
    old: str
    new: str
    difference: Difference


DIFFERENT = (
    Change(
        "state",
        "      state: active\n      version",
        "      state: suspended\n      version",
        Difference("step 1, state", "suspended", "active"),
    ),
    Change("version", "version: 2\n", "version: 3\n", Difference("step 1, version", "3", "2")),
    Change("users", "users: true", "users: false", Difference("step 1, users", "false", "true")),
    Change("admins", "admins: full", "admins: data", Difference("step 1, admins", "data", "full")),
    Change(
        "billed", "billed: true", "billed: false", Difference("step 1, billed", "false", "true")
    ),
    Change(
        "due instant",
        "{term_ended: 2025-10-01T00:00:00Z}",
        "{term_ended: 2025-10-01T00:00:01Z}",
        Difference(
            "step 1, due",
            "term_ended: 2025-10-01T00:00:01Z",
            "term_ended: 2025-10-01T00:00:00Z",
        ),
    ),
    Change(
        "due timer",
        "{term_ended: 2025-10-01T00:00:00Z}",
        "{expiry_ended: 2025-10-01T00:00:00Z}",
        Difference(
            "step 1, due",
            "expiry_ended: 2025-10-01T00:00:00Z",
            "term_ended: 2025-10-01T00:00:00Z",
        ),
    ),
    Change(
        "nothing due",
        "due: {term_ended: 2025-10-01T00:00:00Z}",
        "due: {}",
        Difference("step 1, due", "none", "term_ended: 2025-10-01T00:00:00Z"),
    ),
    Change(
        "something due",
        "due: {}",
        "due: {retention_ended: 2026-01-29T00:00:00Z}",
        Difference("step 8, due", "retention_ended: 2026-01-29T00:00:00Z", "none"),
    ),
    Change(
        "number among the fields",
        "fields: {quantity: 30, e",
        "fields: {quantity: 31, e",
        Difference("step 1, fields.quantity", "31", "30"),
    ),
    Change(
        "date among the fields",
        "ends_on: 2025-09-30",
        "ends_on: 2025-10-01",
        Difference("step 1, fields.ends_on", "2025-10-01", "2025-09-30"),
    ),
    Change(
        "truth among the fields",
        "autorenew: true}",
        "autorenew: false}",
        Difference("step 1, fields.autorenew", "false", "true"),
    ),
    Change(
        "word on the wire",
        "wire: {status: active, c",
        "wire: {status: expired, c",
        Difference("step 1, wire.status", "expired", "active"),
    ),
    Change(
        "instant on the wire",
        "commitmentEndDate: 2025-09-30T00:00:00Z",
        "commitmentEndDate: 2025-10-01T00:00:00Z",
        Difference(
            "step 1, wire.commitmentEndDate", "2025-10-01T00:00:00Z", "2025-09-30T00:00:00Z"
        ),
    ),
    Change(
        "field that is not on the wire",
        "commitmentEndDate: 2025-09-30T00:00:00Z",
        "commitmentEnd: 2025-09-30T00:00:00Z",
        Difference("step 1, wire.commitmentEnd", "2025-09-30T00:00:00Z", "none"),
    ),
    Change(
        "requests that may be made",
        "allowed: [buy_again]",
        "allowed: [reactivate]",
        Difference("step 6, allowed", "reactivate", "buy_again"),
    ),
    Change(
        "one request too many that may be made",
        "allowed: [buy_again]",
        "allowed: [buy_again, reactivate]",
        Difference("step 6, allowed", "buy_again; reactivate", "buy_again"),
    ),
    Change(
        "name of a fact",
        "facts: [subscription-created, subscription-provisioned]",
        "facts: [subscription-created, subscription-adopted]",
        Difference(
            "step 1, facts, number 2 (subscription-provisioned)",
            "fact: subscription-adopted",
            "fact: subscription-provisioned",
        ),
    ),
    Change(
        "order of the facts",
        "facts: [subscription-bought-again, subscription-created, subscription-provisioned]",
        "facts: [subscription-bought-again, subscription-provisioned, subscription-provisioned]",
        Difference(
            "step 7, facts, number 2 (subscription-created)",
            "fact: subscription-provisioned",
            "fact: subscription-created",
        ),
    ),
    Change(
        "one fact missing from the file",
        "facts: [subscription-created, subscription-provisioned]",
        "facts: [subscription-created]",
        Difference(
            "step 1, facts",
            "subscription-created",
            "subscription-created; subscription-provisioned",
        ),
    ),
    Change(
        "one fact too many in the file",
        "facts: [subscription-created, subscription-provisioned]",
        "facts: [subscription-created, subscription-provisioned, subscription-renamed]",
        Difference(
            "step 1, facts",
            "subscription-created; subscription-provisioned; subscription-renamed",
            "subscription-created; subscription-provisioned",
        ),
    ),
    Change(
        "no fact at all in the file",
        "facts: [subscription-created, subscription-provisioned]",
        "facts: []",
        Difference("step 1, facts", "none", "subscription-created; subscription-provisioned"),
    ),
    Change(
        "a fact of a refused request",
        "expect: {refused: ALREADY_SUSPENDED, facts: []}",
        "expect: {refused: ALREADY_SUSPENDED, facts: [subscription-suspended]}",
        Difference("step 4, facts", "subscription-suspended", "none"),
    ),
    Change(
        "a fact of a repeated request",
        "expect: {repeated: true, facts: []}",
        "expect: {repeated: true, facts: [subscription-suspended]}",
        Difference("step 3, facts", "subscription-suspended", "none"),
    ),
    Change(
        "instant of a fact",
        "subscription-disabled, at: 2025-10-01T00:00:00Z",
        "subscription-disabled, at: 2025-09-30T23:59:59Z",
        Difference(
            "step 6, facts, number 1 (subscription-disabled)",
            "at: 2025-09-30T23:59:59Z",
            "at: 2025-10-01T00:00:00Z",
        ),
    ),
    Change(
        "subject of a fact",
        "subject: s1}]",
        "subject: s2}]",
        Difference("step 6, facts, number 1 (subscription-disabled)", "subject: s2", "subject: s1"),
    ),
    Change(
        "value of a fact",
        "reasons: fraud,",
        "reasons: non-payment,",
        Difference(
            "step 2, facts, number 1 (subscription-suspended)",
            "reasons: non-payment",
            "reasons: fraud",
        ),
    ),
    Change(
        "rules of a fact",
        "rules: [SUB-07, SUB-08]",
        "rules: [SUB-07]",
        Difference(
            "step 2, facts, number 1 (subscription-suspended)",
            "rules: SUB-07",
            "rules: SUB-07; SUB-08",
        ),
    ),
    Change(
        "value that a fact does not have",
        "reasons: fraud,",
        "reason: fraud,",
        Difference(
            "step 2, facts, number 1 (subscription-suspended)", "reason: fraud", "reason: none"
        ),
    ),
    Change(
        "kind of a record",
        "      records: [renewal progress planned]",
        "      records: [migration progress planned]",
        Difference(
            "step 2, records, number 1 (renewal progress planned subscription-autorenew-changed)",
            "kind: migration",
            "kind: renewal",
        ),
    ),
    Change(
        "column of a record",
        "actor_id: term_ended",
        "actor_id: grace_ended",
        Difference(
            "step 6, records, number 1 (renewal progress lapsed subscription-disabled)",
            "actor_id: grace_ended",
            "actor_id: term_ended",
        ),
    ),
    Change(
        "one record too many in the file",
        "records: []",
        "records: [renewal]",
        Difference("step 1, records", "renewal", "none"),
    ),
    Change(
        "one record missing from the file",
        "      records: [renewal progress planned]",
        "      records: []",
        Difference(
            "step 2, records", "none", "renewal progress planned subscription-autorenew-changed"
        ),
    ),
    Change(
        "transaction of an order",
        "{transaction: new, q",
        "{transaction: renew, q",
        Difference("step 1, orders, number 1 (new 30)", "transaction: renew", "transaction: new"),
    ),
    Change(
        "amount of an order",
        "amount: 300.00",
        "amount: 300.01",
        Difference("step 1, orders, number 1 (new 30)", "amount: 300.01", "amount: 300.00"),
    ),
    Change(
        "one order too many in the file",
        "orders: []",
        "orders: [cancel]",
        Difference("step 2, orders", "cancel", "none"),
    ),
    Change(
        "one order missing from the file",
        "      orders: [new]",
        "      orders: []",
        Difference("step 7, orders", "none", "new 30"),
    ),
    Change(
        "name of a webhook",
        "webhooks: [subscription-updated]",
        "webhooks: [invoice-ready]",
        Difference("step 1, webhooks", "invoice-ready", "subscription-updated"),
    ),
    Change(
        "number of webhooks",
        "webhooks: [subscription-updated, subscription-updated]",
        "webhooks: [subscription-updated]",
        Difference(
            "step 2, webhooks",
            "subscription-updated",
            "subscription-updated; subscription-updated",
        ),
    ),
    Change(
        "code of a refusal",
        "refused: ALREADY_SUSPENDED",
        "refused: BAD_STATE",
        Difference("step 4, refused", "BAD_STATE", "ALREADY_SUSPENDED"),
    ),
    Change(
        "rule of a refusal",
        'rule: "1.2"',
        'rule: "SUB-07"',
        Difference("step 5, refused, rule", "SUB-07", "1.2"),
    ),
    Change(
        "an unexpected refusal",
        "expect: {refused: ALREADY_SUSPENDED, facts: []}",
        "expect: {facts: []}",
        Difference("step 4", "accepted", "refused: ALREADY_SUSPENDED (1.2)"),
    ),
    Change(
        "an unexpected acceptance",
        "    expect:\n      facts: [subscription-bought-again",
        "    expect:\n      refused: BAD_STATE\n      facts: [subscription-bought-again",
        Difference("step 7, refused", "BAD_STATE", "accepted"),
    ),
    Change(
        "an unexpected repetition",
        "{repeated: true, facts: []}",
        "{facts: []}",
        Difference("step 3", "a new event id", "an event id known already"),
    ),
    Change(
        "a repetition that is none",
        "expect: {refused: ALREADY_SUSPENDED, facts: []}",
        "expect: {refused: ALREADY_SUSPENDED, facts: [], repeated: true}",
        Difference("step 4", "an event id known already", "a new event id"),
    ),
    Change(
        "state of another subject",
        "s2: {state: active",
        "s2: {state: pending",
        Difference("step 7, s2, state", "pending", "active"),
    ),
    Change(
        "wire of another subject",
        "wire: {status: active}, f",
        "wire: {status: pending}, f",
        Difference("step 7, s2, wire.status", "pending", "active"),
    ),
    Change(
        "subject that is there and should not be",
        "s2: {state: active, version: 2, wire: {status: active}, fields: {quantity: 30}}",
        "s2: {state: absent}",
        Difference("step 7, s2, state", "absent", "active"),
    ),
    Change(
        "refusals of the whole run",
        "refusals: [ALREADY_SUSPENDED, SUSPENDED_LOCKED]",
        "refusals: [SUSPENDED_LOCKED, ALREADY_SUSPENDED]",
        Difference(
            "the whole run, refusals",
            "SUSPENDED_LOCKED; ALREADY_SUSPENDED",
            "ALREADY_SUSPENDED; SUSPENDED_LOCKED",
        ),
    ),
    Change(
        "records of the whole run",
        "{fact: subscription-deleted}",
        "{fact: subscription-expired}",
        Difference(
            "the whole run, records, number 3 (renewal progress lapsed subscription-deleted)",
            "fact: subscription-expired",
            "fact: subscription-deleted",
        ),
    ),
    Change(
        "orders of the whole run",
        "  orders: [new, new]",
        "  orders: [new]",
        Difference("the whole run, orders", "new", "new 30; new 30"),
    ),
    Change(
        "facts of the whole run",
        "    - subscription-provisioned\n    - subscription-deleted\n",
        "    - subscription-provisioned\n    - subscription-renamed\n",
        Difference(
            "the whole run, facts, number 9 (subscription-deleted)",
            "fact: subscription-renamed",
            "fact: subscription-deleted",
        ),
    ),
)


class TestExactness:
    def test_a_scenario_holds_where_everything_is_as_expected(self, play: Play) -> None:
        """One of every kind of expectation."""
        result = play(EVERYTHING)

        assert result.differences == ()
        assert result.held

    @pytest.mark.parametrize("change", DIFFERENT, ids=lambda change: change.name)
    def test_one_changed_value_gives_exactly_one_difference(
        self, play: Play, change: Change
    ) -> None:
        """Where, what was expected, what was found: as a person reads it."""
        assert change.old in EVERYTHING
        text = EVERYTHING.replace(change.old, change.new, 1)

        result = play(text)

        assert result.differences == (change.difference,)
        assert not result.held

    def test_one_changed_detail_of_a_refusal_gives_exactly_one_difference(self, play: Play) -> None:
        """1.2: seats of a suspended subscription are error 2001, not 800091."""
        (difference,) = play(EVERYTHING.replace("api_error: 2001", "api_error: 800091")).differences

        assert difference.where == "step 5, refused, details"
        assert difference.expected == "api_error: 800091"
        assert "api_error: 2001" in difference.found

    @pytest.mark.parametrize(("state", "holds"), [("absent", True), ("active", False)])
    def test_before_its_purchase_a_subject_is_absent(
        self, play: Play, sale: str, state: str, holds: bool
    ) -> None:
        """A look may come before anything has happened."""
        look = f"  - at: 2024-09-30T00:00:00Z\n    subject: s1\n    expect: {{state: {state}}}\n"

        result = play(sale.replace("steps:\n", f"steps:\n{look}"))

        failed = (Difference("step 1, state", "active", "absent"),)
        assert result.differences == (() if holds else failed)

    @pytest.mark.parametrize(("state", "holds"), [("absent", True), ("active", False)])
    def test_after_a_refused_purchase_a_subject_is_absent(
        self, play: Play, state: str, holds: bool
    ) -> None:
        """TRM-02: a monthly term is not billed by the year."""
        result = play(REFUSED_PURCHASE.replace("absent", state))

        failed = (Difference("step 1, state", "active", "absent"),)
        assert result.differences == (() if holds else failed)

    def test_an_event_that_cannot_be_taken_in_is_a_difference(self, play: Play, sale: str) -> None:
        """A step on a subject that nobody has created."""
        text = sale.replace("do: suspend\n    subject: s1", "do: suspend\n    subject: s2").replace(
            "    expect: {state: suspended}\n", ""
        )

        (difference,) = play(text).differences

        assert (difference.where, difference.expected) == (
            "step 3",
            "an event that can be taken in",
        )
        assert "s2 does not exist" in difference.found

    def test_an_event_id_used_for_something_else_is_a_difference(
        self, play: Play, sale: str
    ) -> None:
        """An id names one event."""
        text = sale.replace("do: suspend", "do: suspend\n    id: step-1").replace(
            "    expect: {state: suspended}\n", ""
        )

        (difference,) = play(text).differences

        assert "step-1 belongs to purchase on s1" in difference.found

    def test_a_step_sees_what_happened_since_the_one_before(self, play: Play) -> None:
        """Timed events are part of the step they happen before."""
        text = EVERYTHING.replace("  - at: 2025-10-01T00:00:00Z", "  - at: 2025-10-01T00:00:01Z", 1)

        assert play(text).differences == ()

    def test_a_second_early_is_too_early(self, play: Play) -> None:
        """GEN-03: half-open to the second."""
        text = EVERYTHING.replace("  - at: 2025-10-01T00:00:00Z", "  - at: 2025-09-30T23:59:59Z", 1)

        found = {difference.where for difference in play(text).differences}

        assert {"step 6, state", "step 6, facts"} <= found

    def test_the_timeline_tells_everything_in_order(self, play: Play, sale: str) -> None:
        """What a person reads in the terminal."""
        timeline = play(sale).timeline

        assert [(line.event, line.state_before, line.state, line.code) for line in timeline] == [
            ("purchase", "absent", "pending", None),
            ("provisioning_ended", "pending", "active", None),
            ("reactivate", "active", "active", "BAD_STATE"),
            ("suspend", "active", "suspended", None),
        ]
        assert [line.actor for line in timeline][:2] == ["user amy", "timer provisioning_ended"]


@pytest.fixture
def files(write: Write, sale: str) -> list[Path]:
    """Three scenarios with three histories."""
    return [
        write(sale, "a.yaml"),
        write(EVERYTHING, "b.yaml"),
        write(sale.replace("s1", "s7"), "c.yaml"),
    ]


class TestDeterminism:
    """The digest of a journal depends on the scenario and on nothing else."""

    @pytest.fixture
    def expected(self, files: list[Path]) -> list[str]:
        """The digests of the three, each on a store of its own."""
        return [self._alone(path) for path in files]

    @staticmethod
    def _alone(path: Path) -> str:
        store = Store.open("sqlite://", clock=SimulatedClock(datetime(2000, 1, 1, tzinfo=UTC)))
        try:
            return run(loads(path.read_text(encoding="utf-8"), path), store).digest
        finally:
            store.close()

    @staticmethod
    def _in_a_process(files: list[Path], *options: str, seed: str = "0") -> list[str]:
        done = subprocess.run(
            [*REPLAY, *map(str, files), "--digest", *options],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        return [line.split()[0] for line in done.stdout.splitlines()]

    def test_different_histories_have_different_digests(self, expected: list[str]) -> None:
        """Or the tests below would say nothing."""
        assert len(set(expected)) == 3

    def test_one_store_for_all_is_the_same_as_a_store_for_each(
        self, files: list[Path], expected: list[str], store: Store
    ) -> None:
        """Every scenario has a tenant of its own."""
        found = [run(loads(path.read_text(encoding="utf-8"), path), store).digest for path in files]

        assert found == expected

    def test_a_file_store_is_the_same_as_memory(
        self, files: list[Path], expected: list[str], tmp_path: Path
    ) -> None:
        """Whatever the database."""
        found = self._in_a_process(files, "--store", f"sqlite:///{tmp_path / 'history.db'}")

        assert found[:3] == expected

    @pytest.mark.parametrize("jobs", [1, 3])
    def test_the_number_of_jobs_makes_no_difference(
        self, files: list[Path], expected: list[str], jobs: int
    ) -> None:
        """Results come in the order of the files, whoever is done first."""
        with Replay(files, jobs=jobs) as going:
            results = list(going.results())

        assert [result.path for result in results] == [str(path) for path in files]
        assert [result.digest for result in results] == expected

    def test_several_jobs_may_share_a_file_store(
        self, files: list[Path], expected: list[str], tmp_path: Path
    ) -> None:
        """Writers wait for each other."""
        url = f"sqlite:///{tmp_path / 'history.db'}"

        found = self._in_a_process(files, "--store", url, "--jobs", "3")

        assert found[:3] == expected

    @pytest.mark.parametrize("seed", ["0", "1"])
    def test_the_seed_of_the_hashes_makes_no_difference(
        self, files: list[Path], expected: list[str], seed: str
    ) -> None:
        """Nothing depends on the order of a set."""
        assert self._in_a_process(files, seed=seed)[:3] == expected

    def test_the_total_is_over_all_digests_and_paths_in_order_of_the_paths(
        self, files: list[Path]
    ) -> None:
        """One line for a whole folder."""
        results = [Result(str(path), digest=str(number)) for number, path in enumerate(files)]

        total = total_digest(results)

        assert total_digest(reversed(results)) == total
        assert total_digest(results[:2]) != total
        assert total_digest([Result("x.yaml", digest="0"), *results[1:]]) != total


class TestStores:
    def test_replaying_twice_into_one_store_is_refused(self, store: Store, sale: str) -> None:
        """A history is not written over; the message says what to do."""
        scenario = loads(sale, Path("sale.yaml"))
        first = run(scenario, store)

        with pytest.raises(ReplayError, match=r"sale\.yaml: the store holds .* a new file"):
            run(scenario, store)

        assert store.of("scenario:sale.yaml").digest() == first.digest

    def test_a_refused_second_replay_is_a_fault_of_its_result(
        self, write: Write, sale: str, tmp_path: Path
    ) -> None:
        """On the command line it is wrong input, not a failed expectation."""
        path, url = write(sale), f"sqlite:///{tmp_path / 'history.db'}"

        first, again = (_replay(path, url) for _ in range(2))

        assert (first.returncode, again.returncode) == (0, 2)
        assert "the store holds this scenario already" in again.stderr.replace("\n", " ")

    def test_replaying_a_file_again_in_memory_gives_the_same_result(
        self, write: Write, sale: str
    ) -> None:
        """Memory is no store that could hold it already: once equals twice."""
        path = write(sale)

        first, again = replay_file(path), replay_file(path)

        assert first.held
        assert again == first

    def test_a_wrong_file_gives_a_result_with_its_faults(self, write: Write, sale: str) -> None:
        """Nothing of it has run."""
        result = replay_file(write(sale.replace("SUB-07", "SUB-77")))

        assert not result.held
        assert 'no rule "SUB-77"' in result.faults[0]
        assert (result.timeline, result.digest) == ((), "")

    def test_what_a_file_says_now_is_what_is_replayed(self, write: Write, sale: str) -> None:
        """A file that is fixed between two replays is read again."""
        wrong = replay_file(write(sale.replace("state: suspended", "state: active")))

        fixed = replay_file(write(sale))

        assert [difference.where for difference in wrong.differences] == ["step 3, state"]
        assert fixed.held

    def test_the_history_stays_in_the_store(self, store: Store, sale: str) -> None:
        """In a tenant named by the scenario."""
        run(loads(sale, Path("sale.yaml")), store)

        history = store.of("scenario:sale.yaml").history("s1")

        assert [entry.event.name for entry in history] == [
            "purchase",
            "provisioning_ended",
            "reactivate",
            "suspend",
        ]


def _replay(path: Path, url: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*REPLAY, str(path), "--store", url],
        capture_output=True,
        text=True,
        check=False,
    )
