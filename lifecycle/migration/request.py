"""A migration asked for at once, by the partner or its distributor (LEG-08, LEG-15)."""

from typing import Any

from sublife.lifecycle.migration.eligibility import Question, not_found, objection
from sublife.lifecycle.migration.model import Migration, Part, Plan, Request, State
from sublife.lifecycle.migration.start import begun
from sublife.lifecycle.model import Case, Effect, Refusal
from sublife.lifecycle.programme import moves, programme_id
from sublife.lifecycle.refusal import refuse
from sublife.lifecycle.subscription.birth import reseller_cannot_transact
from sublife.lifecycle.subscription.model import Mover, Subscription


def request(case: Case[Migration, Request]) -> Effect[Migration] | Refusal:
    """Migrate at once: the partner itself, or its distributor at its wish (LEG-08, LEG-15)."""
    ask = case.data
    legacy = case.seen.get(ask.subscription)
    if refusal := reseller_cannot_transact(case.event.actor):
        return refusal
    if not isinstance(legacy, Subscription) or legacy.customer != ask.customer:
        return not_found(Part(ask.subscription, ask.into))
    if ask.white_glove and (refusal := _no_white_glove(case, legacy)):
        return refusal
    mover = Mover.DISTRIBUTOR if ask.white_glove else Mover.PARTNER
    subject = asked(case, legacy, ask.parts(ask.subscription), mover)
    if refusal := objection(Question(subject, case.at, case.policy, case.seen)):
        return refusal
    return begun(case, subject, keeps_por=not subject.por)


def _no_white_glove(case: Case[Migration, Request], legacy: Subscription) -> Refusal | None:
    """Refuse the distributor's service outside its programme, or when it is over (LEG-08)."""
    if not case.policy.allows("white_glove", case.at):
        return refuse("WHITE_GLOVE_CLOSED", reason="until its migrations at the term end begin")
    if moves(case.seen.get(programme_id(legacy.partner, legacy.customer)), case.at):
        return None
    return refuse(
        "WHITE_GLOVE_CLOSED", reason="for customers in its programme that have not opted out"
    )


def asked(
    case: Case[Migration, Any],
    legacy: Subscription,
    parts: tuple[Part, ...],
    mover: Mover = Mover.PARTNER,
) -> Migration:
    """Return a migration as it is asked for, before it begins or waits."""
    ask = case.data
    plan = ask if isinstance(ask, Plan) else None
    return Migration(
        id=case.event.subject,
        state=State.SCHEDULED,
        changed_at=case.at,
        customer=legacy.customer,
        partner=legacy.partner,
        parts=parts,
        mover=mover,
        por=plan.por if plan else "",
        trade_blocked=plan.trade_blocked if plan else False,
        created_at=case.at,
        external_reference=plan.external_reference if plan else "",
    )
