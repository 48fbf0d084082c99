"""Traces of requests and batches by OpenTelemetry; nothing where the extra is not installed."""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from types import MappingProxyType
from typing import Any, Protocol

from sublife.lifecycle.error import SublifeError

NAME = "sublife"
NOTHING: Mapping[str, Any] = MappingProxyType({})


class Traced(Protocol):
    """A span that is under way."""

    def set_attribute(self, key: str, value: Any) -> Any:
        """Say something of it: a count, a status, a rule; never a customer."""
        ...


class _Untraced:
    """What stands for a span where nobody traces."""

    def set_attribute(self, key: str, value: Any) -> None:
        """Say nothing."""


class TracingError(SublifeError, RuntimeError):
    """Traces are asked for, but cannot be sent."""


_UNTRACED = _Untraced()


@cache
def _release() -> str:
    return version(NAME)


@contextmanager
def span(
    name: str, about: Mapping[str, Any] = NOTHING, *, carrier: Mapping[str, str] | None = None
) -> Generator[Traced]:
    """Trace what happens in the block.

    Without the extra `tracing`, or a provider of spans, it costs next to nothing.

    Args:
        name: `request`, `submit` or `settle`.
        about: its attributes; no customer, no payload, no token.
        carrier: headers of a request, which may carry the trace it is part of (`traceparent`).
    """
    try:
        from opentelemetry import trace  # noqa: PLC0415 – an extra
        from opentelemetry.propagate import extract  # noqa: PLC0415 – an extra
    except ModuleNotFoundError:
        yield _UNTRACED
        return
    context = None if carrier is None else extract(carrier)
    kind = trace.SpanKind.INTERNAL if carrier is None else trace.SpanKind.SERVER
    tracer = trace.get_tracer(NAME, _release())
    with tracer.start_as_current_span(
        name,
        context,
        kind,
        attributes=dict(about),
        record_exception=False,
        set_status_on_exception=False,
    ) as current:
        yield current


def send_traces(endpoint: str) -> Callable[[], None]:
    """Send spans to a collector by OTLP over HTTP, from now on.

    Args:
        endpoint: of the collector, such as `http://localhost:4318/v1/traces`.

    Returns:
        What to call at the end, so that the last spans are sent.

    Raises:
        TracingError: the extra `tracing` is not installed.
    """
    try:
        from opentelemetry import trace  # noqa: PLC0415 – an extra
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise TracingError(
            f"{error.name} is not installed; install sublife[tracing], or send no traces"
        ) from error
    provider = TracerProvider(
        resource=Resource.create({"service.name": NAME, "service.version": _release()}),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    trace.set_tracer_provider(provider)
    return provider.shutdown
