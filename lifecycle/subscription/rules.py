"""The state × event table of a subscription: what is accepted, what is refused (table 1.2)."""

from sublife.lifecycle.model import ABSENT, Closed, Rule
from sublife.lifecycle.subscription import birth, change, lapse, move
from sublife.lifecycle.subscription import guard as g
from sublife.lifecycle.subscription.state import State

A, S = State.ACTIVE, State.SUSPENDED
EXPIRED = (State.EXPIRED, State.GRACE)
LAPSED = (*EXPIRED, State.DISABLED)
GONE = (State.CANCELED, State.DELETED)
ENDED = (*LAPSED, *GONE)
PENDING = (State.PENDING,)
EVERY = tuple(State)

_retry = g.while_renewing("RETRY_LATER")
_read_only = g.while_renewing("READ_ONLY_RENEWAL")
_update = (g.too_many_updates,)

RULES: tuple[Rule, ...] = (
    # How it begins.
    Rule(
        "purchase",
        (ABSENT,),
        State.PENDING,
        birth.transacting(birth.purchase),
        ("SUB-01", "TRM-01", "TRM-11"),
    ),
    Rule("arise", (ABSENT,), State.PENDING, birth.arise, ("SUB-01", "SUB-13")),
    Rule("adopt", (ABSENT,), None, birth.adopt, ("SUB-01",)),
    Rule("provisioning_ended", PENDING, A, birth.provision, ("SUB-02",)),
    Rule("provision", PENDING, A, birth.provision, ("SUB-02",)),
    # The term end: the first rule whose conditions hold is the one.
    Rule("last_day_began", (A,), None, lapse.announce_base, ("LEG-19",), when=(g.base_is_led,)),
    Rule(
        "last_day_began",
        (A,),
        None,
        lapse.announce,
        ("LEG-24",),
        when=(g.microsoft_migrates,),
    ),
    Rule("last_day_began", (A,), None, lapse.leave_to_renewal, ("LEG-24",)),
    Rule("term_ended", (A, S), None, lapse.hand_over, ("LEG-21",), when=(g.moves_at_renewal,)),
    Rule("term_ended", (A,), None, lapse.ask_for_base, ("LEG-19",), when=(g.base_is_led,)),
    Rule(
        "term_ended",
        (A,),
        None,
        lapse.ask_to_be_led,
        ("LEG-04",),
        when=(g.distributor_migrates,),
    ),
    Rule(
        "term_ended",
        (A,),
        None,
        lapse.ask_to_be_led,
        ("LEG-24",),
        when=(g.microsoft_migrates,),
    ),
    Rule(
        "term_ended",
        (A,),
        State.EXPIRED,
        lapse.refuse_renewal,
        ("LEG-01", "SUB-03"),
        when=(g.legacy_renewal_closed,),
    ),
    Rule("term_ended", (A,), None, lapse.start_renewal, ("TRM-06",), when=(g.renews,)),
    Rule("term_ended", (A,), None, lapse.extend, ("TRM-36",), when=(g.continues_extended,)),
    Rule("term_ended", (A,), State.EXPIRED, lapse.expire, ("SUB-03", "TRM-04")),
    Rule("term_ended", (S,), State.DELETED, lapse.delete, ("SUB-15",), when=(g.legacy_deletes,)),
    Rule(
        "term_ended",
        (S,),
        State.EXPIRED,
        lapse.expire_barred,
        ("SUB-10",),
        when=(g.suspended_expires,),
    ),
    Rule("term_ended", (S,), State.DISABLED, lapse.disable_suspended, ("SUB-10",)),
    Rule("renewal_ended", (A,), None, lapse.complete_renewal, ("TRM-06", "TRM-08")),
    Rule("renewal_overdue", (A,), None, lapse.tell_overdue, ("GEN-07",)),
    Rule(
        "complete_renewal",
        (A,),
        None,
        lapse.complete_renewal,
        ("TRM-06", "TRM-08"),
        unless=(g.no_renewal,),
    ),
    Rule("billing_cycle_ended", (A, S), None, change.apply_next_charge, ("TRM-20", "SUB-08")),
    # After the term.
    Rule(
        "expiry_ended",
        (State.EXPIRED,),
        State.DISABLED,
        lapse.disable,
        ("SUB-01",),
        when=(g.grants_no_grace,),
    ),
    Rule("expiry_ended", (State.EXPIRED,), State.GRACE, lapse.begin_grace, ("SUB-01", "SUB-04")),
    Rule("grace_ended", (State.GRACE,), State.DISABLED, lapse.disable, ("SUB-05",)),
    Rule("grace_ended", (State.DISABLED,), None, lapse.enter_second_phase, ("SUB-10", "SUB-11")),
    Rule("retention_ended", (State.DISABLED,), State.DELETED, lapse.delete, ("SUB-06",)),
    Rule("retention_ended", (State.CANCELED,), State.DELETED, lapse.delete, ("SUB-09",)),
    Rule("suspension_ended", (S,), State.DELETED, lapse.delete, ("SUB-15",)),
    # Access.
    Rule(
        "suspend",
        (A,),
        S,
        change.suspend,
        ("SUB-07", "SUB-08"),
        unless=(_read_only, g.on_trial, *_update),
    ),
    Rule(
        "reactivate",
        (S,),
        A,
        change.reactivate,
        ("SUB-08", "TRM-27"),
        unless=(g.while_migrating, *_update),
    ),
    Rule(
        "cancel",
        (A, S),
        State.CANCELED,
        change.cancel,
        ("SUB-09", "TRM-09", "TRM-13"),
        unless=(g.while_migrating, g.on_trial, _retry, g.window_closed),
    ),
    # Autorenew and the next term.
    Rule(
        "turn_autorenew_off",
        (A, S),
        None,
        change.turn_autorenew_off,
        ("TRM-05", "TRM-18"),
        unless=(g.while_migrating, _read_only),
    ),
    Rule(
        "turn_autorenew_on",
        (A,),
        None,
        change.turn_autorenew_on,
        ("TRM-03", "TRM-05"),
        unless=(_read_only,),
    ),
    Rule(
        "schedule_change",
        (A,),
        None,
        change.schedule_change,
        ("TRM-17", "TRM-25"),
        unless=(_read_only, g.autorenew_is_off, *_update),
    ),
    Rule(
        "unschedule_change",
        (A,),
        None,
        change.unschedule_change,
        ("TRM-18",),
        unless=(_read_only, *_update),
    ),
    Rule(
        "choose_term_end",
        (A,),
        None,
        change.choose_term_end,
        ("TRM-36",),
        unless=(_read_only, g.no_extension),
    ),
    # Seats and plans.
    Rule(
        "add_seats",
        (A,),
        None,
        birth.transacting(change.add_seats),
        ("TRM-14", "TRM-16"),
        unless=(_retry, g.on_trial, *_update),
    ),
    Rule(
        "remove_seats",
        (A,),
        None,
        change.remove_seats,
        ("TRM-15", "TRM-16", "TRM-13"),
        unless=(_retry, g.on_trial, g.no_seat_returns, *_update),
    ),
    Rule("note_successor", (A, S), None, change.note_successor, ("MAN-14",)),
    Rule("receive_seats", (A,), None, change.receive_seats, ("TRM-34",), unless=(_retry,)),
    Rule(
        "change_term",
        (A,),
        None,
        birth.transacting(change.change_term),
        ("TRM-19",),
        unless=(_retry, g.on_trial, *_update),
    ),
    Rule(
        "change_billing",
        (A,),
        None,
        change.change_billing,
        ("TRM-20",),
        unless=(_retry, g.on_trial, g.billing_is_fixed, *_update),
    ),
    Rule(
        "upgrade",
        (A,),
        None,
        birth.transacting(move.upgrade),
        ("TRM-34",),
        unless=(_retry, g.on_trial, *_update),
    ),
    Rule(
        "convert_trial",
        (A,),
        None,
        birth.transacting(change.convert_trial),
        ("SUB-17", "TRM-18"),
        unless=(_retry, g.not_on_trial, *_update),
    ),
    # Names, prices and the whole resource at once.
    Rule("rename", (A,), None, change.rename, ("1.2",), unless=(_retry, *_update)),
    Rule(
        "set_por",
        (A,),
        None,
        change.set_por,
        ("1.2", "AUT-20", "AUT-24"),
        unless=(_retry, *_update),
    ),
    Rule("set_price", (A, S), None, change.set_price, ("TRM-08",)),
    Rule("patch", (A, S), None, change.accept_patch, ("TRM-35",), unless=(g.while_migrating,)),
    # Moves.
    Rule(
        "request_transfer",
        (A,),
        None,
        move.request_transfer,
        ("TRM-28", "TRM-29"),
        unless=(_retry, g.transfer_not_offered, g.transfer_pending),
    ),
    Rule(
        "accept_transfer",
        (A,),
        None,
        move.accept_transfer,
        ("TRM-29", "TRM-30"),
        unless=(_retry, g.no_transfer),
    ),
    Rule(
        "withdraw_transfer",
        (A, S),
        None,
        move.withdraw_transfer,
        ("TRM-31",),
        unless=(g.no_transfer,),
    ),
    # What its migration to new commerce says.
    Rule("await_migration", (A,), None, move.await_migration, ("LEG-21",), unless=(g.not_legacy,)),
    Rule(
        "enter_migration",
        (A,),
        S,
        move.enter_migration,
        ("LEG-15",),
        unless=(g.not_legacy, g.being_processed),
    ),
    Rule(
        "revert_migration", (S,), A, move.revert_migration, ("LEG-17",), unless=(g.not_migrating,)
    ),
    Rule(
        "complete_migration",
        (S,),
        State.DELETED,
        move.complete_migration,
        ("LEG-15",),
        unless=(g.not_migrating,),
    ),
    Rule("release_migration", EVERY, None, move.release_migration, ("LEG-21",)),
    Rule("buy_again", (A, S, *ENDED), None, birth.transacting(birth.buy_again), ("SUB-13",)),
)


def _closed(event: str, states: tuple[State, ...], code: str, ref: str = "1.2") -> Closed:
    return Closed(event, states, code, ref)


CLOSED: tuple[Closed, ...] = (
    *(_closed(birth_event, EVERY, "BAD_STATE") for birth_event in ("purchase", "arise", "adopt")),
    _closed("provision", (A, S, *ENDED), "BAD_STATE"),
    _closed("suspend", (S,), "ALREADY_SUSPENDED"),
    _closed("suspend", (*PENDING, *ENDED), "BAD_STATE"),
    _closed("reactivate", (*PENDING, A), "BAD_STATE"),
    _closed("reactivate", ENDED, "NO_REACTIVATION", "SUB-12"),
    _closed("cancel", (*PENDING, *ENDED), "BAD_STATE"),
    *(
        _closed(event, LAPSED, "TERM_ENDED")
        for event in (
            "turn_autorenew_off",
            "turn_autorenew_on",
            "schedule_change",
            "unschedule_change",
        )
    ),
    *(
        _closed(event, (*PENDING, *GONE), "BAD_STATE")
        for event in (
            "turn_autorenew_off",
            "turn_autorenew_on",
            "schedule_change",
            "unschedule_change",
        )
    ),
    *(
        _closed(event, (S,), "SUSPENDED_LOCKED")
        for event in (
            "turn_autorenew_on",
            "schedule_change",
            "unschedule_change",
            "choose_term_end",
            "change_term",
            "change_billing",
            "convert_trial",
            "rename",
            "set_por",
        )
    ),
    *(
        Closed(event, (S,), "SUSPENDED_LOCKED", "1.2", api_error=2001)
        for event in ("add_seats", "remove_seats")
    ),
    *(
        _closed(event, (*PENDING, *ENDED), "BAD_STATE")
        for event in (
            "choose_term_end",
            "add_seats",
            "remove_seats",
            "change_term",
            "change_billing",
            "convert_trial",
            "rename",
            "set_por",
            "set_price",
            "patch",
            "withdraw_transfer",
            "note_successor",
        )
    ),
    *(
        _closed(event, (*PENDING, S, *ENDED), "BAD_STATE")
        for event in (
            "receive_seats",
            "upgrade",
            "complete_renewal",
            "request_transfer",
            "accept_transfer",
        )
    ),
    *(
        Closed(event, (*PENDING, S, *ENDED), "MIGRATION_INELIGIBLE", "LEG-18", api_error=900215)
        for event in ("await_migration", "enter_migration")
    ),
    *(
        _closed(event, (*PENDING, A, *ENDED), "BAD_STATE")
        for event in ("revert_migration", "complete_migration")
    ),
    _closed("buy_again", PENDING, "BAD_STATE"),
)
