"""Checks what a scenario expects: every name there is one that the engine knows."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from sublife.events.export import ACTIVITIES, ORDERS
from sublife.events.layout import ACTIVITY, ORDER
from sublife.events.records import known_facts
from sublife.events.store.delivery import Delivery
from sublife.lifecycle.catalog import LIFECYCLES
from sublife.lifecycle.policy import Fault
from sublife.lifecycle.refusal import CODES
from sublife.scheduler.scenario.fault import instead
from sublife.scheduler.scenario.shape import DEFAULT, Expect, Listed, Log, Look, Overall, Step

WEBHOOK_KEYS = ("EventName", "ResourceUri", "ResourceName", "AuditUri", "ResourceChangeUtcDate")
"""The fields of a webhook's body."""
POST_KEYS = ("endpoint", "at", "name", "attempt", "signed", "answer", "body")
"""What is known of a post."""
_DELIVERY_KEYS = tuple(field.name for field in fields(Delivery))
_REFUSAL_KEYS = ("code", "rule", "sentence", "details")


class Checker:
    """Checks expectations and collects what is wrong with them.

    Args:
        subjects: the lifecycle of each subject named so far; it grows while the steps are read.
        faults: where what is wrong goes.
    """

    def __init__(self, subjects: Mapping[str, str], faults: list[Fault]) -> None:
        self.subjects = subjects
        self._faults = faults

    def _fault(self, path: tuple[str | int, ...], message: str) -> None:
        self._faults.append(Fault(path, message))

    def check_expect(self, at: tuple[str | int, ...], step: Step, lifecycle: str) -> None:
        """Check what a step expects; its subject lives by *lifecycle*."""
        expect = step.expect
        if step.subject is None and any(
            getattr(expect, name) is not None for name in Look.model_fields
        ):
            self._fault(at, 'says nothing of whom; add "subject" to the step, or use "subjects"')
        self._check_look(at, expect, lifecycle)
        for name, look in expect.subjects.items():
            if name not in self.subjects:
                known = ", ".join(sorted(self.subjects))
                self._fault((*at, "subjects", name), f"no such subject so far; there is {known}")
            self._check_look((*at, "subjects", name), look, self.subjects.get(name, DEFAULT))
        self._check_lists(at, expect)
        self._check_posts(at, expect)
        if expect.log is not None:
            self._check_log((*at, "log"), expect.log)
        match expect.refused:
            case str() as code:
                self._check_code((*at, "refused"), code)
            case dict() as refused:
                self._check_keys((*at, "refused"), refused, _REFUSAL_KEYS)
                if "code" in refused:
                    self._check_code((*at, "refused", "code"), str(refused["code"]))
            case None:
                pass

    def _check_look(self, at: tuple[str | int, ...], look: Look, lifecycle: str) -> None:
        found = LIFECYCLES[lifecycle]
        states = ("absent", *map(str, found.states))
        if look.state is not None and look.state not in states:
            self._fault((*at, "state"), f'no state "{look.state}"; {instead(look.state, states)}')
        if look.fields:
            names = tuple(field.name for field in fields(found.snapshot))
            self._check_keys((*at, "fields"), look.fields, names)
        for timer in look.due or {}:
            if timer not in found.ticks:
                self._fault((*at, "due", timer), f"no such timer; {instead(timer, found.ticks)}")
        for number, name in enumerate(look.allowed or ()):
            if name not in found.requests:
                self._fault(
                    (*at, "allowed", number),
                    f'no request "{name}"; {instead(name, found.requests)}',
                )

    def check_overall(self, expect: Overall) -> None:
        """Check what is expected of the whole run."""
        self._check_lists(("expect",), expect)
        for number, code in enumerate(expect.refusals or ()):
            self._check_code(("expect", "refusals", number), code)

    def _check_lists(self, at: tuple[str | int, ...], expect: Expect | Overall) -> None:
        known = known_facts()
        for number, fact in enumerate(expect.facts or ()):
            name = fact if isinstance(fact, str) else fact.get("fact")
            if name not in known:
                self._fault(
                    (*at, "facts", number), f'no fact "{name}"; {instead(str(name), known)}'
                )
        self._check_rows((*at, "records"), expect.records, tuple(ACTIVITY.c.keys()))
        self._check_rows((*at, "orders"), expect.orders, tuple(ORDER.c.keys()))

    def _check_posts(self, at: tuple[str | int, ...], expect: Expect) -> None:
        self._check_rows((*at, "webhooks"), expect.webhooks, WEBHOOK_KEYS)
        self._check_rows((*at, "posts"), expect.posts, POST_KEYS)
        self._check_rows((*at, "deliveries"), expect.deliveries, _DELIVERY_KEYS)

    def _check_log(self, at: tuple[str | int, ...], log: Log) -> None:
        titles = (ORDERS if log.orders else ACTIVITIES).titles
        for name in ("kind", "since"):
            rival = {"kind": "orders", "since": "everything"}[name]
            if getattr(log, name) is not None and getattr(log, rival):
                told = "all" if rival == "everything" else rival
                self._fault((*at, name), f'does not go with "{told}"; remove one of them')
        if log.columns is None and log.rows is None:
            self._fault(at, 'expects nothing; add "columns" or "rows"')
        for number, title in enumerate(log.columns or ()):
            if title not in titles:
                self._fault(
                    (*at, "columns", number), f'no column "{title}"; {instead(title, titles)}'
                )
        for number, row in enumerate(log.rows or ()):
            if isinstance(row, dict):
                self._check_keys((*at, "rows", number), row, titles)

    def _check_rows(
        self, at: tuple[str | int, ...], rows: Listed | None, known: tuple[str, ...]
    ) -> None:
        for number, row in enumerate(rows or ()):
            if isinstance(row, dict):
                self._check_keys((*at, number), row, known)

    def _check_code(self, at: tuple[str | int, ...], code: str) -> None:
        known = {*CODES, *(own for each in LIFECYCLES.values() for own in each.codes)}
        if code not in known:
            self._fault(at, f'no refusal code "{code}"; {instead(code, sorted(known))}')

    def _check_keys(
        self, at: tuple[str | int, ...], given: Mapping[str, Any], known: tuple[str, ...]
    ) -> None:
        for key in given:
            if key not in known:
                self._fault((*at, key), f'unknown key "{key}"; {instead(key, known)}')
