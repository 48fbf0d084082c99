"""What the library hands out, values and errors alike, passes from process to process."""

import copy
import importlib
import inspect
import pickle
import pkgutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from types import MappingProxyType, ModuleType
from typing import Any

import pytest

import sublife
from sublife.events.intake import Outcome, StaleVersionError, Stuck, settle, submit
from sublife.events.permission import may
from sublife.events.store import Store
from sublife.lifecycle.catalog import LIFECYCLES
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.error import SublifeError
from sublife.lifecycle.machine import lifecycle_named
from sublife.lifecycle.model import Actor, ActorKind, Event, Fact, Refusal, Timer
from sublife.lifecycle.subscription.model import Product, Purchase
from sublife.scheduler.clock import SimulatedClock

AT = datetime(2024, 10, 1, 9, tzinfo=UTC)
AMY = Actor(ActorKind.USER, "amy")


def modules() -> Iterator[ModuleType]:
    for each in pkgutil.walk_packages(sublife.__path__, "sublife."):
        if not each.name.endswith(("__main__", "migrations.env")) and ".versions." not in each.name:
            yield importlib.import_module(each.name)


def errors() -> list[type[SublifeError]]:
    for _ in modules():
        pass
    found, waiting = dict[str, type[SublifeError]](), [SublifeError]
    while waiting:
        for each in waiting.pop().__subclasses__():
            if each.__module__.startswith("sublife."):
                found[f"{each.__module__}.{each.__name__}"] = each
                waiting.append(each)
    return [found[name] for name in sorted(found)]


ERRORS = errors()


def an_example(kind: type[SublifeError]) -> SublifeError:
    """Return an error made as the library makes it, with a sample for each argument."""
    if kind.__init__ is SublifeError.__init__ or "__init__" not in _own(kind):
        return kind("what is wrong; what to do")
    made: Any = kind
    parameters = list(inspect.signature(kind).parameters.values())
    positional = [_sample(each) for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD]
    named = {each.name: _sample(each) for each in parameters if each.kind is each.KEYWORD_ONLY}
    return made(*positional, **named)  # type: ignore[no-any-return]


def _own(kind: type[Any]) -> set[str]:
    return {name for each in kind.__mro__ if issubclass(each, SublifeError) for name in vars(each)}


class Anything(str):
    """Stands for an argument of any class: it has every attribute, and is a text."""

    __slots__ = ()

    def __getattr__(self, name: str) -> "Anything":
        if name.startswith("__"):
            raise AttributeError(name)
        return Anything(name)


def _sample(parameter: inspect.Parameter) -> Any:
    if parameter.default is not parameter.empty:
        return parameter.default
    said = str(parameter.annotation)
    if "datetime" in said:
        return AT
    if "Stuck" in said:
        return [Stuck("s1", "why")]
    if "Iterable" in said or "Sequence" in said or "tuple" in said or "list" in said:
        return [(1, "line")] if "tuple[int" in said else []
    if said in {"int", "<class 'int'>"}:
        return 3
    return Anything(parameter.name)


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_every_error_survives_pickling_and_copying(kind: type[SublifeError]) -> None:
    error = an_example(kind)

    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):  # noqa: S301 – our own
        assert type(again) is kind
        assert (str(again), again.args, vars(again)) == (str(error), error.args, vars(error))


def test_every_error_of_the_library_has_one_base() -> None:
    """Whatever goes wrong is caught by `except SublifeError`; what never leaves is named here."""
    inner = {"_Wrong", "_NotTakenError", "_UnknownSubjects", "Taken", "TenantBehindError"}
    of_others = {"ScenarioFailed", "Problem"}

    found = {
        name
        for module in modules()
        for name, each in vars(module).items()
        if isinstance(each, type)
        and issubclass(each, Exception)
        and each.__module__ == module.__name__
        and not issubclass(each, SublifeError)
    }

    assert found <= inner | of_others


def lived() -> list[Any]:
    """Return values of every kind that a host is given."""
    clock = SimulatedClock(AT)
    store = Store.open("sqlite://", clock=clock)
    order = Purchase(
        "tailspin", "contoso", Product("E3"), 30, Term.P1Y, Billing.MONTHLY, autorenew=False
    )
    sold = submit(store, Event("e1", "purchase", "s1", AT, AMY, order))
    refused = submit(store, Event("e2", "reactivate", "s1", AT, AMY))
    clock.move(AT + timedelta(days=400))
    settled = settle(store, clock.now())
    values = [sold, refused, settled, *store.all().values(), *store.history("s1"), *store.due()]
    values += [may(store, "s1", "reactivate"), store.policy.version]
    store.close()
    return values


def test_every_value_that_a_host_is_given_survives_pickling_and_copying() -> None:
    for value in lived():
        for again in (pickle.loads(pickle.dumps(value)), copy.deepcopy(value)):  # noqa: S301 – our own
            assert again == value
            assert type(again) is type(value)


@pytest.mark.parametrize(
    "value",
    [
        Fact("subscription-renewed"),
        Fact("subscription-renewed", MappingProxyType({"seats": 3}), ("SUB-02",)),
        Refusal("BAD_STATE", "SUB-07", "no", MappingProxyType({"state": "active"})),
        Timer("grace_ended", AT),
        Event("e1", "suspend", "s1", AT, AMY),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_keep_what_they_are_made_of(value: Any) -> None:
    again = pickle.loads(pickle.dumps(value))  # noqa: S301 – our own

    assert again == value
    if isinstance(value, Fact):
        assert isinstance(again.data, MappingProxyType)


@pytest.mark.parametrize("name", LIFECYCLES)
def test_the_definitions_name_their_snapshots_where_pickle_finds_them(name: str) -> None:
    shape = lifecycle_named(name).snapshot

    assert pickle.loads(pickle.dumps(shape)) is shape  # noqa: S301 – our own


def decide_elsewhere(number: int) -> Outcome:
    """Sell in a process of a pool, and fail in every second call."""
    if number % 2:
        raise StaleVersionError("s1", 2, 3)
    (sold, *_) = lived()
    assert isinstance(sold, Outcome)
    return sold


def test_a_pool_of_processes_hands_on_outcomes_and_errors() -> None:
    """An error that could not be unpickled once broke the whole pool."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        futures = [pool.submit(decide_elsewhere, number) for number in range(4)]
        failed = [each.exception() for each in futures]

    assert [type(each) for each in failed] == [type(None), StaleVersionError] * 2
    assert str(failed[1]) == str(StaleVersionError("s1", 2, 3))
    assert futures[0].result().facts[0].name == "subscription-created"
