"""How a schedule is processed: it starts or cannot, it completes or fails (EA-15…19, EA-28)."""

from dataclasses import replace

from sublife.lifecycle.model import (
    Actor,
    ActorKind,
    Case,
    Effect,
    Fact,
    FollowUp,
    P,
    PartnerType,
    Payload,
    Refusal,
    Standing,
    follow_up_id,
    iso,
)
from sublife.lifecycle.refusal import refuse
from sublife.lifecycle.subscription.model import Arise
from sublife.lifecycle.transfer.eligibility import barred, on_ept, unsupported
from sublife.lifecycle.transfer.model import (
    Agreement,
    Complete,
    FailProcessing,
    Stop,
    Transfer,
)
from sublife.lifecycle.transfer.plan import PATH, resulting, told
from sublife.lifecycle.transfer.window import ends_at

OWN = "transfer"
"""The lifecycle whose subjects follow up on themselves."""


def begin(case: Case[Transfer, Payload]) -> Effect[Transfer]:
    """Start processing, or tell that the schedule cannot start (EA-15, AUT-07)."""
    if refusal := _cannot_start(case):
        return _going_on(case, "abandon", _stop(refusal))
    return _going_on(case, "start", Payload())


def _going_on(case: Case[Transfer, Payload], name: str, data: Payload) -> Effect[Transfer]:
    return Effect(case.subject, (), (FollowUp(name, case.subject.id, data, OWN),))


def _stop(refusal: Refusal) -> Stop:
    return Stop(refusal.code, refusal.rule, refusal.sentence)


def _cannot_start(case: Case[Transfer, Payload]) -> Refusal | None:
    """Return what has come up since the renewal was scheduled, or `None`.

    Partner and customer are asked again (AUT-07, EA-03, EA-05), and what Microsoft says of the
    agreement and its product now (EA-11, EA-13).
    """
    subject, seen = case.subject, case.seen
    if refusal := barred(subject.partner, subject.customer, seen, case.at, case.policy):
        return refusal
    agreement = seen[subject.agreement]
    assert isinstance(agreement, Agreement)  # noqa: S101 – nothing deletes it
    source = agreement.subscription(subject.ea_subscription)
    if refusal := on_ept(agreement) or (unsupported(source) if source else None):
        return refusal
    result = resulting(case, subject)
    return result if isinstance(result, Refusal) else None


def start(case: Case[Transfer, Payload]) -> Effect[Transfer]:
    """Start processing; from now on nothing can be changed or cancelled (EA-20)."""
    subject = replace(
        case.subject, started_at=case.at, begins_at=None, ends_at=ends_at(case.policy, case.at)
    )
    return Effect(subject, (Fact("ea-renewal-started", told(subject)),))


def abandon(case: Case[Transfer, Stop]) -> Effect[Transfer]:
    """End a schedule that cannot start; the place is free again (AUT-07, EA-26)."""
    return _failed(case, "ea-renewal-schedule-failed")


def break_off(case: Case[Transfer, Stop]) -> Effect[Transfer]:
    """End a processing that cannot be finished; the place is free again (EA-26)."""
    return _failed(case, "ea-renewal-failed")


def _failed(case: Case[Transfer, Stop], name: str) -> Effect[Transfer]:
    why = case.data
    data = told(case.subject, code=why.code, reason=why.reason)
    return Effect(replace(case.subject, begins_at=None), (Fact(name, data, (why.rule,)),))


def finish(case: Case[Transfer, Payload]) -> Effect[Transfer]:
    """Create the subscription and complete, in this order; or fail (EA-28, EA-35, 8.4).

    It is charged from its first day, on which the EA subscription no longer ran (EA-19, EA-30).
    The EA subscription and its agreement stay as they are (EA-31).
    """
    subject = case.subject
    result = resulting(case, subject)
    if isinstance(result, Refusal):
        return _going_on(case, "break_off", _stop(result))
    born = Arise(result, PATH, subject.id, charged_from=result.starts_on)
    done = Complete(follow_up_id(case.event, 0), result.starts_on, result.ends_on)
    follow_ups = (
        FollowUp("arise", subject.into, born),
        FollowUp("complete", subject.id, done, OWN),
    )
    return Effect(subject, (), follow_ups)


def complete(case: Case[Transfer, Complete]) -> Effect[Transfer]:
    """Tell what was created; a provider must name a partner of record now (EA-32, EA-35).

    One activity record, a migration (EVT-01); the order record is that of the new subscription
    (EVT-02); the webhook is that of a migration (EVT-03).
    """
    made, old = case.data, case.subject
    provider = old.partner_type is PartnerType.INDIRECT_PROVIDER
    subject = replace(old, ends_at=None, order_id=made.order, por_required=provider)
    data = told(
        subject,
        into=subject.into,
        order=made.order,
        quantity=subject.quantity,
        starts_on=made.starts_on.isoformat(),
        ends_on=made.ends_on.isoformat(),
    )
    facts = [Fact("ea-renewal-completed", data)]
    if provider:
        facts.append(Fact("por-required", {"subscription": subject.into}, ("EA-32",)))
    return Effect(subject, tuple(facts))


def reported_begin(case: Case[Transfer, Payload]) -> Effect[Transfer] | Refusal:
    """Take Microsoft's report that processing starts (GEN-07)."""
    return _not_microsoft(case.event.actor, "reporting the start of processing") or begin(case)


def reported_finish(case: Case[Transfer, Payload]) -> Effect[Transfer] | Refusal:
    """Take Microsoft's report that processing has completed (GEN-07)."""
    return _not_microsoft(case.event.actor, "reporting the end of processing") or finish(case)


def reported_failure(case: Case[Transfer, FailProcessing]) -> Effect[Transfer] | Refusal:
    """Take Microsoft's report that processing has failed; the place is free again (EA-26)."""
    if refusal := _not_microsoft(case.event.actor, "reporting a failure of processing"):
        return refusal
    data = told(case.subject, code=case.data.code, reason=case.data.reason)
    return Effect(replace(case.subject, ends_at=None), (Fact("ea-renewal-failed", data),))


def _not_microsoft(actor: Actor, asked: str) -> Refusal | None:
    if actor.kind is ActorKind.MICROSOFT:
        return None
    return refuse("ROLE_DENIED", asked=asked, needed="of Microsoft", actor=actor.id)


def tell_overdue(case: Case[Transfer, P]) -> Effect[Transfer]:
    """Raise the alert that processing is late; it is no failure (GEN-07)."""
    data = told(case.subject, latest_at=iso(case.subject.window.latest_at))
    return Effect(replace(case.subject, alerted=True), (Fact("ea-renewal-overdue", data),))


def not_due(here: Standing[Transfer]) -> Refusal | None:
    """Refuse to start before the window opens, so never during the EA term (EA-15, EA-24)."""
    earliest_at = here.subject.window.earliest_at
    if here.at >= earliest_at:
        return None
    return refuse("PROCESSING_NOT_DUE", earliest_at=iso(earliest_at))
