"""What Microsoft tells of an Enterprise Agreement; nothing else changes one (EA-31)."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

from sublife.lifecycle.model import (
    ActorKind,
    Case,
    Effect,
    Fact,
    FollowUp,
    P,
    Refusal,
)
from sublife.lifecycle.refusal import refuse
from sublife.lifecycle.transfer.model import (
    Agreement,
    AgreementState,
    Change,
    ExtendAgreement,
    NoteEaSubscription,
    PutOnEpt,
    Reconsider,
    RecordAgreement,
    RenewAgreement,
    Transfer,
)
from sublife.lifecycle.transfer.state import LIVE


def _not_told(case: Case[Agreement, P]) -> Refusal | None:
    """Refuse whoever is not Microsoft: neither path into CSP changes an agreement (EA-31)."""
    actor = case.event.actor
    if actor.kind is ActorKind.MICROSOFT:
        return None
    return refuse("AGREEMENT_READ_ONLY", event=case.event.name, actor=actor.id)


def record(case: Case[Agreement, RecordAgreement]) -> Effect[Agreement] | Refusal:
    """Make an agreement known."""
    ask = case.data
    if refusal := _not_told(case):
        return refusal
    subject = Agreement(
        id=case.event.subject,
        state=AgreementState.RECORDED,
        changed_at=case.at,
        customer=ask.customer,
        partner="",
        ends_on=ask.ends_on,
        subscriptions=ask.subscriptions,
    )
    return Effect(subject, (Fact("agreement-recorded", _told(ask.ends_on)),))


def _told(ends_on: date) -> dict[str, str]:
    return {"ends_on": ends_on.isoformat()}


def renew(case: Case[Agreement, RenewAgreement]) -> Effect[Agreement] | Refusal:
    """Take note that the agreement was renewed; it is no longer listed (EA-08)."""
    return _going_on(case, "agreement-renewed", Change.RENEWED, case.data.ends_on)


def extend(case: Case[Agreement, ExtendAgreement]) -> Effect[Agreement] | Refusal:
    """Take note that the agreement was extended; what is listed follows its new end (EA-24)."""
    return _going_on(case, "agreement-extended", Change.EXTENDED, case.data.ends_on)


def put_on_ept(case: Case[Agreement, PutOnEpt]) -> Effect[Agreement] | Refusal:
    """Take note that the agreement runs on month by month, and until when if known (EA-11)."""
    opt_out_on, old = case.data.opt_out_on, case.subject
    if refusal := _not_told(case):
        return refusal
    more = {"opt_out_on": opt_out_on.isoformat()} if opt_out_on else {}
    told = Fact("agreement-put-on-ept", {**_told(old.ends_on), **more})
    follow_ups: tuple[FollowUp, ...] = ()
    if old.state != AgreementState.EPT:
        follow_ups = tuple(_advisories(case, Change.EPT, old.ends_on))
    return Effect(replace(old, opt_out_on=opt_out_on), (told,), follow_ups)


def _going_on(
    case: Case[Agreement, P], name: str, change: Change, ends_on: date
) -> Effect[Agreement] | Refusal:
    if refusal := _not_told(case):
        return refusal
    return Effect(
        replace(case.subject, ends_on=ends_on, opt_out_on=None),
        (Fact(name, _told(ends_on)),),
        tuple(_advisories(case, change, ends_on)),
    )


def _advisories(case: Case[Agreement, P], change: Change, ends_on: date) -> Iterator[FollowUp]:
    """Yield word to every live schedule of the agreement, in the order of their ids (EA-24)."""
    for name, other in sorted(case.seen.items()):
        ours = isinstance(other, Transfer) and other.agreement == case.subject.id
        if ours and other.state in LIVE:
            yield FollowUp("reconsider", name, Reconsider(change, ends_on), "transfer")


def note_subscription(case: Case[Agreement, NoteEaSubscription]) -> Effect[Agreement] | Refusal:
    """Take note of what Microsoft says of one subscription now, or of a new one (EA-13, EA-14)."""
    news = case.data.subscription
    if refusal := _not_told(case):
        return refusal
    known = case.subject.subscription(news.id)
    listed = tuple(news if each.id == news.id else each for each in case.subject.subscriptions)
    subject = replace(case.subject, subscriptions=listed if known else (*listed, news))
    data = {"subscription": news.id, "availability": news.availability.value}
    return Effect(subject, (Fact("agreement-subscription-noted", data),))
