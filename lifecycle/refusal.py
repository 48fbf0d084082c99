"""Every refusal code: the rule it stands for and the sentence a support agent reads out (8.6)."""

from collections.abc import Mapping
from types import MappingProxyType

from sublife.lifecycle.model import Code, Refusal, Value

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
        "RELATIONSHIP_PENDING": Code(
            "EA-03",
            "The customer {customer} has not accepted the request of partner {partner} of "
            "{requested_at} yet; its global admin accepts it at the address it was sent.",
            20002,
        ),
        "RELATIONSHIP_EXISTS": Code(
            "EA-03", "The customer {customer} has a relationship with partner {partner} already."
        ),
        "RELATIONSHIP_NOT_REQUESTED": Code(
            "EA-04",
            "No request of partner {partner} waits for customer {customer}; it has to send one.",
        ),
        "RELATIONSHIP_NONE": Code(
            "EA-03", "The customer has accepted no partner; {event} needs one that it has."
        ),
        "CUSTOMER_EXISTS": Code(
            "EA-03",
            "The customer tenant is known already; request a relationship instead of {event}.",
        ),
        "DAP_EXISTS": Code(
            "MAN-19",
            "Partner {partner} has delegated admin privileges at customer {customer} already.",
        ),
        "DAP_MISSING": Code(
            "MAN-19", "Partner {partner} has no delegated admin privileges at customer {customer}."
        ),
        "REGION_MISMATCH": Code(
            "EA-05",
            "The customer {customer} is set up in {country} ({region}), partner {partner} in "
            "{partner_country} ({partner_region}); both must lie in one CSP region.",
        ),
        "MCA_NOT_ACCEPTED": Code(
            "MAN-22",
            "The customer {customer} has not accepted the Microsoft Customer Agreement; nothing "
            "can be ordered before it has.",
        ),
        "MCA_ACCEPTED": Code(
            "MAN-22",
            "The customer {customer} accepted the Microsoft Customer Agreement at {accepted_at}.",
        ),
        "SKU_END_OF_SALE": Code(
            "MAN-02",
            "{sku} was sold until {sold_until}. It can be taken over only by the channel transfer "
            "from an Enterprise Agreement; in the catalog choose an equivalent offer.",
        ),
        "SKU_UNAVAILABLE": Code(
            "MAN-01", "{sku} is not on the CSP price list of {market}; choose one that is."
        ),
        "RELATIONSHIP_MISSING": Code(
            "EA-03",
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
        "CHANNEL_UNSUPPORTED": Code(
            "EA-01",
            "The channel transfer takes subscriptions from an Enterprise Agreement only; "
            "{subscription} comes from {channel}. Buy its successor on the manual path.",
        ),
        "SEGMENT_UNSUPPORTED": Code(
            "EA-02",
            "The channel transfer is open to commercial products only; {subscription} is sold to "
            "{segment}. Buy its successor on the manual path.",
        ),
        "AGREEMENT_NOT_LISTED": Code(
            "EA-07",
            "{agreement} is not among the agreements that can be renewed to CSP: {reason}.",
        ),
        "AGREEMENT_RENEWED": Code(
            "EA-08",
            "The Enterprise Agreement {agreement} has been renewed already and runs until "
            "{ends_on}; there is nothing to renew to CSP.",
        ),
        "AGREEMENT_NOT_VISIBLE_YET": Code(
            "EA-09",
            "The customer {customer} accepted partner {partner} at {related_at}; its expiring "
            "agreements show by {visible_at}. Try again then.",
        ),
        "AGREEMENT_EPT": Code(
            "EA-11",
            "The Enterprise Agreement {agreement} runs on an extended period term and cannot be "
            "renewed to CSP. Buy on the manual path, timed to the opt-out date: {opt_out}.",
        ),
        "AGREEMENT_READ_ONLY": Code(
            "EA-31",
            "No channel transfer and no purchase changes an Enterprise Agreement; {event} is told "
            "by Microsoft, not by {actor}.",
        ),
        "AGREEMENT_BAD_STATE": Code(
            "EA-31", "The agreement is {state}; {event} is not possible in that state."
        ),
        "SKU_MISMATCH": Code(
            "EA-12",
            "The CSP subscription takes over the very product of the Enterprise Agreement, {sku}, "
            "not {asked}. Renew it as it is and upgrade afterwards.",
        ),
        "SKU_UNSUPPORTED": Code(
            "EA-13",
            "{sku} cannot be renewed to CSP: {reason}.",
        ),
        "SCHEDULE_LOCKED": Code(
            "EA-20",
            "The schedule can no longer be changed or cancelled: {reason}.",
        ),
        "SCHEDULE_BAD_STATE": Code(
            "EA-20",
            "The schedule is {state}; {event} is not possible in that state.",
        ),
        "API_UNSUPPORTED": Code(
            "EA-23",
            "Channel transfers are made in the Partner Center user interface by a named user; "
            "{actor} is an application.",
        ),
        "SCHEDULED_BY_OTHER_PARTNER": Code(
            "EA-26",
            "{subscription} is not available: another partner has scheduled it. Only that partner "
            "can cancel its schedule; settle it with the partner and the customer.",
        ),
        "ALREADY_SCHEDULED": Code(
            "EA-26",
            "{subscription} is scheduled already, by {schedule}. Edit or cancel that schedule.",
        ),
        "ALREADY_TRANSFERRED": Code(
            "EA-26",
            "{subscription} was renewed to CSP at {completed_at}; that can happen only once.",
        ),
        "PROCESSING_NOT_DUE": Code(
            "EA-15",
            "The schedule is processed from {earliest_at} on, and never during the term of the "
            "Enterprise Agreement.",
        ),
        "NEW_SUBSCRIPTION_TAKEN": Code(
            "EA-28",
            "There is a subscription {into} already; the renewal creates one of its own.",
        ),
        "IRREVERSIBLE": Code(
            "EA-29",
            "A completed move to CSP or to new commerce cannot be undone. The only remedy is to "
            "cancel the new subscription while the window that opened with its creation lasts.",
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
            "LEG-18", "The subscription cannot be migrated to new commerce: {reason}."
        ),
        "MIGRATION_PENDING": Code(
            "LEG-21",
            "Migration {migration} of {subscription} waits already. Update or cancel it instead.",
            900216,
        ),
        "MIGRATION_LOCKED": Code(
            "LEG-21", "The migration is {state}; {event} is no longer possible."
        ),
        "MIGRATION_LED": Code(
            "LEG-24",
            "Microsoft leads this migration; {event} is not possible. Only a schedule of one's "
            "own, placed before the last day of the term, comes before it.",
        ),
        "MIGRATION_REPAIRED": Code(
            "LEG-17",
            "The subscription is suspended by a migration that failed; Microsoft completes or "
            "reverts it by {due_by}. Until then it cannot be tried again.",
            900216,
        ),
        "MIGRATION_NOT_OFFERED": Code("LEG-21", "{what} is not offered yet at {at}."),
        "TARGET_PASSED": Code(
            "LEG-21",
            "A migration cannot be scheduled for {target_at}, which is not after {at}; give a "
            "later instant, or migrate at once.",
        ),
        "OPT_OUT_TOO_LATE": Code(
            "LEG-05",
            "The opt-out form for {customer} came back at {at}, when its deadline had passed. The "
            "distributor moves the subscriptions as they end.",
        ),
        "WHITE_GLOVE_CLOSED": Code(
            "LEG-08",
            "The distributor migrates at a partner's wish only {reason}.",
        ),
        "CHECKLIST_INCOMPLETE": Code(
            "LEG-14",
            "Nothing of {customer} can be migrated while the checklist lacks: {missing}.",
        ),
        "PROGRAMME_BAD_STATE": Code(
            "LEG-04", "The customer is {state} in the distributor's programme; {event} is over."
        ),
        "ADD_ON_NO_BASE": Code(
            "LEG-22",
            "There is no active legacy subscription {base} of the same customer and partner that "
            "an add-on could be bought for.",
        ),
        "DIRECT_ENROLMENT_CLOSED": Code(
            "AUT-01",
            "Nobody newly joins as a direct-bill partner on {at}. Enrol as an indirect reseller "
            "and work with an indirect provider.",
        ),
        "DIRECT_ENROLMENT_REQUIREMENT": Code(
            "AUT-10",
            "The application as a direct-bill partner does not meet the requirements. Missing: "
            "{missing}.",
        ),
        "NEW_TENANT_REQUIRED": Code(
            "AUT-09",
            "{partner} is enrolled and cannot become direct-bill with this tenant. Apply again "
            "with a new one.",
        ),
        "ALREADY_ENROLLED": Code(
            "AUT-23", "{partner} is enrolled already; another location enrols under its own id."
        ),
        "PARTNER_BAD_STATE": Code(
            "AUT-06", "The partner is {state}; {event} is not possible in that state."
        ),
        "PARTNER_TYPE_UNFIT": Code(
            "GEN-11", "{event} concerns a partner that is {needed}; {partner} is {partner_type}."
        ),
        "PARTNER_RESTRICTED": Code(
            "AUT-06",
            "The direct-bill partner {partner} is restricted and takes on nothing new: no "
            "purchase, no schedule, no customer, no invitation, no sandbox. What it has goes on.",
        ),
        "RESELLER_DEAUTHORIZED": Code(
            "AUT-20",
            "The reseller {partner} is deauthorized since {since} and cannot be named on a "
            "subscription. It may enrol again from {reenrol_on}.",
            800039,
        ),
        "POR_NOT_RESELLER": Code(
            "EA-32",
            "Only an indirect reseller is partner of record; {partner} is {partner_type}.",
            800016,
        ),
        "MPA_NOT_SIGNED": Code(
            "AUT-24",
            "The reseller {partner} has not signed the Microsoft Partner Agreement; it cannot be "
            "named on a subscription before it has.",
        ),
        "REENROL_TOO_EARLY": Code(
            "AUT-18",
            "{partner} was deauthorized at {since} and may enrol again from {reenrol_on}.",
        ),
        "QMTH_ENDED": Code(
            "HST-01",
            "The QMTH programme ended at {ended_at}; nothing rests on it any more.",
        ),
        "QMTH_REQUIRED": Code(
            "HST-02",
            "Microsoft 365 Apps on shared infrastructure take a QMTH authorization: {reason}.",
        ),
        "BYOL_NOT_YET": Code(
            "HST-05",
            "Customers bring their licences to a hoster's platform from {from_at}, not before.",
        ),
        "LISTED_PROVIDER": Code(
            "HST-06",
            "Licences cannot be brought to the platform of {provider}. The listed providers are "
            "{listed}.",
        ),
        "HOSTER_OWN_LICENSE": Code(
            "HST-07",
            "{partner} must not use licences of its own. They are the end customers', sold with "
            "the service or brought along.",
        ),
        "HOSTER_NOT_YET": Code(
            "HST-04", "There is a CSP-Hoster programme from {from_at}, not before."
        ),
        "HOSTER_REQUIREMENT": Code(
            "HST-10", "The conditions of the CSP-Hoster programme are not met. Missing: {missing}."
        ),
        "HOSTING_BAD_STATE": Code(
            "HST-02", "The hoster is {state}; {event} is not possible in that state."
        ),
        "REPORT_NOT_DUE": Code("HST-12", "No report is awaited in {asked}."),
        "REPORT_UNFIT": Code(
            "HST-12", "The report of the period from {period_on} cannot be taken: {reason}."
        ),
        "NO_SUPPORT_PLAN": Code(
            "AUT-02", "{partner} has no paid support plan that could end on this day."
        ),
        "INVOICE_UNKNOWN": Code(
            "AUT-08",
            "No revenue of {partner} stands on an invoice {invoice}; record its lines first.",
        ),
        "NOT_YET_SUBJECT": Code(
            "AUT-19",
            "{partner} cannot be tested against the revenue requirement on {asked_on}: {reason}.",
        ),
    }
)


INELIGIBLE: Mapping[int, tuple[str, int | None]] = MappingProxyType(
    {
        0: ("SubscriptionStatusNotActive", 900215),
        1: ("SubscriptionBeingProcessingInOms", 900216),
        2: ("SubscriptionTooCloseToTermEnd", 900217),
        3: ("SubscriptionPromotionsPresent", 900218),
        4: ("SubscriptionAddOnsPresent", 900219),
        5: ("NewCommerceProductUnavailable", 900220),
        6: ("TermDurationBillingCycleCombinationNotSupported", 900222),
        7: ("SubscriptionActiveForLessThanOneMonth", 900226),
        8: ("TradeStatusNotAllowed", None),
        9: ("InvalidPartnerIdOnRecord", 900247),
        10: ("MigrationsWithinLast24hOfTermOnlyAllowedForFullTerm", 900217),
        11: ("InvalidCustomTermEndDate", 900291),
        12: ("CustomTermEndDateMustAlignWithExistingSubscriptionOrCalendarMonth", 900292),
    }
)
"""Why a subscription cannot be migrated: Partner Center's number, its word, the API's error."""


def ineligible(code: int, reason: str, *, rule: str = "LEG-18", subscription: str) -> Refusal:
    """Return that a subscription cannot be migrated, by Partner Center's own number (LEG-18)."""
    name, api_error = INELIGIBLE[code]
    return refuse(
        "MIGRATION_INELIGIBLE",
        rule=rule,
        api_error=api_error,
        reason=reason,
        subscription=subscription,
        eligibility=code,
        eligibility_name=name,
    )


def refuse(
    code: str,
    *,
    rule: str | None = None,
    api_error: int | None = None,
    codes: Mapping[str, Code] = CODES,
    **details: Value,
) -> Refusal:
    """Return the refusal *code* with its sentence filled in.

    Args:
        code: a key of *codes*.
        rule: the rule that refuses, if it is not the code's own.
        api_error: the Partner Center error number, if it is not the code's own.
        codes: those of a lifecycle that has codes of its own (`Lifecycle.codes`).
        details: the values the sentence names, and any others worth keeping.
    """
    entry = codes[code]
    error = api_error or entry.api_error
    if error is not None:
        details = {**details, "api_error": error}
    return Refusal(
        code, rule or entry.rule, entry.sentence.format_map(details), MappingProxyType(details)
    )
