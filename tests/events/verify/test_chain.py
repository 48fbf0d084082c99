"""verify(): every row that was changed, dropped, inserted or swapped is named, the first first."""

# ruff: noqa: S608 – the SQL of somebody who must not, of names and values of our own

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from sublife.events.intake import submit
from sublife.events.store import StoreError
from sublife.events.verify import Finding, Verdict, Wrong, verify
from sublife.lifecycle.subscription.model import Suspend

if TYPE_CHECKING:
    from tests.events.conftest import Desk
    from tests.events.verify.conftest import Hands

Look = Callable[..., Verdict]
Brief = tuple[str, int | None, Wrong, str | None]
CHANGED, DROPPED, INSERTED, SWAPPED = Wrong.CHANGED, Wrong.DROPPED, Wrong.INSERTED, Wrong.SWAPPED


def brief(verdict: Verdict) -> Brief:
    """Return the first finding, as far as a table of cases tells it."""
    first = verdict.findings[0]
    return first.subject, first.sequence, first.wrong, first.column


def only(verdict: Verdict) -> Finding:
    """Return the one finding there is."""
    (found,) = verdict.findings
    return found


class TestSound:
    def test_a_history_as_it_was_written_is_sound(self, look: Look) -> None:
        """And it says how much it has read; a refused birth is a history too."""
        verdict = look()

        assert verdict == Verdict(tenants=1, subjects=4, rows=18, unsound=0, findings=())
        assert verdict.is_sound

    def test_an_empty_store_is_sound(self, desk: "Desk") -> None:
        """There is nothing that could be wrong."""
        assert verify(desk.store) == Verdict(0, 0, 0, 0, ())

    def test_every_tenant_is_read_or_one(self, history: "Desk") -> None:
        """Rows of one tenant say nothing about another."""
        other = history.store.of("other")
        submit(other, history.store.history("s1")[0].event)

        read = [verify(history.store, tenant=name) for name in (None, "other", "nobody")]

        assert [(each.tenants, each.subjects, each.rows) for each in read] == [
            (2, 5, 20),
            (1, 1, 2),
            (1, 0, 0),
        ]

    def test_it_reads_one_instant_while_others_write(
        self, shared_url: str, open_desk: Callable[..., "Desk"]
    ) -> None:
        """What is written between a journal and its subject's row looks like no damage."""
        one, other = open_desk(shared_url), open_desk(shared_url)
        one.sell("s1")
        other.clock.move(one.clock.now())

        with one.store.audit() as audit:
            before = [line.sequence for line in audit.lines_of("default", "s1")]
            other.do("suspend", "s1", one.clock.now(), Suspend(), event_id="theirs")
            (row,) = audit.subjects("default")

        assert (before, row.sequence) == ([1, 2], 2)
        assert verify(one.store).rows == 3

    def test_inside_a_hosts_transaction_it_is_refused(self, desk: "Desk") -> None:
        """What is not committed proves nothing."""
        with desk.store.engine.connect() as connection, connection.begin():
            inside = desk.store.within(connection)

            with pytest.raises(StoreError, match=r"store of its own, from Store\.open"):
                verify(inside)


class TestChanged:
    """A column is told where its hash proves what it said; else the row alone."""

    EDITS: tuple[tuple[str, str], ...] = (
        ("tenant", "'elsewhere'"),
        ("subject", "'s9'"),
        ("sequence", "99"),
        ("event_id", "'event-99'"),
        ("lifecycle", "'transfer'"),
        ("version", "9"),
        ("name", "'suspend'"),
        ("effective_at", "an instant"),
        ("recorded_at", "an instant"),
        ("actor", """'{"id":"eve","kind":"user"}'"""),
        ("actor_kind", "'application'"),
        ("actor_id", "'eve'"),
        ("cause", "'event-1'"),
        ("state_before", "'suspended'"),
        ("state", "'suspended'"),
        ("rules", "'SUB-99'"),
        ("policy", "'mine@0123456789abcdef'"),
        ("code", "'BAD_STATE'"),
        ("data", """'{"quantity":6}'"""),
        ("outcome", """'{"of":[],"v":1}'"""),
        ("hash", "'0123456789abcdef'"),
    )
    UNTOLD = frozenset({"event_id", "data", "outcome"})

    @pytest.mark.parametrize(
        ("sequence", "untold"),
        [(1, UNTOLD), (4, UNTOLD), (7, {"outcome"}), (8, {"outcome"})],
        ids=["the first", "a user's", "a timer's", "the last"],
    )
    def test_each_column_of_a_row_in_turn(
        self, hands: "Hands", look: Look, sequence: int, untold: frozenset[str]
    ) -> None:
        """Each is put back before the next."""
        found: dict[str, Brief] = {}
        for column, value in self.EDITS:
            said = hands.at("2025-01-01 00:00:00") if value == "an instant" else value
            with hands.only_now():
                hands.edit("s1", sequence, column, said)
                found[column] = brief(look())

        dropped = ("s1", sequence, DROPPED, None)
        assert found == {
            column: dropped
            if column in {"tenant", "subject"}
            else ("s1", sequence, CHANGED, None if column in untold else column)
            for column, _ in self.EDITS
        }
        assert look().is_sound

    def test_what_a_column_said_is_told_with_what_it_says(self, hands: "Hands", look: Look) -> None:
        """So that it can be set right."""
        hands.edit("s1", 4, "state", "'suspended'")

        found = only(look())

        assert found.event == "event-4"
        assert str(found) == (
            "tenant default, journal of s1, row 4, event event-4: "
            'its state says "suspended" and said "active"; keep a copy of the database as it is, '
            "then compare with the latest backup that verifies and restore from it"
        )

    def test_an_empty_text_is_not_nothing(self, hands: "Hands", look: Look) -> None:
        """The hash takes both for the same; a row that was written has no empty cause or code."""
        hands.edit("s1", 4, "code", "''")

        assert brief(look()) == ("s1", 4, CHANGED, "code")

    def test_a_row_that_got_a_new_hash_is_found_by_the_next_one(
        self, hands: "Hands", look: Look
    ) -> None:
        """Its own hash is right then; the row behind still follows on what it said before."""
        hands.edit("s1", 4, "data", """'{"quantity":6}'""")
        hands.rehash("s1", 4)

        found = only(look())

        assert (found.sequence, found.wrong, found.column) == (5, CHANGED, None)
        assert "or row 4 (event event-4) was and got a new hash" in found.says

    def test_a_tail_that_was_written_anew_is_found_by_the_subject(
        self, hands: "Hands", look: Look
    ) -> None:
        """The subject's row holds the hash of the last row."""
        hands.edit("s1", 8, "data", """'{"quantity":6}'""")
        hands.rehash("s1", 8)

        found = only(look())

        assert (found.table, found.subject, found.column) == ("subject", "s1", "head")
        assert "or row 8 was changed and got a new hash" in found.says

    def test_each_subject_is_named_with_its_first_row(self, hands: "Hands", look: Look) -> None:
        """The damage has an extent; the first row of all comes first."""
        for subject, sequence in (("s3", 2), ("s1", 6), ("s1", 5), ("s2", 1)):
            hands.edit(subject, sequence, "rules", "'SUB-99'")

        verdict = look()

        assert verdict.unsound == 3
        assert [(each.subject, each.sequence) for each in verdict.findings] == [
            ("s1", 5),
            ("s2", 1),
            ("s3", 2),
        ]
        assert verdict.rows == 18


class TestDropped:
    def test_a_row_that_is_gone(self, hands: "Hands", look: Look) -> None:
        """The first, each in the middle, the last; each is put back before the next."""
        found: list[Brief] = []
        for sequence in range(1, 9):
            with hands.only_now():
                hands.drop("s1", sequence)
                found.append(brief(look()))

        assert found == [("s1", sequence, DROPPED, None) for sequence in range(1, 9)]

    def test_a_row_that_is_gone_with_the_gap_closed(self, hands: "Hands", look: Look) -> None:
        """What stands behind it was given new numbers."""
        found: list[Brief] = []
        for sequence in range(1, 8):
            with hands.only_now():
                hands.drop("s1", sequence)
                hands.shift("s1", sequence, -1)
                found.append(brief(look()))

        assert found == [("s1", sequence, DROPPED, None) for sequence in range(1, 8)]

    def test_several_rows_that_are_gone(self, hands: "Hands", look: Look) -> None:
        """All are named."""
        hands.drop("s1", 3, 4, 5)

        found = only(look())

        assert found.sequence == 3
        assert found.says.startswith("rows 3 to 5 are not there; the next one is event timer:s1/")

    def test_a_whole_journal_that_is_gone(self, hands: "Hands", look: Look) -> None:
        """The subject's row knows that there was one."""
        hands.drop("s2", *range(1, 5))

        found = only(look())

        assert (found.subject, found.sequence, found.wrong) == ("s2", 1, DROPPED)
        assert "all were dropped" in found.says

    def test_a_subject_that_is_gone(self, hands: "Hands", look: Look) -> None:
        """Its journal knows that there was one."""
        hands.write("DELETE FROM sublife_subject WHERE id = 's2'")

        found = only(look())

        assert (found.table, found.subject, found.wrong) == ("subject", "s2", DROPPED)


class TestSwapped:
    def test_two_rows_that_lie_in_each_others_place(self, hands: "Hands", look: Look) -> None:
        """Neighbours or far apart, the first and the last."""
        pairs = ((1, 2), (3, 4), (7, 8), (2, 6), (1, 8))
        found: list[tuple[Brief, str]] = []
        for one, other in pairs:
            with hands.only_now():
                hands.move("s1", (one, other), (other, one))
                verdict = look()
            found.append((brief(verdict), only(verdict).says.partition(" (")[0]))

        assert found == [
            (("s1", one, SWAPPED, None), f"what belongs here lies at row {other}")
            for one, other in pairs
        ]

    @pytest.mark.parametrize(("one", "other"), [(3, 4), (2, 6)])
    def test_two_rows_that_changed_places_but_for_their_hashes(
        self, hands: "Hands", look: Look, one: int, other: int
    ) -> None:
        """What they say was swapped, and their hashes stayed."""
        query = f"SELECT sequence, hash FROM sublife_journal WHERE sequence IN ({one}, {other})"
        hashes = dict(hands.read(query + " AND subject = 's1'"))
        hands.move("s1", (one, other), (other, one))
        hands.edit("s1", one, "hash", f"'{hashes[one]}'")
        hands.edit("s1", other, "hash", f"'{hashes[other]}'")

        assert brief(look()) == ("s1", one, SWAPPED, None)


class TestInserted:
    @pytest.mark.parametrize("proper", [False, True], ids=["any hash", "the hash that fits"])
    def test_a_row_that_was_put_in(self, hands: "Hands", look: Look, *, proper: bool) -> None:
        """At the beginning, in the middle, at the end; the others made room for it."""
        found: list[tuple[Brief, str | None]] = []
        for sequence in range(1, 10):
            with hands.only_now():
                hands.shift("s1", sequence - 1, 1)
                hands.insert("s1", 5 if sequence > 5 else 6, sequence, proper=proper)
                verdict = look()
            found.append((brief(verdict), only(verdict).event))

        assert found == [
            (("s1", sequence, INSERTED, None), f"made-up-{sequence}") for sequence in range(1, 10)
        ]

    def test_a_row_far_behind_the_end(self, hands: "Hands", look: Look) -> None:
        """The subject's row ends before it, so no row is missing between."""
        hands.insert("s1", 5, 99)

        assert brief(look()) == ("s1", 99, INSERTED, None)

    def test_a_row_before_the_first(self, hands: "Hands", look: Look) -> None:
        """Sequences begin at 1."""
        hands.insert("s1", 5, 0)

        assert brief(look()) == ("s1", 0, INSERTED, None)

    def test_several_rows(self, hands: "Hands", look: Look) -> None:
        """The first of them is named."""
        hands.shift("s1", 3, 2)
        hands.insert("s1", 2, 4)
        hands.insert("s1", 2, 5)

        assert brief(look()) == ("s1", 4, INSERTED, None)

    def test_a_subject_without_a_history(self, hands: "Hands", look: Look) -> None:
        """Nobody has created it."""
        columns = ", ".join(
            f'"{name}"'
            for name in (
                *("tenant", "lifecycle", "state", "version", "sequence", "customer", "partner"),
                *("changed_at", "due_at", "due", "stamp", "head", "snapshot"),
            )
        )
        hands.write(
            f"INSERT INTO sublife_subject (id, {columns}) "
            f"SELECT 's9', {columns} FROM sublife_subject WHERE id = 's1'"
        )

        assert brief(look()) == ("s9", 1, DROPPED, None)


class TestSubjectRow:
    EDITS: tuple[tuple[str, str], ...] = (
        ("sequence", "7"),
        ("sequence", "9"),
        ("head", "'0123456789abcdef'"),
        ("version", "6"),
        ("state", "'active'"),
        ("lifecycle", "'transfer'"),
        ("changed_at", "an instant"),
    )

    def test_each_column_that_the_journal_tells_too(self, hands: "Hands", look: Look) -> None:
        """The subject must be where its journal ends."""
        found: list[tuple[str, Brief]] = []
        for column, value in self.EDITS:
            said = hands.at("2025-01-01 00:00:00") if value == "an instant" else value
            with hands.only_now("sublife_subject"):
                hands.write(f"UPDATE sublife_subject SET {column} = {said} WHERE id = 's1'")
                verdict = look()
            found.append((only(verdict).table, brief(verdict)))

        assert found == [("subject", ("s1", None, CHANGED, column)) for column, _ in self.EDITS]
