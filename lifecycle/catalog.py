"""The lifecycles there are, one line each."""

from collections.abc import Mapping
from types import MappingProxyType

from sublife.lifecycle.model import Lifecycle
from sublife.lifecycle.subscription import SUBSCRIPTION

LIFECYCLES: Mapping[str, Lifecycle] = MappingProxyType(
    {each.name: each for each in (SUBSCRIPTION,)}
)
