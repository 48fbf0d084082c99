"""What each fact means, in a sentence; one fact may mean different things by a value."""

from collections.abc import Mapping
from types import MappingProxyType

_PLAN = "{quantity} seats of {sku}, {term}, {billing}"
_COST = "[; the order comes to {amount} {currency}]"
_TURN = "[, for {amount} {currency}]"
_YEAR = "{revenue} {currency} from {from_on} to {until_on}"

BY: Mapping[str, str] = MappingProxyType(
    {
        "subscription-created": "path",
        "subscription-deleted": "from",
        "subscription-disabled": "first_phase_ends_at",
        "subscription-trial-converted": "quantity",
        "partner-notice-sent": "mark",
    }
)
"""The value that chooses between the sentences of a fact."""

FACTS: Mapping[str, str] = MappingProxyType(
    {
        "subscription-created": f"{_PLAN}: it runs until {{ends_on}}{_COST}.",
        "subscription-created/purchase": (
            "[?origin|It begins anew with {quantity} seats of {sku}, {term}, {billing}. ]"
            f"It runs until {{ends_on}}{_COST}."
            "[ It takes the place of {origin}; {continuity_said}.]"
        ),
        "subscription-created/manual": (
            "It is the manual path: the new subscription takes the place of {source}, "
            "which came from {channel}[; {continuity_said}]. It runs until {ends_on}"
            f"{_COST}."
        ),
        "subscription-created/channel-transfer": (
            f"A new-commerce subscription begins at {{partner}}: {_PLAN}, until {{ends_on}}"
            f"{_COST}. It takes the place of {{source}} of the Enterprise Agreement."
        ),
        "subscription-created/new-commerce-migration": (
            f"A new-commerce subscription takes the place of the legacy one: {_PLAN}, until "
            f"{{ends_on}}{_COST}."
        ),
        "subscription-created/upgrade": (
            "A second subscription begins for the upgraded licences: {quantity} seats of {sku}, "
            "until {ends_on}."
        ),
        "subscription-provisioned": "Users can work with it.",
        "subscription-adopted": "It is taken over as an export describes it.",
        "subscription-bought-again": "The same is bought anew as {into}[; {continuity_said}].",
        "subscription-renewal-started": (
            "The term is over and autorenew is on: the renewal is processed, by {overdue_at} at "
            "the latest."
        ),
        "subscription-renewal-overdue": "The renewal has not come through in time.",
        "subscription-renewed": (
            f"It is renewed: {_PLAN}, from {{starts_on}} to {{ends_on}}{_TURN}"
            "[?scheduled_change_applied|, with what was scheduled]."
        ),
        "subscription-extended": (
            "It was neither renewed nor cancelled, so it goes on in the extended service term, "
            f"from {{starts_on}} to {{ends_on}}{_TURN}."
        ),
        "renewal-refused": "Legacy subscriptions that end on {ends_on} are no longer renewed.",
        "subscription-autorenew-changed": (
            "[?autorenew|It will renew itself.]"
            "[!autorenew|With autorenew off it will end with its term.]"
        ),
        "scheduled-change-set": (
            "From the next renewal on:[ {quantity} seats][ {sku}][ {term}][ {billing}]"
            "[ ending on {ends_on}]."
        ),
        "scheduled-change-removed": "What was scheduled for the renewal is dropped: {why}.",
        "term-end-chosen": "At the end of its term it is to {choice}.",
        "subscription-expired": "The term ended on {ended_on} and is not renewed: it has expired.",
        "subscription-grace-started": (
            "Users work on, unbilled, until {ends_at}; whoever buys anew by then loses nothing."
        ),
        "subscription-disabled": (
            "Users are cut off; administrators still reach the data[, until {deleted_at}]."
        ),
        "subscription-deleted": "It is deleted with its data; nothing can be recovered.",
        "subscription-deleted/canceled": "The data kept after the cancellation are deleted.",
        "subscription-suspended": (
            "Users lose access at once[, because of {reasons}]; administrators keep theirs."
        ),
        "subscription-reactivated": "Users have access again.",
        "subscription-canceled": (
            "It is cancelled inside its window[, and {credit} {currency} are credited]; "
            "the data are kept until {deleted_at}."
        ),
        "subscription-quantity-changed": (
            "From {from} seats it goes to {quantity}[, for {amount} {currency}]"
            "[, with {credit} {currency} credited]."
        ),
        "subscription-upgraded": (
            "Moved up from {sku_before} to {sku}: {quantity} licences[, into {into}]"
            f"[?reassign_licences|; they have to be reassigned to the users]{_TURN}."
        ),
        "subscription-term-changed": (
            "What was {term_before}, {billing_before}, becomes {term}, {billing}, until {ends_on}"
            f"{_TURN}."
        ),
        "subscription-trial-converted": "The trial is over; a paid subscription takes its place.",
        "subscription-trial-converted/quantity": (
            f"The trial becomes a paid subscription of {{quantity}} seats, until {{ends_on}}"
            f"{_TURN}."
        ),
        "next-charge-set": "From {at} on it is {billing}.",
        "subscription-renamed": "Its name is now “{friendly_name}”.",
        "price-noted": "From the next renewal on a seat costs {unit} {currency}.",
        "por-set": "The partner of record is {por}.",
        "successor-noted": "In its place {successor} has been bought.",
        "manual-purchase-advisory": "A warning ({code}): {sentence}",
        "credit-referred": (
            "A credit may be due for the old subscription; {asked_by} asks Microsoft 365 billing "
            "support for it."
        ),
        "customer-registered": "A tenant in {country}, {segment}; no partner has it yet.",
        "customer-created": (
            "A new tenant in {country}, {segment}, with {partner} as its partner from the start."
        ),
        "customer-agreement-accepted": "The customer may be sold to from now on.",
        "relationship-requested": (
            "An administrator of the customer has to accept it[?with_dap|; it asks for delegated "
            "admin privileges as well]."
        ),
        "relationship-accepted": "From now on {partner} may work with this customer.",
        "relationship-ended": "From now on {partner} may no longer work with this customer.",
        "dap-admin-relationship-approved": "From now on {partner} may administer the tenant.",
        "dap-admin-relationship-terminated": (
            "From now on {partner} may no longer administer the tenant."
        ),
        "partner-enrolled": ("It is authorized[; its next check is on {anniversary_on}]."),
        "partner-transitioned": (
            "It goes over to the indirect model, with {provider} behind it[; its next check is on "
            "{anniversary_on}]."
        ),
        "partner-reenrolled": ("It is authorized again[; its next check is on {anniversary_on}]."),
        "partner-revenue-recorded": "On record: {lines_said}, {amount} {currency} in all.",
        "partner-invoice-paid": "Invoice {invoice} was paid on {paid_on} and counts now.",
        "partner-mpa-signed": "The Microsoft Partner Agreement is signed on {on}.",
        "partner-assessed": (
            "The capability assessment is[!passed| not] passed[; designation: {designation}]"
            "[?security_passed|; the security score is sufficient]."
        ),
        "partner-reviewed": (
            f"It stands at {_YEAR}; {{threshold}} are asked on {{anniversary_on}}."
        ),
        "partner-check-passed": (
            f"The yearly check is passed: {_YEAR}, where {{threshold}} are asked."
        ),
        "partner-notice-sent": (
            f"Microsoft warns it, {{mark}} ahead: {_YEAR}, where {{threshold}} are asked on "
            "{enforced_on}. The mail goes to: {recipients}."
        ),
        "partner-notice-sent/enforcement": "Microsoft tells everybody concerned: {recipients}.",
        "partner-transition-required": (
            f"The yearly check is failed for want of {{missing}}: {_YEAR}, where {{threshold}} are "
            "asked. It has to go over to the indirect model."
        ),
        "partner-restricted": (
            "It is restricted: it buys, schedules and wins nothing new; what it has goes on."
        ),
        "partner-deauthorized": (
            f"The yearly check is failed: {_YEAR}, where {{threshold}} are asked. It is "
            "deauthorized, may be named on nothing new, and may enrol again from {reenrol_on}."
        ),
        "support-plan-taken": (
            "The support plan {name} begins on {since_on}[ and ends on {until_on}]."
        ),
        "support-plan-ended": "The support plan {name} ends on {until_on}.",
        "sandbox-created": "A sandbox is set up.",
        "hoster-registered": "It is known as a hoster now, in no programme yet.",
        "qmth-authorized": "It is authorized under QMTH since {since_on}.",
        "qmth-withdrawn": "Its right under QMTH ends with {until_on}.",
        "qmth-ended": "QMTH has ended with {until_on}, for everybody.",
        "csp-hoster-admitted": "It is a CSP-Hoster now.",
        "csp-hoster-left": "It is no CSP-Hoster any more.",
        "hosting-report-due": "A report for {programme} is due, {from_on} to {until_on}.",
        "hosting-report-missed": "No report for {programme} came, {from_on} to {until_on}.",
        "hosting-reported": (
            "For {programme} {licences} licences are reported, {from_on} to {until_on}."
        ),
        "hosting-right-evaluated": (
            "Yes[, since {since_on}][, until {until_on}][; condition: {condition}]."
        ),
        "transfer-requested": "Before {target} can take it over, {partner} has to agree.",
        "transfer-withdrawn": "The request is withdrawn; nothing changes.",
        "transfer-completed": (
            "It passes from {source_partner}, who pays until {source_billed_until}, to "
            "{target_partner}, who pays from {target_billed_from}. It still ends on {ends_on}."
        ),
        "agreement-recorded": "The agreement ends on {ends_on}.",
        "agreement-renewed": "The agreement is renewed, until {ends_on}.",
        "agreement-extended": "The agreement is extended, until {ends_on}.",
        "agreement-put-on-ept": (
            "The agreement runs on under an extended period term[; it can be left on {opt_out_on}]."
        ),
        "agreement-subscription-noted": "In CSP {subscription} is {availability}.",
        "ea-renewal-scheduled": (
            f"It is scheduled: {_PLAN}, from {{starts_on}} to {{ends_on}}. Processing begins at "
            "{earliest_at} and ends by {latest_at}."
        ),
        "ea-renewal-updated": (
            f"The schedule reads now: {_PLAN}, from {{starts_on}} to {{ends_on}}. Processing "
            "begins at {earliest_at} and ends by {latest_at}."
        ),
        "ea-renewal-unscheduled": "The schedule is gone; any partner may take the place.",
        "ea-renewal-advisory": (
            "The agreement has been {change}; {partner} should take its schedule back."
        ),
        "ea-renewal-overdue": "Processing has not ended by {latest_at}, as it should have.",
        "ea-renewal-started": (
            "The agreement has ended; Microsoft begins to renew {source} to CSP at {partner}."
        ),
        "ea-renewal-completed": (
            "The renewal to CSP is complete and cannot be undone: {into} runs from {starts_on}."
        ),
        "ea-renewal-failed": "Processing has failed: {reason}",
        "ea-renewal-schedule-failed": "Processing cannot begin: {reason}",
        "por-required": "As a provider {partner} has to name the partner of record now.",
        "programme-enrolled": (
            "The distributor will move what {customer} has[, sold by {reseller}], as it ends."
        ),
        "programme-item-fulfilled": "On the checklist: {item}[ ({mpn_id})].",
        "programme-opted-out": "The opt-out form is back in time; nothing of {customer} is moved.",
        "new-commerce-migration-scheduled": (
            "The move of {source} to new commerce, as {into}, is scheduled for {target_at}"
            "[?on_renewal|, in place of its renewal]."
        ),
        "new-commerce-migration-schedule-updated": (
            "The move of {source} is scheduled for {target_at} now, with {quantity} seats"
            "[?on_renewal|, in place of its renewal]."
        ),
        "new-commerce-migration-schedule-cancelled": "The move is off; {source} stays on legacy.",
        "new-commerce-migration-schedule-failed": "The move cannot begin: {reason}",
        "new-commerce-migration-overdue": "The move of {source} has not ended in time.",
        "new-commerce-migration-failed": (
            "The move has failed: {reason}. On legacy {source} is {legacy}."
        ),
        "new-commerce-migration-reverted": (
            "The move is undone: {source} is billed on legacy again, the gap is not charged."
        ),
        "new-commerce-migration-created": "The move of {source} to new commerce begins, as {into}.",
        "new-commerce-migration-completed": (
            "The move is done: {source} is {into} on new commerce now."
        ),
    }
)
"""Sentences by the fact's name, or name and value where `BY` names one."""

SAID: Mapping[str, str] = MappingProxyType(
    {
        "por-set": "set_por",
        "programme-item-fulfilled": "fulfil",
        "subscription-bought-again": "buy_again",
    }
)
"""Facts that say no more than the request of that name, and so are not told after it."""

EVENTS: Mapping[str, str] = MappingProxyType(
    {
        "subscription/enter_migration": (
            "On legacy it is suspended while it moves, and no longer billed; users work on."
        ),
        "subscription/complete_migration": "On legacy it is closed.",
        "subscription/revert_migration": "It is active on legacy again.",
        "subscription/release_migration": "It is no longer waiting to be moved.",
        "subscription/grace_ended": "Another thirty days are over; it stays disabled.",
    }
)
"""What is said of an event that leaves no fact, by lifecycle and name."""
