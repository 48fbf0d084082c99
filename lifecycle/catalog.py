"""The lifecycles there are, one line each."""

from collections.abc import Mapping
from types import MappingProxyType

from sublife.lifecycle.customer import CUSTOMER
from sublife.lifecycle.hosting import HOSTING
from sublife.lifecycle.migration import MIGRATION
from sublife.lifecycle.model import Lifecycle
from sublife.lifecycle.partner import PARTNER
from sublife.lifecycle.programme import PROGRAMME
from sublife.lifecycle.subscription import SUBSCRIPTION
from sublife.lifecycle.transfer import AGREEMENT, TRANSFER

LIFECYCLES: Mapping[str, Lifecycle] = MappingProxyType(
    {
        each.name: each
        for each in (
            SUBSCRIPTION,
            MIGRATION,
            PROGRAMME,
            AGREEMENT,
            TRANSFER,
            CUSTOMER,
            PARTNER,
            HOSTING,
        )
    }
)
