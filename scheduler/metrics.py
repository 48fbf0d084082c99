"""What is counted, for Prometheus; nothing at all where the extra `api` is not installed."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """Counters of one process.

    Tenants are named where something is settled; customers and subjects nowhere.
    """

    def __init__(self) -> None:
        self._counted = _counted()

    def settled(self, tenant: str, events: int, seconds: float) -> None:
        """Count a batch: the events that it applied, and how long it took."""
        if self._counted:
            self._counted.settled.labels(tenant).inc(events)
            self._counted.batch.observe(seconds)

    def refused(self, code: str) -> None:
        """Count a refusal by its code."""
        if self._counted:
            self._counted.refused.labels(code).inc()

    def delivered(self, outcome: str, count: int = 1) -> None:
        """Count attempts to deliver: `delivered`, `failed` or `dead`."""
        if self._counted:
            self._counted.delivered.labels(outcome).inc(count)

    def look(self, lag_seconds: float, due: int) -> None:
        """Note how late the oldest due timer is, 0 if none is due, and how many are due."""
        if self._counted:
            self._counted.lag.set(lag_seconds)
            self._counted.due.set(due)

    def stuck(self, count: int) -> None:
        """Note how many subjects cannot be moved, or are set aside."""
        if self._counted:
            self._counted.stuck.set(count)

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request by its route, never by its path, which names a subject."""
        if self._counted:
            self._counted.requests.labels(route, method, str(status)).inc()
            self._counted.taken.labels(route, method).observe(seconds)

    def text(self) -> str:
        """Return everything in the text format of Prometheus."""
        if self._counted is None:
            return ""
        from prometheus_client import generate_latest  # noqa: PLC0415 – needs the extra

        return generate_latest(self._counted.registry).decode()

    def values(self) -> Iterator[tuple[str, dict[str, str], float]]:
        """Yield every value with its name and labels."""
        registry = self._counted.registry if self._counted else None
        for family in registry.collect() if registry else ():
            for sample in family.samples:
                yield sample.name, dict(sample.labels), sample.value


class _Counted:
    """The series, in a registry of their own."""

    def __init__(self, registry: "CollectorRegistry") -> None:
        from prometheus_client import Counter, Gauge, Histogram  # noqa: PLC0415 – needs the extra

        self.registry = registry
        self.settled = Counter(
            "sublife_settled", "Timed events applied.", ("tenant",), registry=registry
        )
        self.batch = Histogram(
            "sublife_batch_seconds", "Time of one batch.", buckets=_SECONDS, registry=registry
        )
        self.refused = Counter(
            "sublife_refused", "Requests refused by a rule.", ("code",), registry=registry
        )
        self.delivered = Counter(
            "sublife_deliveries", "Attempts to deliver.", ("outcome",), registry=registry
        )
        self.lag = Gauge(
            "sublife_lag_seconds", "How late the oldest due timer is.", registry=registry
        )
        self.due = Gauge("sublife_due", "Subjects with a timer that is due.", registry=registry)
        self.stuck = Gauge(
            "sublife_stuck", "Subjects that cannot be moved or are set aside.", registry=registry
        )
        self.requests = Counter(
            "sublife_requests",
            "Answers of the HTTP interface.",
            ("route", "method", "status"),
            registry=registry,
        )
        self.taken = Histogram(
            "sublife_request_seconds",
            "Time of one answer.",
            ("route", "method"),
            buckets=_SECONDS,
            registry=registry,
        )


def _counted() -> _Counted | None:
    try:
        from prometheus_client import CollectorRegistry  # noqa: PLC0415 – an extra
    except ModuleNotFoundError:
        return None
    return _Counted(CollectorRegistry(auto_describe=True))
