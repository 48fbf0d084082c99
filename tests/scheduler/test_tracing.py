"""Traces: spans with what may be told, sent on, and nothing where the extra is missing."""

import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from sublife.scheduler.tracing import TracingError, send_traces, span

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], tuple["ReadableSpan", ...]]]:
    """Returns the spans that have ended since the test began."""
    ended = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(ended))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    yield ended.get_finished_spans
    provider.shutdown()


def test_a_span_has_its_name_and_what_was_said_of_it(
    spans: Callable[[], tuple["ReadableSpan", ...]],
) -> None:
    with span("settle", {"sublife.tenant": "acme"}) as traced:
        traced.set_attribute("sublife.events", 3)

    (found,) = spans()
    assert (found.name, found.kind) == ("settle", trace.SpanKind.INTERNAL)
    assert dict(found.attributes or {}) == {"sublife.tenant": "acme", "sublife.events": 3}


def test_a_request_goes_on_with_the_trace_it_carries(
    spans: Callable[[], tuple["ReadableSpan", ...]],
) -> None:
    with span("request", carrier={"traceparent": PARENT}), span("submit"):
        pass

    inner, outer = spans()
    assert outer.kind is trace.SpanKind.SERVER
    assert outer.parent is not None
    assert f"{outer.parent.span_id:016x}" == PARENT.split("-")[2]
    assert inner.parent is not None
    assert outer.context is not None
    assert inner.parent.span_id == outer.context.span_id


def test_what_an_error_says_is_not_traced(
    spans: Callable[[], tuple["ReadableSpan", ...]],
) -> None:
    with pytest.raises(RuntimeError), span("submit"):
        raise RuntimeError("tailspin owes 30 EUR")

    (found,) = spans()
    assert "tailspin" not in found.to_json()


def test_nothing_is_traced_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    monkeypatch.setitem(sys.modules, "opentelemetry.propagate", None)

    with span("settle") as traced:
        traced.set_attribute("sublife.events", 3)

    with pytest.raises(TracingError, match=r"install sublife\[tracing\]"):
        send_traces("http://localhost:4318/v1/traces")
