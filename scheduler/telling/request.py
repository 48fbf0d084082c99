"""What somebody asks for, as the end of a sentence that begins with who asks."""

from collections.abc import Mapping
from types import MappingProxyType

REQUESTS: Mapping[str, str] = MappingProxyType(
    {
        "subscription/purchase": (
            "buys [?trial|a trial of ]{quantity} seats of {sku} for {customer}[?legacy| on legacy]"
            ", {term}, {billing}[, in place of {source}][, with {por} as partner of record]"
        ),
        "subscription/adopt": "reports what the export says",
        "subscription/provision": "reports that it is provisioned",
        "subscription/suspend": "suspends it[ because of {reasons}]",
        "subscription/reactivate": "reactivates it",
        "subscription/cancel": "cancels it",
        "subscription/turn_autorenew_off": "turns autorenew off",
        "subscription/turn_autorenew_on": "turns autorenew on",
        "subscription/schedule_change": "schedules a change for the next renewal",
        "subscription/unschedule_change": "drops what is scheduled",
        "subscription/choose_term_end": "chooses to let it {choice} after its term",
        "subscription/add_seats": "adds {quantity} seats",
        "subscription/remove_seats": "returns {quantity} seats",
        "subscription/change_term": "changes the term to {term}, {billing}",
        "subscription/change_billing": "changes the plan, to be {billing}",
        "subscription/upgrade": "upgrades [{quantity} seats ][!quantity|it ]to {sku}",
        "subscription/convert_trial": "turns the trial into a paid subscription",
        "subscription/rename": "renames it",
        "subscription/set_por": "names {por} as partner of record",
        "subscription/set_price": "notes a new price",
        "subscription/patch": "sends the whole resource back",
        "subscription/complete_renewal": "reports that the renewal is done",
        "subscription/request_transfer": "asks to take it over, for {target_partner}",
        "subscription/accept_transfer": "hands it over",
        "subscription/withdraw_transfer": "withdraws the request to take it over",
        "subscription/buy_again": "buys the same anew, as {into}",
        "migration/request": "moves {source_said} to new commerce",
        "migration/schedule": "schedules the move of {source_said} to new commerce",
        "migration/update": "changes the schedule of the move",
        "migration/cancel": "cancels the move",
        "migration/complete": "reports that the move is done",
        "migration/fail": "reports that the move has failed",
        "migration/revert": "undoes the move",
        "migration/retry": "tries the move again",
        "programme/enrol": "takes {customer} into the programme",
        "programme/fulfil": "reports for the checklist: {item}[ ({mpn_id})]",
        "programme/opt_out": "returns the opt-out form for {customer}",
        "agreement/record_agreement": "records an Enterprise Agreement of {customer}",
        "agreement/renew_agreement": "renews the agreement",
        "agreement/extend_agreement": "extends the agreement",
        "agreement/put_on_ept": "puts the agreement on an extended period term",
        "agreement/note_ea_subscription": "notes something new of one of its subscriptions",
        "transfer/schedule": (
            "schedules the renewal of {ea_subscription} of agreement {agreement} to CSP for "
            "{customer}, at {partner}"
        ),
        "transfer/edit_schedule": "edits the schedule",
        "transfer/resubmit_schedule": "submits the schedule anew",
        "transfer/cancel_schedule": "cancels the schedule",
        "transfer/begin_processing": "reports that processing begins",
        "transfer/complete_processing": "reports that processing is done",
        "transfer/fail_processing": "reports that processing has failed",
        "customer/register": "registers the customer[ {name}]",
        "customer/create": "creates the customer[ {name}] in Partner Center",
        "customer/request_relationship": "asks for a relationship with {partner}",
        "customer/accept_relationship": "accepts {partner} for the customer",
        "customer/end_relationship": "ends the relationship with {partner}",
        "customer/approve_dap": "gives {partner} delegated admin privileges",
        "customer/terminate_dap": "takes the delegated admin privileges back from {partner}",
        "customer/accept_agreement": "accepts the Microsoft Customer Agreement for the customer",
        "partner/enrol": "enrols it as {partner_type}[ of {provider}]",
        "partner/record_revenue": "records revenue",
        "partner/record_payment": "records that invoice {invoice} is paid",
        "partner/sign_mpa": "signs the Microsoft Partner Agreement",
        "partner/take_support_plan": "takes the support plan {name}",
        "partner/end_support_plan": "ends the support plan",
        "partner/record_assessment": "records an assessment",
        "partner/create_sandbox": "sets up a sandbox",
        "partner/review": "asks how the partner stands",
        "partner/enforce": "demands the check before its time",
        "hosting/register": "registers the hoster[, the listed provider {listed}]",
        "hosting/authorize_qmth": "authorizes the hoster under QMTH",
        "hosting/withdraw_qmth": "withdraws the right under QMTH",
        "hosting/apply_hoster": "applies for CSP-Hoster",
        "hosting/leave_hoster": "leaves CSP-Hoster",
        "hosting/report": "reports for {programme}",
        "hosting/evaluate": (
            "asks whether it may run {use} on {platform} infrastructure, with {owner}"
        ),
    }
)
"""By lifecycle and name; the first word is a verb in the third person."""


def wanted(said: str) -> str:
    """Return a request that was refused, as a wish; a question stays one."""
    verb, _, rest = said.partition(" ")
    if verb == "asks":
        return said
    for end, base in (("ies", "y"), ("sses", "ss"), ("shes", "sh"), ("s", "")):
        if verb.endswith(end):
            verb = verb.removesuffix(end) + base
            break
    return f"wants to {verb} {rest}".rstrip()
