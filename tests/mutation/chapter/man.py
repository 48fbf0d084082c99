"""Chapter MAN: how the rules of the manual path are switched off."""

from collections.abc import Mapping
from typing import Any

from sublife.lifecycle.model import ActorKind, Segment
from sublife.lifecycle.subscription.model import Channel
from sublife.lifecycle.subscription.state import State
from tests.mutation.chapter.sub import means
from tests.mutation.switch import (
    Off,
    figure,
    granted,
    here,
    off,
    refusing,
    result,
    returning,
    unadvised,
    untold,
)

_BUY = "lifecycle.subscription.birth.purchase"
_MANUAL = "lifecycle.subscription.manual"
_A_CENTURY_DAYS = 36_500


def _nothing_against(*_: object) -> None:
    return None


def _by_an_application(case: Any) -> bool:
    return case.event.actor.kind is ActorKind.APPLICATION


def _of_the_public_sector(case: Any) -> bool:
    return case.data.source is not None and case.data.segment is not Segment.COMMERCIAL


def _not_from_ea(case: Any) -> bool:
    return case.data.source is not None and case.data.source.channel is not Channel.EA


def _is_replaced(case: Any) -> bool:
    return bool(case.subject.successor)


def _by_sku(_found: Any, old: Any, product: Any) -> bool | None:
    return old.sku == product.sku if old.sku else None


def _in_any_case(found: Any, old: Any, product: Any) -> bool | None:
    if old.provisioning_id and product.provisioning_id:
        return bool(old.provisioning_id.lower() == product.provisioning_id.lower())
    return bool(found) if found is not None else None


def _saying(key: str, *, value: bool) -> Any:
    def of(said: Mapping[str, Any], *_: object) -> Mapping[str, Any]:
        return {**said, key: value} if key in said else said

    return of


def _or_is_replaced(found: Any, here: Any) -> bool:
    return bool(found or here.subject.successor)


OFF: Mapping[str, Off] = {
    "MAN-01": off("every product is sold in every market", granted("SKU_UNAVAILABLE")),
    "MAN-02": off("what is past its end of sale is sold", granted("SKU_END_OF_SALE")),
    "MAN-03": off(
        "the API does not sell",
        refusing(_BUY, _by_an_application, "API_UNSUPPORTED", "MAN-03", actor="an application"),
    ),
    "MAN-04": off(
        "neither relationship nor region is asked for",
        here("lifecycle.subscription.birth.objection", _nothing_against),
    ),
    "MAN-05": off(
        "the public sector does not leave its agreement by this path",
        refusing(
            _BUY,
            _of_the_public_sector,
            "SEGMENT_UNSUPPORTED",
            "MAN-05",
            subscription="it",
            segment="the public sector",
        ),
    ),
    "MAN-06": off("nobody warns of double billing", unadvised("DOUBLE_BILLING_RISK")),
    "MAN-07": off(
        "the SKU decides on reassigning, whatever the provisioning ID",
        result(f"{_MANUAL}._same_offer", _by_sku),
    ),
    "MAN-08": off(
        "provisioning IDs are read, not compared to the letter",
        result(f"{_MANUAL}._same_offer", _in_any_case),
    ),
    "MAN-10": off(
        "every move counts as seamless", result(f"{_MANUAL}.told", _saying("seamless", value=True))
    ),
    "MAN-11": off(
        "licences never have to be reassigned",
        result(f"{_MANUAL}.told", _saying("reassign_licences", value=False)),
    ),
    "MAN-12": off("nobody warns of a discontinued offer", unadvised("DATA_LOSS_RISK")),
    "MAN-13": off(
        "the old subscription cannot be cancelled once it is replaced",
        refusing(
            "lifecycle.subscription.change.cancel",
            _is_replaced,
            "BAD_STATE",
            "MAN-13",
            state="replaced",
            event="cancel",
        ),
    ),
    "MAN-14": off("nobody warns of autorenew", unadvised("SOURCE_AUTORENEW_ON")),
    "MAN-15": off(
        "the old subscription does not expire at its end date",
        result("lifecycle.subscription.guard.renews", _or_is_replaced),
    ),
    "MAN-16": off(
        "continuity is never lost",
        figure("continuity", _A_CENTURY_DAYS),
        unadvised("CONTINUITY_LOST"),
    ),
    "MAN-17": off(
        "users are cut off during the thirty days",
        means(State.EXPIRED, State.GRACE, user_access=False),
    ),
    "MAN-18": off("nobody is referred to Microsoft for a credit", untold("credit-referred")),
    "MAN-19": off(
        "delegated admin privileges make no difference",
        returning("lifecycle.customer.relation.has_dap", False),
    ),
    "MAN-20": off(
        "only what comes from an agreement may be bought",
        refusing(
            _BUY,
            _not_from_ea,
            "CHANNEL_UNSUPPORTED",
            "MAN-20",
            subscription="it",
            channel="another channel",
        ),
    ),
    "MAN-21": off(
        "nobody warns of doubling many subscriptions", unadvised("SUBSCRIPTION_MAXIMUM_RISK")
    ),
    "MAN-22": off("the Customer Agreement is not asked for", granted("MCA_NOT_ACCEPTED")),
}
