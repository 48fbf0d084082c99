"""What stands against a partner: for what it may not buy, schedule or be named on."""

from datetime import datetime

from sublife.lifecycle.dates import day_starts_at
from sublife.lifecycle.model import PartnerType, Refusal, Snapshot, iso
from sublife.lifecycle.partner.model import Partner, State
from sublife.lifecycle.policy import Policy
from sublife.lifecycle.refusal import refuse

_RESELLER = PartnerType.INDIRECT_RESELLER


def objection(partner: Snapshot | None, at: datetime, *, new_business: bool) -> Refusal | None:
    """Return what bars a partner, or `None` where nothing is known against it.

    A restricted direct-bill partner may bring in no new business, by purchase or by schedule,
    while what it has goes on (AUT-06, AUT-07). A deauthorized reseller may not be named on a
    subscription at all (AUT-17, AUT-20).

    Args:
        partner: settled to *at*; `None` if it is no subject, and then nothing is refused.
        at: UTC instant of what is asked.
        new_business: whether it is a purchase or a schedule; false for what only touches a
            subscription that exists, such as naming its partner of record.
    """
    match partner:
        case Partner(state=State.RESTRICTED) if new_business:
            return refuse("PARTNER_RESTRICTED", partner=partner.id, at=iso(at))
        case Partner(state=State.DEAUTHORIZED):
            return _deauthorized(partner)
        case _:
            return None


def _deauthorized(partner: Partner) -> Refusal:
    since, again = partner.deauthorized_at, partner.reenrol_on
    return refuse(
        "RESELLER_DEAUTHORIZED",
        partner=partner.id,
        since=iso(since) if since else "an earlier date",
        reenrol_on=again.isoformat() if again else "a later date",
    )


def transact_objection(partner: Snapshot | None, at: datetime) -> Refusal | None:
    """Return what bars a partner from transacting something new, or `None`.

    Only direct-bill partners and indirect providers transact (GEN-11), and only unrestricted ones
    take on new business (AUT-06).
    """
    if isinstance(partner, Partner) and partner.partner_type is _RESELLER:
        return refuse("PARTNER_TYPE_DENIED", partner_type=partner.partner_type.value)
    return objection(partner, at, new_business=True)


def por_objection(reseller: Snapshot | None, at: datetime, policy: Policy) -> Refusal | None:
    """Return what bars a reseller from being named as partner of record, or `None`.

    Only an indirect reseller is named (EA-32), only an authorized one (AUT-17, AUT-20), and only
    one that has signed the Microsoft Partner Agreement, since that is asked for (AUT-24).
    """
    if not isinstance(reseller, Partner):
        return None
    if reseller.partner_type is not _RESELLER:
        return refuse(
            "POR_NOT_RESELLER", partner=reseller.id, partner_type=reseller.partner_type.value
        )
    if refusal := objection(reseller, at, new_business=False):
        return refusal
    signed_on = reseller.mpa_signed_on
    if not policy.allows("mpa_required", at):
        return None
    if signed_on is not None and at >= day_starts_at(signed_on):
        return None
    return refuse("MPA_NOT_SIGNED", partner=reseller.id)
