"""A damaged row is rebuilt from its journal, exactly as it was; else its subject is set aside."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from sublife.events.health import examine
from sublife.events.repair import Repaired, RepairError, release, repair
from sublife.events.store import StoreError
from sublife.events.store.error import UnreadableError
from sublife.events.verify import verify
from sublife.lifecycle.machine import UnknownSubjectError
from sublife.lifecycle.subscription.model import ChangeSeats
from sublife.scheduler.clock import SimulatedClock

if TYPE_CHECKING:
    from tests.events.conftest import Desk

NIGHT = datetime(2025, 10, 2, tzinfo=UTC)
LATER = datetime(2025, 11, 2, tzinfo=UTC)
DAMAGES: dict[str, tuple[str, Any]] = {
    "a list": ("snapshot", "[]"),
    "an unknown field": ("snapshot", '{"colour":"red"}'),
    "an unknown lifecycle": ("lifecycle", "warranty"),
    "another state": ("state", "deleted"),
    "another version": ("version", 99),
    "another customer": ("customer", "northwind"),
    "no timer": ("due", None),
    "another timer": ("due_at", datetime(2031, 1, 1, tzinfo=UTC)),
}


def overwrite(desk: "Desk", column: str, value: Any, *, table: str = "subject") -> None:
    """Overwrite one value of `bad`, as no process of ours would."""
    is_sqlite = desk.store.engine.dialect.name == "sqlite"
    if is_sqlite and isinstance(value, datetime):
        value = value.strftime("%Y-%m-%d %H:%M:%S.%f")
    cast = ":v" if is_sqlite or column not in {"snapshot", "data"} else "CAST(:v AS JSONB)"
    where = "id = 'bad'" if table == "subject" else "subject = 'bad' AND sequence = 2"
    with desk.store.engine.begin() as connection:
        found = connection.execute(
            text(f"UPDATE sublife_{table} SET {column} = {cast} WHERE {where}"),  # noqa: S608 – names of this test
            {"v": value},
        )
        assert found.rowcount == 1


@pytest.fixture
def sold(desk: "Desk") -> "Desk":
    """A desk with three subscriptions; `bad` has a history with a refused event at its end."""
    for name in ("bad", "beside", "good"):
        desk.sell(name, customer="acme" if name != "good" else "tailspin", autorenew=False)
    desk.do("add_seats", "bad", datetime(2024, 11, 1, tzinfo=UTC), ChangeSeats(35))
    refused = desk.do("reactivate", "bad", datetime(2024, 12, 1, tzinfo=UTC))
    assert refused.refusal is not None
    return desk


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_row_is_rebuilt_exactly_as_it_was(sold: "Desk", damage: str) -> None:
    before = sold.rows()
    column, value = DAMAGES[damage]
    overwrite(sold, column, value)

    done = repair(sold.store, "bad", by="amy")

    assert (done.outcome, done.written) == (Repaired.REBUILT, True)
    assert {each.column.partition(".")[0] for each in done.differences} == {column}
    assert sold.rows() == before


def test_what_was_due_meanwhile_happens_with_its_own_instants(
    sold: "Desk", sibling: Callable[[], "Desk"]
) -> None:
    overwrite(sold, "snapshot", "[]")
    stuck = sold.wake(NIGHT).stuck

    repair(sold.store, "bad", by="amy")
    settled = sold.wake(NIGHT)

    assert [each.subject for each in stuck] == ["bad"]
    assert settled.stuck == ()
    assert {each.event.subject for each in settled.outcomes} == {"bad"}
    assert sold.store.digest() == sibling().store.digest()


@pytest.fixture
def sibling(desk: "Desk") -> Callable[[], "Desk"]:
    """Returns a desk of another tenant with the same history, in which nothing was damaged."""

    def sibling_() -> "Desk":
        clock = SimulatedClock(datetime(2024, 10, 1, 2, 35, tzinfo=UTC))
        other = replace(desk, store=desk.store.of("other", clock=clock), clock=clock, count=0)
        for name in ("bad", "beside", "good"):
            other.sell(name, customer="acme" if name != "good" else "tailspin", autorenew=False)
        other.do("add_seats", "bad", datetime(2024, 11, 1, tzinfo=UTC), ChangeSeats(35))
        other.do("reactivate", "bad", datetime(2024, 12, 1, tzinfo=UTC))
        other.wake(NIGHT)
        return other

    return sibling_


def test_a_dry_run_tells_the_differences_and_writes_nothing(sold: "Desk") -> None:
    overwrite(sold, "snapshot", '{"quantity":"many"}')
    before = sold.rows()

    done = repair(sold.store, "bad", by="amy", write=False)

    assert (done.outcome, done.written) == (Repaired.REBUILT, False)
    quantity = [each for each in done.differences if each.column == "snapshot.quantity"]
    assert [(each.stored, each.rebuilt) for each in quantity] == [("many", 65)]
    assert sold.rows() == before


def test_a_sound_row_is_left_as_it_is(sold: "Desk") -> None:
    before = sold.rows()

    assert repair(sold.store, "bad", by="amy").outcome is Repaired.SOUND
    assert sold.rows() == before


def test_a_row_that_is_gone_is_put_back(sold: "Desk") -> None:
    before = sold.rows()
    with sold.store.engine.begin() as connection:
        connection.execute(text("DELETE FROM sublife_subject WHERE id = 'bad'"))

    done = repair(sold.store, "bad", by="amy")

    assert done.outcome is Repaired.REBUILT
    assert sold.rows() == before


JOURNALS: dict[str, tuple[str, Any]] = {
    "another payload": ("data", '{"note":"x"}'),
    "another hash": ("hash", "x"),
    "a gap": ("sequence", 9),
}


@pytest.fixture(params=JOURNALS)
def beyond_repair(sold: "Desk", request: pytest.FixtureRequest) -> "Desk":
    """A desk at which neither the row of `bad` nor its journal is as it was written."""
    column, value = JOURNALS[request.param]
    overwrite(sold, column, value, table="journal")
    overwrite(sold, "snapshot", "[]")
    return sold


def test_without_a_sound_journal_the_subject_is_set_aside(beyond_repair: "Desk") -> None:
    """It no longer occupies what settles, and the others go on."""
    done = repair(beyond_repair.store, "bad", by="amy")
    settled = beyond_repair.wake(NIGHT)

    assert (done.outcome, done.written) == (Repaired.ASIDE, True)
    assert "row 2 of the journal of bad is not as it was written" in done.reason
    assert settled.stuck == ()
    assert beyond_repair.store.due(NIGHT) == ()
    assert beyond_repair.subscription("good").state == "grace"


def test_it_refuses_requests_and_is_named_by_doctor(sold: "Desk") -> None:
    overwrite(sold, "hash", "x", table="journal")
    overwrite(sold, "lifecycle", "warranty")
    repair(sold.store, "bad", by="amy")
    before = sold.rows()

    with pytest.raises(UnreadableError, match="the subject is set aside"):
        sold.do("add_seats", "bad", datetime(2024, 12, 2, tzinfo=UTC), ChangeSeats(36))

    assert sold.rows() == before
    found = [each for each in examine(sold.store, NIGHT).findings if each.check == "unreadable"]
    assert ["the subject is set aside" in each.says for each in found] == [True]
    assert "sublife repair bad --tenant default --release" in found[0].remedy


def test_it_is_taken_back_as_it_was(beyond_repair: "Desk") -> None:
    before = beyond_repair.rows()
    repair(beyond_repair.store, "bad", by="amy")
    assert beyond_repair.rows() != before

    release(beyond_repair.store, "bad", by="amy")

    assert beyond_repair.rows() == before
    assert [each.subject for each in beyond_repair.wake(NIGHT).stuck] == ["bad"]
    with pytest.raises(RepairError, match="bad of tenant default is not set aside"):
        release(beyond_repair.store, "bad", by="amy")


def test_it_comes_back_when_its_journal_is_sound_again(sold: "Desk") -> None:
    before = sold.rows()
    (was,) = [row for row in before["sublife_journal"] if row[2:4] == ("bad", 2)]
    overwrite(sold, "hash", "x", table="journal")
    overwrite(sold, "snapshot", "[]")
    repair(sold.store, "bad", by="amy")

    overwrite(sold, "hash", was[-1], table="journal")
    done = repair(sold.store, "bad", by="amy")

    assert done.outcome is Repaired.REBUILT
    assert sold.rows() == before
    assert verify(sold.store, rebuild=True).is_sound


def test_a_row_that_can_be_read_is_never_set_aside(sold: "Desk") -> None:
    overwrite(sold, "hash", "x", table="journal")
    before = sold.rows()

    with pytest.raises(RepairError, match="has a row that can be read"):
        repair(sold.store, "bad", by="amy")

    assert sold.rows() == before


def test_rows_missing_at_the_end_of_the_journal_are_not_taken_for_its_end(sold: "Desk") -> None:
    with sold.store.engine.begin() as connection:
        gone = "DELETE FROM sublife_journal WHERE subject = 'bad' AND sequence = 4"
        assert connection.execute(text(gone)).rowcount == 1
    overwrite(sold, "snapshot", "[]")

    done = repair(sold.store, "bad", by="amy")

    assert done.outcome is Repaired.ASIDE
    assert "its journal ends at row 3" in done.reason


def test_an_unknown_subject_is_said_to_be_unknown(sold: "Desk") -> None:
    with pytest.raises(UnknownSubjectError, match="has no subject nobody"):
        repair(sold.store, "nobody", by="amy")


def test_what_was_done_is_in_the_log(sold: "Desk", caplog: pytest.LogCaptureFixture) -> None:
    overwrite(sold, "snapshot", "[]")
    repair(sold.store, "bad", by="amy")
    overwrite(sold, "hash", "x", table="journal")
    overwrite(sold, "snapshot", "[]")
    repair(sold.store, "bad", by="amy")
    release(sold.store, "bad", by="bob")

    lines = [vars(each) for each in caplog.records if each.name == "sublife"]
    names = ("subject_repaired", "subject_set_aside", "subject_released")
    told = {each["msg"]: each["by"] for each in lines if each["msg"] in names}
    assert told == dict(zip(names, ("amy", "amy", "bob"), strict=True))


def test_inside_a_hosts_transaction_nothing_is_repaired(sold: "Desk") -> None:
    with sold.store.engine.begin() as connection, pytest.raises(StoreError, match="of its own"):
        repair(sold.store.within(connection), "bad", by="amy")
