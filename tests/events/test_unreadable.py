"""A row that cannot be read is stuck by itself: it is named, and everybody else goes on."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, update

from sublife.events.health import examine
from sublife.events.store import StoreError
from sublife.events.store.error import UnreadableError
from sublife.events.tables import SubjectRow
from sublife.lifecycle.subscription.model import ChangeSeats

if TYPE_CHECKING:
    from tests.events.conftest import Desk

NIGHT = datetime(2025, 10, 2, tzinfo=UTC)
DAMAGES: dict[str, tuple[dict[str, Any], str]] = {
    "no such field": ({"snapshot": '{"id": "bad", "colour": "red"}'}, "column snapshot, "),
    "a wrong type": ({"snapshot": '{"quantity": "many"}'}, "column snapshot, "),
    "a list": ({"snapshot": "[]"}, "column snapshot, as a whole"),
    "an unknown lifecycle": ({"lifecycle": "warranty"}, "column lifecycle has 'warranty'"),
}


@pytest.fixture(params=DAMAGES)
def damage(request: pytest.FixtureRequest) -> tuple[dict[str, Any], str]:
    """What a row is overwritten with, and what is said of it."""
    return DAMAGES[request.param]


@pytest.fixture
def damaged(desk: "Desk", damage: tuple[dict[str, Any], str]) -> "Desk":
    """A desk with three subscriptions that end at one instant; the row of one is damaged."""
    for name, customer in (("bad", "acme"), ("beside", "acme"), ("good", "tailspin")):
        desk.sell(name, customer=customer, autorenew=False)
    with desk.store.engine.begin() as connection:
        statement = update(SubjectRow).where(SubjectRow.id == "bad").values(**damage[0])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] – SQLModel types a column as its value
        connection.execute(statement)
    return desk


def test_it_is_named_and_the_others_of_its_batch_go_on(
    damaged: "Desk", damage: tuple[dict[str, Any], str], caplog: pytest.LogCaptureFixture
) -> None:
    """GEN-08: also those of the same customer, which do not look at it."""
    settled = damaged.wake(NIGHT)

    ((subject, reason),) = [(each.subject, each.reason) for each in settled.stuck]
    assert subject == "bad"
    assert damage[1] in reason
    assert [damaged.subscription(name).state for name in ("beside", "good")] == ["grace", "grace"]
    stuck = [vars(each) for each in caplog.records if each.getMessage() == "subject_stuck"]
    assert [each["subject"] for each in stuck] == ["bad"]


@pytest.mark.parametrize("batch", [1, 2])
def test_the_size_of_the_batch_makes_no_difference(damaged: "Desk", batch: int) -> None:
    settled = damaged.wake(NIGHT, batch=batch)

    assert [each.subject for each in settled.stuck] == ["bad"]
    assert settled.count == 4
    assert [each.subject for each in damaged.store.due(NIGHT)] == ["bad"]


def test_a_request_to_it_names_the_row_and_changes_nothing(damaged: "Desk") -> None:
    before = damaged.rows()

    with pytest.raises(UnreadableError, match="the row of bad in sublife_subject cannot be read"):
        damaged.do("add_seats", "bad", datetime(2024, 11, 1, tzinfo=UTC), ChangeSeats(1))

    assert damaged.rows() == before


def test_requests_of_the_same_customer_go_on(damaged: "Desk") -> None:
    """Due before command: what is stuck stays due, and the request is decided."""
    outcome = damaged.do("turn_autorenew_on", "beside", datetime(2024, 11, 1, tzinfo=UTC))
    late = damaged.do("reactivate", "beside", NIGHT)

    assert outcome.accepted
    assert late.refusal is not None
    assert damaged.subscription("beside").state == "active"


def test_who_must_read_it_is_stuck_with_it(
    desk: "Desk", three_customers: Callable[["Desk"], None]
) -> None:
    """A migration reads all that its customer has; the reason names the row, not the migration."""
    three_customers(desk)
    with desk.store.engine.begin() as connection:
        broken = update(SubjectRow).where(SubjectRow.id == "tailspin-2").values(snapshot="[]")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] – as above
        connection.execute(broken)

    settled = desk.wake(datetime(2023, 6, 1, tzinfo=UTC))

    reasons = {each.subject: each.reason for each in settled.stuck}
    assert "tailspin-2" in reasons
    assert all("the row of tailspin-2" in each for each in reasons.values())
    assert not {name for name in reasons if name.startswith(("northwind", "fabrikam"))}
    assert desk.subscription("fabrikam-1").state != "active"


def test_a_read_names_the_row(damaged: "Desk") -> None:
    for look in (lambda: damaged.store.get("bad"), damaged.store.all):
        with pytest.raises(StoreError, match="the row of bad in sublife_subject cannot be read"):
            look()
    assert damaged.store.get("good") is not None


def test_it_goes_on_when_the_row_can_be_read_again(desk: "Desk") -> None:
    """Late, but with its own instants: the history is as if nothing had been wrong."""
    desk.sell("bad", autorenew=False)
    with desk.store.engine.begin() as connection:
        ((sound,),) = connection.execute(select(SubjectRow.snapshot)).all()  # type: ignore[call-overload]  # pyright: ignore – SQLModel types a column as its value
        connection.execute(update(SubjectRow).values(snapshot="[]"))
    stuck = desk.wake(NIGHT).stuck

    with desk.store.engine.begin() as connection:
        connection.execute(update(SubjectRow).values(snapshot=sound))
    settled = desk.wake(NIGHT)

    assert [each.subject for each in stuck] == ["bad"]
    assert settled.stuck == ()
    assert [each.event.at for each in settled.outcomes] == [datetime(2025, 10, 1, tzinfo=UTC)] * 2
    assert desk.subscription("bad").state == "grace"


def test_doctor_names_the_row_and_what_to_do(
    damaged: "Desk", damage: tuple[dict[str, Any], str]
) -> None:
    damaged.wake(NIGHT)

    health = examine(damaged.store, NIGHT)

    (found,) = [each for each in health.findings if each.check == "unreadable"]
    assert "the row of bad in sublife_subject cannot be read" in found.says
    assert damage[1] in found.says
    assert "sublife verify" in found.remedy
