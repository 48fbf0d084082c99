"""The lifecycles there are, one line each; the module of one is imported when it is needed."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from types import MappingProxyType

from sublife.lifecycle.model import Lifecycle, ModelError

SHIPPED: Mapping[str, str] = MappingProxyType(
    {
        "subscription": "sublife.lifecycle.subscription:SUBSCRIPTION",
        "migration": "sublife.lifecycle.migration:MIGRATION",
        "programme": "sublife.lifecycle.programme:PROGRAMME",
        "agreement": "sublife.lifecycle.transfer:AGREEMENT",
        "transfer": "sublife.lifecycle.transfer:TRANSFER",
        "customer": "sublife.lifecycle.customer:CUSTOMER",
        "partner": "sublife.lifecycle.partner:PARTNER",
        "hosting": "sublife.lifecycle.hosting:HOSTING",
    }
)
"""Where each lifecycle of ours stands, by its name: `module:attribute`."""

_INCLUDED: dict[str, Lifecycle] = {}
"""Those that were needed so far, and those of the host."""


class _Catalog(Mapping[str, Lifecycle]):
    """Every lifecycle by its name: the shipped ones, then the others as they were included."""

    def __getitem__(self, name: str) -> Lifecycle:
        try:
            return _INCLUDED[name]
        except KeyError:
            module, _, attribute = SHIPPED[name].partition(":")
        found: Lifecycle = getattr(import_module(module), attribute)
        return _INCLUDED.setdefault(name, found)

    def __iter__(self) -> Iterator[str]:
        yield from SHIPPED
        yield from [name for name in _INCLUDED if name not in SHIPPED]

    def __len__(self) -> int:
        return len(SHIPPED.keys() | _INCLUDED.keys())

    def __contains__(self, name: object) -> bool:
        return name in SHIPPED or name in _INCLUDED


LIFECYCLES: Mapping[str, Lifecycle] = _Catalog()
"""Every lifecycle by its name, in the order they were included."""


def include(lifecycle: Lifecycle) -> None:
    """Let everything know a lifecycle: store, scenarios, timers, diagrams, commands.

    A program that has one of its own includes it as it starts, before a store is opened or a
    policy pack is loaded.

    Raises:
        ModelError: there is one of that name already.
    """
    if LIFECYCLES.get(lifecycle.name, lifecycle) is not lifecycle:
        raise ModelError(f"there is a lifecycle {lifecycle.name} already; give yours another name")
    _INCLUDED[lifecycle.name] = lifecycle
