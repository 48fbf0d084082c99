"""Turns of tenants: each gets one, and nobody waits behind one that is slow."""

from sublife.scheduler.daemon.turns import Ticket, Turns


def test_tenants_take_turns() -> None:
    """Who has more to do goes to the end of the line."""
    turns = Turns()
    turns.offer(["a", "b"])

    taken: list[str] = []
    for now in range(4):
        ticket = turns.take(float(now))
        assert ticket is not None
        taken.append(ticket.tenant)
        turns.end(ticket, is_done=False)

    assert taken == ["a", "b", "a", "b"]


def test_who_is_done_leaves_the_line() -> None:
    """Until it is offered again."""
    turns = Turns()
    turns.offer(["a"])
    ticket = turns.take(0)
    assert ticket is not None

    turns.end(ticket, is_done=True)
    gone = turns.take(1)
    turns.offer(["a"])

    assert (gone, turns.take(2)) == (None, Ticket("a", 2))


def test_a_second_worker_takes_another_tenant() -> None:
    """Or none: it would wait for whatever the first one waits for."""
    turns = Turns()
    turns.offer(["a", "b"])

    taken = [turns.take(0) for _ in range(3)]

    assert taken == [Ticket("a", 0), Ticket("b", 0), None]


def test_a_tenant_offered_during_its_turn_gets_another_one_afterwards() -> None:
    """Something may have fallen due behind the back of the turn."""
    turns = Turns()
    turns.offer(["a"])
    ticket = turns.take(0)
    assert ticket is not None
    turns.offer(["a"])

    meanwhile = turns.take(1)
    turns.end(ticket, is_done=True)

    assert (meanwhile, turns.take(2)) == (None, Ticket("a", 2))


def test_what_is_cleared_gets_no_turn_but_ends_those_under_way() -> None:
    """As when the clock turns out to be ahead."""
    turns = Turns()
    turns.offer(["a", "b"])
    ticket = turns.take(0)
    assert ticket is not None

    turns.clear()
    after = turns.take(1)
    turns.end(ticket, is_done=False)

    assert (after, turns.take(2)) == (None, None)
