"""Every refusal code: the rule it stands for and the sentence a support agent reads out (8.6)."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sublife.lifecycle.model import Refusal, Value


@dataclass(frozen=True, slots=True)
class Code:
    """One refusal code.

    Args:
        rule: the rule that refuses, where the place that refuses names no other.
        sentence: text with `{name}` for each detail it needs.
        api_error: the Partner Center error number it imitates, where there is one.
    """

    rule: str
    sentence: str
    api_error: int | None = None


CODES: Mapping[str, Code] = MappingProxyType(
    {
        "OUT_OF_SCOPE": Code(
            "GEN-16",
            "This move is outside what the engine decides: {reason}. Use the process made for it.",
        ),
        "OUT_OF_ORDER": Code(
            "GEN-09",
            "The request is dated {at}, but the subject already changed at {changed_at}. "
            "Facts are never rewritten; send the request again with the present instant.",
        ),
        "BAD_STATE": Code(
            "1.2", "The subscription is {state}; {event} is not possible in that state.", 800040
        ),
        "NO_REACTIVATION": Code(
            "SUB-12",
            "A subscription that is {state} cannot be reactivated. The only way back is a new "
            "purchase of the same service.",
            800040,
        ),
        "ALREADY_SUSPENDED": Code("1.2", "The subscription is suspended already.", 800040),
        "SUSPENDED_LOCKED": Code(
            "1.2", "The subscription is suspended; reactivate it before you change it.", 800091
        ),
        "TERM_ENDED": Code(
            "1.2",
            "The term has ended; autorenew and scheduled changes can no longer be set.",
            900277,
        ),
        "TRIAL_LOCKED": Code(
            "SUB-17",
            "During a trial neither the licence count, the status nor the term can be changed. "
            "Convert the trial to the paid subscription first.",
            800107,
        ),
        "READ_ONLY_RENEWAL": Code(
            "TRM-07",
            "The renewal of {renewal_at} is being processed. Until it completes, autorenew, "
            "scheduled changes, suspension and reactivation are read-only.",
            900280,
        ),
        "RETRY_LATER": Code(
            "TRM-07",
            "The subscription is being processed; try again in {retry_after_minutes} minutes.",
            800082,
        ),
        "CANCEL_WINDOW_CLOSED": Code(
            "TRM-12",
            "The cancellation window closed at {closed_at}. The subscription runs, and is billed, "
            "until its term ends.",
            900213,
        ),
        "SEAT_WINDOW_CLOSED": Code(
            "TRM-15",
            "Only {reducible} of the {asked} licences are still inside their window; a licence can "
            "be returned only within the window that opens when it is added.",
            900214,
        ),
        "SEAT_MINIMUM": Code(
            "TRM-15",
            "{asked} of {quantity} licences would leave none. At least one stays; cancel instead.",
            800090,
        ),
        "SEAT_LIMIT": Code(
            "TRM-33",
            "{quantity} licences are more than the {limit} that a customer may hold of {sku}.",
            800066,
        ),
        "UPDATE_LIMIT": Code(
            "TRM-33",
            "The subscription has had {limit} updates and takes no more.",
            900311,
        ),
        "AUTORENEW_REQUIRED": Code(
            "TRM-17",
            "Changes can be scheduled only while autorenew is on; turn it on first.",
            800093,
        ),
        "TERM_SHORTER": Code(
            "TRM-19",
            "The running term is {term}; within it a term can only become longer, not {asked}.",
            800122,
        ),
        "BILLING_EXCEEDS_TERM": Code(
            "TRM-02",
            "{billing} billing is longer than the term {term}; choose a shorter one.",
            900270,
        ),
        "PLAN_NOT_OFFERED": Code(
            "TRM-02", "{sku} is not offered as {term} with {billing} billing.", 900269
        ),
        "BILLING_CHANGE_NA": Code(
            "TRM-20",
            "Billing cannot change from {billing} to {asked} for a {term} term. Only a three-year "
            "term changes between monthly and annual, and only while that is offered.",
            900269,
        ),
        "COTERM_NO_TARGET": Code(
            "TRM-21",
            "The end date cannot be aligned: {reason}.",
            900292,
        ),
        "COTERM_OUT_OF_TERM": Code(
            "TRM-22",
            "{end_on} cannot be the end date: {reason}. The first term runs from {start_on} and "
            "may end no later than {latest_on}.",
            900291,
        ),
        "UPGRADE_NOT_HIGHER": Code(
            "TRM-34",
            "{asked} is not above {sku}; an upgrade leads only to a higher product.",
            900279,
        ),
        "UPGRADE_TARGET_REFUSED": Code(
            "TRM-34", "Licences cannot be moved to subscription {target}: {reason}.", 900279
        ),
        "EXTENSION_UNAVAILABLE": Code(
            "TRM-36",
            "The policy in force at the end date gives this subscription {end_of_term}, so there "
            "is nothing to choose between cancelling and extending.",
        ),
        "ROLE_DENIED": Code(
            "GEN-10", "{asked} takes the role {needed}; the request came from {actor}.", 20002
        ),
        "PARTNER_TYPE_DENIED": Code(
            "GEN-11",
            "Only a direct-bill partner or an indirect provider transacts; {partner_type} works "
            "through its provider.",
            800039,
        ),
        "RELATIONSHIP_MISSING": Code(
            "TRM-29",
            "The customer {customer} has not accepted a relationship with partner {partner}.",
            20002,
        ),
        "TRANSFER_PENDING": Code(
            "TRM-31",
            "A transfer to partner {target} waits already; it can only be accepted or withdrawn.",
        ),
        "TRANSFER_NOT_PENDING": Code(
            "TRM-31", "No transfer waits for this subscription; only a pending one can be answered."
        ),
        "LEGACY_SALE_CLOSED": Code(
            "LEG-22",
            "The legacy platform takes no commercial orders any more, so none of {ordered_on}; "
            "order it on new commerce.",
        ),
        "LEGACY_RENEWAL_CLOSED": Code(
            "LEG-01",
            "A commercial legacy subscription that ends on {ends_on} is no longer renewed.",
        ),
        "MIGRATION_INELIGIBLE": Code(
            "LEG-18", "The subscription cannot be migrated to new commerce: {reason}.", 900215
        ),
    }
)


def refuse(
    code: str, *, rule: str | None = None, api_error: int | None = None, **details: Value
) -> Refusal:
    """Return the refusal *code* with its sentence filled in.

    Args:
        code: a key of `CODES`.
        rule: the rule that refuses, if it is not the code's own.
        api_error: the Partner Center error number, if it is not the code's own.
        details: the values the sentence names, and any others worth keeping.
    """
    entry = CODES[code]
    error = api_error or entry.api_error
    if error is not None:
        details = {**details, "api_error": error}
    return Refusal(
        code, rule or entry.rule, entry.sentence.format_map(details), MappingProxyType(details)
    )
