"""The lifecycles there are, one line each."""

from collections.abc import Mapping
from types import MappingProxyType

from sublife.lifecycle.customer import CUSTOMER
from sublife.lifecycle.hosting import HOSTING
from sublife.lifecycle.migration import MIGRATION
from sublife.lifecycle.model import Lifecycle, ModelError
from sublife.lifecycle.partner import PARTNER
from sublife.lifecycle.programme import PROGRAMME
from sublife.lifecycle.subscription import SUBSCRIPTION
from sublife.lifecycle.transfer import AGREEMENT, TRANSFER

_INCLUDED: dict[str, Lifecycle] = {}
LIFECYCLES: Mapping[str, Lifecycle] = MappingProxyType(_INCLUDED)
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


include(SUBSCRIPTION)
include(MIGRATION)
include(PROGRAMME)
include(AGREEMENT)
include(TRANSFER)
include(CUSTOMER)
include(PARTNER)
include(HOSTING)
