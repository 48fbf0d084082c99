"""The shape of a customer tenant, and of every request it understands."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sublife.lifecycle.model import ModelError, Payload, Segment, Snapshot, Sparse

_CODE_LETTERS = 2


class RelationshipKind(StrEnum):
    """What a partner is to the customer; only a reseller transacts (GEN-11)."""

    RESELLER = "reseller"
    INDIRECT_RESELLER = "indirect-reseller"


class State(StrEnum):
    """Whether any partner may act for the customer."""

    UNRELATED = "unrelated"
    RELATED = "related"


@dataclass(frozen=True)
class Relationship(Sparse):
    """The relationship of the customer with one partner (EA-03, EA-04).

    Args:
        partner: partner tenant id.
        kind: whether the partner transacts, or sells through an indirect provider.
        requested_at: UTC instant the partner asked; `None` where it created the tenant itself.
        url: the address that the customer's admin signs in at to accept.
        with_dap: whether delegated admin privileges were asked for with it.
        accepted_at: UTC instant from which it holds; `None` while the request waits.
        ended_at: UTC instant from which it holds no longer.
        dap_since: since when the partner has delegated admin privileges, if it has (MAN-19).
    """

    partner: str
    kind: RelationshipKind = RelationshipKind.RESELLER
    requested_at: datetime | None = None
    url: str = ""
    with_dap: bool = False
    accepted_at: datetime | None = None
    ended_at: datetime | None = None
    dap_since: datetime | None = None

    @property
    def is_pending(self) -> bool:
        """Whether the customer has not answered yet."""
        return self.accepted_at is None and self.ended_at is None

    @property
    def is_accepted(self) -> bool:
        """Whether it holds: accepted and not ended."""
        return self.accepted_at is not None and self.ended_at is None


@dataclass(frozen=True, kw_only=True)
class Customer(Snapshot):
    """A customer tenant after its latest event. `customer` is its own id, `partner` is empty.

    Args:
        country: ISO 3166 alpha-2, as set on the tenant; where its people sit does not count.
        segment: what sort of customer it is (GEN-14).
        name: as people call it.
        relationships: the latest one with each partner, in the order they were begun.
        mca_accepted_at: since when the Microsoft Customer Agreement is accepted (MAN-22).
        mca_accepted_by: who accepted it.
    """

    country: str
    segment: Segment = Segment.COMMERCIAL
    name: str = ""
    relationships: tuple[Relationship, ...] = ()
    mca_accepted_at: datetime | None = None
    mca_accepted_by: str = ""

    def relationship(self, partner: str) -> Relationship | None:
        """Return the latest relationship with *partner*, if there ever was one."""
        return next((each for each in self.relationships if each.partner == partner), None)


def _country(code: str) -> None:
    if not (len(code) == _CODE_LETTERS and code.isascii() and code.isupper()):
        raise ModelError(f'country "{code}" is no ISO 3166 alpha-2 code; write it as in DE')


@dataclass(frozen=True, slots=True)
class Register(Payload):
    """Make a tenant known that exists already, without any relationship (request `register`).

    Args:
        country: ISO 3166 alpha-2 of the tenant.
        segment: commercial unless said otherwise.
        name: as people call it.
    """

    country: str
    segment: Segment = Segment.COMMERCIAL
    name: str = ""

    def __post_init__(self) -> None:
        _country(self.country)


@dataclass(frozen=True, slots=True)
class Create(Payload):
    """Create a tenant in Partner Center; its partner has the relationship at once (EA-03).

    Args:
        partner: the partner tenant that creates it.
        country: ISO 3166 alpha-2 of the tenant.
        segment: commercial unless said otherwise.
        name: as people call it.
    """

    partner: str
    country: str
    segment: Segment = Segment.COMMERCIAL
    name: str = ""

    def __post_init__(self) -> None:
        _country(self.country)


@dataclass(frozen=True, slots=True)
class RequestRelationship(Payload):
    """Ask the customer for a relationship and send it the address to accept it at (EA-04).

    Args:
        partner: the partner tenant that asks.
        url: what the customer's admin opens.
        with_dap: ask for delegated admin privileges as well (MAN-19).
    """

    partner: str
    url: str
    with_dap: bool = False

    def __post_init__(self) -> None:
        if not self.url:
            raise ModelError("url is empty; give the address that the customer accepts at")


@dataclass(frozen=True, slots=True)
class WithPartner(Payload):
    """Something between the customer and one partner.

    Args:
        partner: partner tenant id.
    """

    partner: str


@dataclass(frozen=True, slots=True)
class AcceptAgreement(Payload):
    """Accept the Microsoft Customer Agreement, or confirm that it was accepted (MAN-22).

    Args:
        accepted_by: who accepted it for the customer.
    """

    accepted_by: str

    def __post_init__(self) -> None:
        if not self.accepted_by:
            raise ModelError("accepted_by is empty; name who accepted for the customer")
