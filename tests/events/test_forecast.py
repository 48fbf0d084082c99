"""forecast(): what is foreseen is what happens, in order, and nothing is written for it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from sublife.events.forecast import ForecastError, Foreseen, as_mapping, forecast
from sublife.events.intake import Outcome, settle, work
from sublife.events.pause import pause
from sublife.lifecycle.machine import UnknownLifecycleError, decide
from sublife.lifecycle.model import ModelError

if TYPE_CHECKING:
    from tests.events.conftest import Desk

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
SOLD_AT = datetime(2024, 10, 1, 2, 35, tzinfo=UTC)
TERM_END = datetime(2025, 10, 1, tzinfo=UTC)
NOBODY = frozenset[str]()
AFTERWARDS = datetime(2023, 8, 1, tzinfo=UTC)


def _happened(outcome: Outcome) -> tuple[object, ...]:
    event = outcome.event
    facts = tuple(fact.name for fact in outcome.facts)
    states = (outcome.state_before, outcome.own_state)
    return (event.at, event.id, event.name, event.subject, event.cause, *states, facts)


def _foreseen(each: Foreseen) -> tuple[object, ...]:
    states = (each.state_before, each.state)
    return (each.at, each.event_id, each.event, each.subject, each.cause, *states, each.facts)


@pytest.mark.parametrize("batch", [1, 3, 1000])
def test_what_is_foreseen_is_what_happens(
    desk: "Desk", three_customers: Callable[["Desk"], None], batch: int
) -> None:
    """GEN-08, GEN-09: with all that follows: migrations, what they make, and how that goes on."""
    three_customers(desk)
    before = desk.rows()

    foreseen = [_foreseen(each) for each in forecast(desk.store, AFTERWARDS, batch=batch)]

    assert desk.rows() == before
    desk.clock.move(AFTERWARDS)
    happened = [_happened(each) for each in settle(desk.store, AFTERWARDS).outcomes]
    assert sorted(foreseen, key=str) == sorted(happened, key=str)
    assert [each[0] for each in foreseen] == sorted(each[0] for each in happened)  # type: ignore[type-var]
    assert {"target_reached", "enter_migration", "lead", "arise", "expiry_ended"} <= {
        each[2] for each in foreseen
    }


def test_one_that_lapses_is_told_to_its_end(desk: "Desk") -> None:
    """SUB-01, SUB-04, SUB-05, SUB-06: expiry, grace, disabled, deleted, each at its instant."""
    desk.sell("s1", autorenew=False)

    found = list(forecast(desk.store, TERM_END + 120 * DAY))

    assert [(each.event, each.at, each.state) for each in found] == [
        ("term_ended", TERM_END, "expired"),
        ("expiry_ended", TERM_END, "grace"),
        ("grace_ended", TERM_END + 30 * DAY, "disabled"),
        ("retention_ended", TERM_END + 120 * DAY, "deleted"),
    ]
    assert found[0].facts == ("subscription-expired",)
    assert found[0].rules == ("SUB-03", "TRM-04")


@pytest.mark.parametrize(
    ("until", "count"), [(TERM_END - SECOND, 0), (TERM_END, 2), (TERM_END + 30 * DAY, 3)]
)
def test_the_window_ends_with_its_last_instant(desk: "Desk", until: datetime, count: int) -> None:
    """GEN-03: what is due at that instant is in it."""
    desk.sell("s1", autorenew=False)

    assert len(list(forecast(desk.store, until))) == count


def test_what_is_overdue_is_told_with_its_true_instant(desk: "Desk") -> None:
    """GEN-09: nobody has settled for a month."""
    desk.sell("s1", autorenew=False)
    desk.clock.move(TERM_END + 45 * DAY)

    found = list(forecast(desk.store, desk.clock.now()))

    assert [each.at for each in found] == [TERM_END, TERM_END, TERM_END + 30 * DAY]


class TestFilters:
    def _sold(self, desk: "Desk") -> None:
        desk.sell("s1", autorenew=False)
        desk.sell("s2", autorenew=False, customer="northwind")
        desk.sell("s3", autorenew=False, partner="fabrikam")

    @pytest.mark.parametrize(
        ("filters", "subjects"),
        [
            (dict[str, str](), {"s1", "s2", "s3"}),
            ({"customer": "northwind"}, {"s2"}),
            ({"customer": "nobody"}, NOBODY),
            ({"partner": "contoso"}, {"s1", "s2"}),
            ({"customer": "tailspin", "partner": "fabrikam"}, {"s3"}),
            ({"lifecycle": "subscription"}, {"s1", "s2", "s3"}),
            ({"lifecycle": "migration"}, NOBODY),
        ],
    )
    def test_only_what_is_asked_for_is_told(
        self, desk: "Desk", filters: dict[str, str], subjects: set[str]
    ) -> None:
        """Of a customer, a partner, a lifecycle."""
        self._sold(desk)

        given: dict[str, Any] = dict(filters)
        found = forecast(desk.store, TERM_END + DAY, **given)

        assert {each.subject for each in found} == subjects

    def test_another_tenant_is_not_told(self, desk: "Desk") -> None:
        """Tenants never see each other."""
        self._sold(desk)

        assert list(forecast(desk.store.of("other"), TERM_END + DAY)) == []

    def test_a_lifecycle_that_does_not_exist_is_a_mistake(self, desk: "Desk") -> None:
        """Else a misspelt word would mean that nothing comes."""
        with pytest.raises(UnknownLifecycleError):
            list(forecast(desk.store, TERM_END, lifecycle="subscriptions"))


def test_a_pause_changes_nothing_of_it(desk: "Desk") -> None:
    """It delays writing, not what happens."""
    desk.sell("s1", autorenew=False)
    pause(desk.store, by="amy", reason="audit")

    assert len(list(forecast(desk.store, TERM_END))) == 2


def test_only_a_batch_is_held_at_once(desk: "Desk", monkeypatch: pytest.MonkeyPatch) -> None:
    """A million subjects take no more memory than a batch of them."""
    for number in range(25):
        desk.sell(f"s{number}", customer=f"customer-{number}", autorenew=False)
    sizes: list[int] = []
    real = forecast.__globals__["foreseen"]

    def counting(tx: object, names: list[str], until: datetime) -> object:
        sizes.append(len(names))
        return real(tx, names, until)

    monkeypatch.setitem(forecast.__globals__, "foreseen", counting)
    found = list(forecast(desk.store, TERM_END, batch=10))

    assert (sizes, len(found)) == ([10, 10, 5], 50)


def test_what_cannot_be_foreseen_is_told_after_the_rest(
    desk: "Desk", monkeypatch: pytest.MonkeyPatch
) -> None:
    """A subject whose timer cannot be applied holds up no other."""
    desk.sell("s1", autorenew=False)
    desk.sell("s2", autorenew=False)

    really: Any = decide

    def broken(snapshot: object, event: object, *more: object, **others: object) -> object:
        if getattr(event, "subject", "") == "s1":
            raise ModelError("s1 is broken")
        return really(snapshot, event, *more, **others)

    monkeypatch.setattr(work, "decide", broken)
    found: list[str] = []
    with pytest.raises(ForecastError, match="not known of 1 subjects: s1 is broken") as raised:
        found.extend(each.subject for each in forecast(desk.store, TERM_END))

    assert found == ["s2", "s2"]
    assert [each.subject for each in raised.value.stuck] == ["s1"]


def test_it_can_be_sent_as_json(desk: "Desk") -> None:
    """Every value is one of JSON's, instants as the project writes them."""
    desk.sell("s1", autorenew=False)

    first = as_mapping(next(forecast(desk.store, TERM_END)))

    assert first == {
        "at": "2025-10-01T00:00:00Z",
        "event_id": "timer:s1/term_ended/2025-10-01T00:00:00Z/2",
        "event": "term_ended",
        "subject": "s1",
        "lifecycle": "subscription",
        "customer": "tailspin",
        "partner": "contoso",
        "state_before": "active",
        "state": "expired",
        "facts": ["subscription-expired"],
        "rules": ["SUB-03", "TRM-04"],
        "cause": None,
    }
