"""What a partner does with a schedule: place, edit, resubmit, cancel (EA-18…21, EA-26)."""

from dataclasses import replace

from sublife.lifecycle.model import (
    Case,
    Effect,
    Fact,
    P,
    Payload,
    Refusal,
    Standing,
    iso,
)
from sublife.lifecycle.refusal import refuse
from sublife.lifecycle.transfer.eligibility import not_an_agent, refusal_of, type_of
from sublife.lifecycle.transfer.model import (
    Agreement,
    EditSchedule,
    Reconsider,
    ResubmitSchedule,
    Schedule,
    Transfer,
    TransferState,
)
from sublife.lifecycle.transfer.plan import planned, scheduled, told
from sublife.lifecycle.transfer.window import begins_at, is_late, processing_window


def schedule(case: Case[Transfer, Schedule]) -> Effect[Transfer] | Refusal:
    """Place a schedule for one EA subscription (EA-18, EA-25).

    Whether its agreement is listed is asked now and not again: what is scheduled on the last day
    of the list stays valid (EA-22).
    """
    ask, at, actor = case.data, case.at, case.event.actor
    source = refusal_of(actor, ask, case.seen, at, case.policy)
    if isinstance(source, Refusal):
        return source
    agreement = case.seen[ask.agreement]
    assert isinstance(agreement, Agreement)  # noqa: S101 – it has just been asked
    window = processing_window(at, agreement.ends_on, case.policy)
    subject = Transfer(
        id=case.event.subject,
        state=TransferState.SCHEDULED,
        changed_at=at,
        customer=ask.customer,
        partner=ask.partner,
        agreement=ask.agreement,
        ea_subscription=ask.ea_subscription,
        product=source.product,
        quantity=ask.quantity or source.quantity,
        term=ask.term,
        billing=ask.billing,
        custom_end_on=ask.custom_end_on,
        align_with=ask.align_with,
        align_month_end=ask.align_month_end,
        price=ask.price,
        into=ask.into,
        partner_type=type_of(actor, case.seen.get(ask.partner)),
        scheduled_at=at,
        scheduled_by=actor.id,
        ea_ends_on=agreement.ends_on,
        window=window,
        begins_at=begins_at(window, case.policy, at),
    )
    return _placed("ea-renewal-scheduled", subject, case)


def _placed(name: str, subject: Transfer, case: Case[Transfer, P]) -> Effect[Transfer] | Refusal:
    expected = planned(case, subject)
    if isinstance(expected, Refusal):
        return expected
    return Effect(subject, (scheduled(name, subject, expected),))


def edit(case: Case[Transfer, EditSchedule]) -> Effect[Transfer] | Refusal:
    """Change licence count, term, billing or end date, and nothing else (EA-21)."""
    old, ask = case.subject, case.data
    if refusal := _not_the_holder(case, asked="editing a schedule"):
        return refusal
    subject = replace(
        old,
        quantity=ask.quantity or old.quantity,
        term=ask.term or old.term,
        billing=ask.billing or old.billing,
        price=ask.price or old.price,
    )
    if ask.aligns:
        subject = replace(
            subject,
            custom_end_on=ask.custom_end_on,
            align_with=ask.align_with,
            align_month_end=ask.align_month_end,
        )
    return _placed("ea-renewal-updated", subject, case)


def resubmit(case: Case[Transfer, ResubmitSchedule]) -> Effect[Transfer] | Refusal:
    """Submit the properties as a whole once more; place and processing stay (EA-20)."""
    ask = case.data
    if refusal := _not_the_holder(case, asked="resubmitting a schedule"):
        return refusal
    subject = replace(
        case.subject,
        quantity=ask.quantity,
        term=ask.term,
        billing=ask.billing,
        custom_end_on=ask.custom_end_on,
        align_with=ask.align_with,
        align_month_end=ask.align_month_end,
        price=ask.price,
    )
    return _placed("ea-renewal-updated", subject, case)


def cancel(case: Case[Transfer, Payload]) -> Effect[Transfer] | Refusal:
    """Take the schedule back, which frees the place for another partner (EA-20, EA-27)."""
    if refusal := _not_the_holder(case, asked="cancelling a schedule"):
        return refusal
    return Effect(case.subject, (Fact("ea-renewal-unscheduled", told(case.subject)),))


def _not_the_holder(case: Case[Transfer, P], *, asked: str) -> Refusal | None:
    """Refuse anyone but the partner that holds the place; it keeps it until it cancels (EA-27)."""
    subject, actor = case.subject, case.event.actor
    own = not_an_agent(actor, actor.partner or subject.partner, asked=asked)
    if own is None and actor.partner != subject.partner:
        return refuse(
            "SCHEDULED_BY_OTHER_PARTNER", rule="EA-27", subscription=subject.ea_subscription
        )
    return own


def edits_are_over(here: Standing[Transfer]) -> Refusal | None:
    """Refuse to edit once the agreement has ended, where it was scheduled before (EA-20).

    Scheduled afterwards, it can be edited until processing starts.
    """
    subject = here.subject
    ended_at = subject.window.earliest_at
    if is_late(subject.scheduled_at, subject.ea_ends_on) or here.at < ended_at:
        return None
    return refuse(
        "SCHEDULE_LOCKED", reason=f"the Enterprise Agreement has ended at {iso(ended_at)}"
    )


def reconsider(case: Case[Transfer, Reconsider]) -> Effect[Transfer]:
    """Advise the partner that the agreement goes on, and wait for its new end (EA-24).

    The schedule stays; taking it back is for the partner. What is being processed already is
    processed to its end, since the agreement had ended when that began.
    """
    old, news = case.subject, case.data
    subject = old
    if old.state == TransferState.SCHEDULED:
        window = processing_window(old.scheduled_at, news.ends_on, case.policy)
        subject = replace(
            old,
            ea_ends_on=news.ends_on,
            window=window,
            begins_at=begins_at(window, case.policy, case.at),
            alerted=False,
        )
    data = told(
        subject,
        change=news.change.value,
        ea_ends_on=news.ends_on.isoformat(),
        earliest_at=iso(subject.window.earliest_at),
    )
    return Effect(subject, (Fact("ea-renewal-advisory", data),))
