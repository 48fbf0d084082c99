"""Serves the HTTP interface and sends traces, where the settings say so."""

from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta

from sublife.events.store import Clock, Store
from sublife.scheduler.listen import ListenError
from sublife.scheduler.metrics import Metrics
from sublife.scheduler.settings import Settings
from sublife.scheduler.tracing import send_traces

NO_BEAT_SECONDS = 60.0
"""So long after the last sign of life of any daemon the interface is no longer ready."""


@contextmanager
def serving(
    store: Store,
    settings: Settings,
    *,
    metrics: Metrics,
    clock: Clock,
    doubt: Callable[[], tuple[str, str] | None] = lambda: None,
    stuck: Callable[[], Sequence[str]] = tuple,
) -> Generator[str | None]:
    """Serve while the block runs; yield the address, `None` where nothing is served.

    Args:
        store: of the database.
        settings: where, and how much.
        metrics: what is counted.
        clock: by which tokens expire.
        doubt: why the daemon is not ready, as code and sentence.
        stuck: ids of subjects that cannot be moved, or are set aside.

    Raises:
        ListenError: the address cannot be served at, or the extra `api` is not installed.
        TracingError: traces are asked for, but the extra `tracing` is not installed.
    """
    with ExitStack() as stack:
        if settings.traces_to is not None:
            stack.callback(send_traces(settings.traces_to))
        if settings.listen is None:
            yield None
            return
        try:
            from sublife.scheduler.api import Interface, Limits, Server  # noqa: PLC0415 – an extra
        except ModuleNotFoundError as error:
            raise ListenError(
                f"{error.name} is not installed; install sublife[api], or take out listen"
            ) from error
        limits = Limits(
            rate=settings.rate_per_second,
            burst=settings.rate_burst,
            body_bytes=settings.body_bytes,
            beat=timedelta(seconds=NO_BEAT_SECONDS),
        )
        interface = Interface(
            store,
            clock=clock,
            metrics=metrics,
            limits=limits,
            tenant=settings.open_tenant,
            doubt=doubt,
            stuck=stuck,
        )
        server = stack.enter_context(Server(interface, settings.listen))
        yield server.url
