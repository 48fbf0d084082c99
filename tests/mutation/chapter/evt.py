"""Chapter EVT: how the rules of facts, records and webhooks are switched off."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sublife.events.records import UPDATED, Kind
from tests.mutation.switch import Off, altered, instead, off, recording, result

_RECORDS = "events.records"
_CENTURY = timedelta(days=36_500)
_ENDS = ("ea-renewal-completed", "ea-renewal-failed")


def _no_order(found: Any, fact: Any) -> Any:
    return altered(found, order=None) if fact.data.get("path") == "channel-transfer" else found


def _backwards(trails: Any, *_: object) -> Any:
    return reversed(list(trails))


def _of_few_words(activity: Any, *_: object) -> Any:
    return altered(activity, path=None, channel=None, order_id=None, code=None)


def _as_new(order: Any, *_: object) -> Any:
    return altered(order, transaction="new")


def _a_century_before(at: datetime) -> datetime:
    return at - _CENTURY


def _an_update(_found: Any, _record: Any) -> tuple[str, str]:
    return "update_subscription", "subscription"


def _undated(body: Mapping[str, Any], *_: object) -> Mapping[str, Any]:
    return {name: body[name] for name in body if name != "ResourceChangeUtcDate"}


def _without_end(retry: Any, *_: object) -> Any:
    return altered(retry, attempts=None)


OFF: Mapping[str, Off] = {
    "EVT-01": off("a renewal to CSP is logged as a renewal", recording(*_ENDS, kind=Kind.RENEWAL)),
    "EVT-02": off(
        "a renewal to CSP leaves no order record", result(f"{_RECORDS}.recording_of", _no_order)
    ),
    "EVT-03": off(
        "a renewal to CSP raises no migration webhook",
        recording("ea-renewal-started", *_ENDS, webhook=None),
    ),
    "EVT-04": off(
        "facts that are neither migration nor renewal leave an activity record too",
        recording("subscription-suspended", "subscription-upgraded", kind=Kind.RENEWAL),
    ),
    "EVT-05": off(
        "the records of one event are not in the order of its facts",
        result(f"{_RECORDS}.trails", _backwards),
    ),
    "EVT-06": off(
        "a record says neither path, channel, order nor code",
        result(f"{_RECORDS}._activity", _of_few_words),
    ),
    "EVT-07": off(
        "the log spans everything by default",
        instead("events.export.month_before", _a_century_before),
    ),
    "EVT-08": off(
        "every record has one and the same audit word",
        result("events.export.operation_of", _an_update),
    ),
    "EVT-09": off("every order line is a new one", result(f"{_RECORDS}._order", _as_new)),
    "EVT-10": off(
        "a webhook does not say when the resource changed",
        result("events.webhook.body.partner_center", _undated),
    ),
    "EVT-11": off(
        "relationships and privileges have no webhooks of their names",
        recording(
            "relationship-accepted",
            "dap-admin-relationship-approved",
            "dap-admin-relationship-terminated",
            webhook=None,
        ),
    ),
    "EVT-12": off(
        "what is no change of commerce raises a webhook too",
        recording("subscription-renamed", webhook=UPDATED),
    ),
    "EVT-13": off(
        "a post is tried for as long as it takes",
        result("events.outbox.setting.Settings.retry_of", _without_end),
    ),
}
