"""Metrics: what is counted, and nothing at all where the extra is missing."""

import sys

import pytest

from sublife.scheduler.metrics import Metrics


def values(metrics: Metrics) -> dict[tuple[str, ...], float]:
    return {
        (name, *labels.values()): value
        for name, labels, value in metrics.values()
        if not name.endswith(("_created", "_bucket"))
    }


def test_what_happens_is_counted() -> None:
    metrics = Metrics()

    metrics.settled("acme", 1000, 0.2)
    metrics.settled("acme", 500, 0.1)
    metrics.refused("BAD_STATE")
    metrics.delivered("delivered", 3)
    metrics.delivered("dead")
    metrics.look(4.5, 1200)

    found = values(metrics)
    assert found["sublife_settled_total", "acme"] == 1500
    assert found["sublife_batch_seconds_count",] == 2
    assert found["sublife_batch_seconds_sum",] == pytest.approx(0.3)
    assert found["sublife_refused_total", "BAD_STATE"] == 1
    assert found["sublife_deliveries_total", "delivered"] == 3
    assert found["sublife_deliveries_total", "dead"] == 1
    assert (found["sublife_lag_seconds",], found["sublife_due",]) == (4.5, 1200)


def test_two_processes_in_one_count_apart() -> None:
    first, second = Metrics(), Metrics()

    first.refused("BAD_STATE")

    assert ("sublife_refused_total", "BAD_STATE") not in values(second)


def test_nothing_is_counted_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    metrics = Metrics()

    metrics.settled("acme", 1, 0.1)
    metrics.refused("BAD_STATE")
    metrics.delivered("delivered")
    metrics.look(0, 0)
    metrics.answered("/v1/due", "GET", 200, 0.1)

    assert metrics.text() == ""
    assert list(metrics.values()) == []
