"""A whole import: strict, checked, in the order of instants, and twice the same as once."""

import csv
import io
import random
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sublife.events.document import DocumentError
from sublife.events.export import ACTIVITIES, ORDERS, write_csv
from sublife.events.inbound import Import
from sublife.events.inbound.target import Target
from sublife.events.verify import verify
from tests.events.inbound.conftest import AT, ID, SUBSCRIPTION, Bring, Brought
from tests.events.inbound.test_audit import changed, record
from tests.events.inbound.test_order import order

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.events.conftest import Desk

LATER = AT + timedelta(days=1)
BROKEN = {**SUBSCRIPTION, "id": "broken", "status": "sleeping"}
SECOND = {**SUBSCRIPTION, "id": "second", "customerId": "northwind"}
NIGHT: list[dict[str, Any]] = [
    SECOND,
    order("addQuantity", 5, at="2024-12-05T10:00:00Z"),
    record(
        {**SUBSCRIPTION, "quantity": 35},
        {**SUBSCRIPTION, "quantity": 35, "friendlyName": "Branch"},
        at="2024-12-05T12:00:00Z",
    ),
    {**SUBSCRIPTION, "quantity": 35, "friendlyName": "Branch"},
    order("cancel", at="2024-12-05T20:00:00Z"),
    {"id": "nothing"},
]
"""What a night's exports may hold: new, changed, refused, unknown."""


class TestStrict:
    def test_one_row_that_cannot_be_keeps_all_others_out(self, desk: "Desk", bring: Bring) -> None:
        """Each is told what would have become of it."""
        brought = bring(desk, SUBSCRIPTION, BROKEN, strict=True)

        assert sorted(brought.fates) == ["imported", "unmapped"]
        assert (brought.is_kept, desk.store.is_empty()) == (False, True)

    def test_without_it_the_rest_is_imported(self, desk: "Desk", bring: Bring) -> None:
        """Each row in a transaction of its own."""
        brought = bring(desk, SUBSCRIPTION, BROKEN)

        assert (brought.is_kept, brought.is_well) == (True, False)
        assert list(desk.store.all()) == [ID]

    def test_where_all_can_be_all_are_there(self, desk: "Desk", bring: Bring) -> None:
        """In one transaction; the second time nothing is left to do, which is well too."""
        rows = (SUBSCRIPTION, SECOND, order("new"))
        first = bring(desk, *rows, strict=True)
        before = desk.rows()
        again = bring(desk, *rows, strict=True)

        assert (first.is_kept, first.fates) == (True, ["imported", "imported", "unchanged"])
        assert list(desk.store.all()) == [ID, "second"]
        assert (again.is_kept, set(again.fates)) == (True, {"unchanged"})
        assert desk.rows() == before


class TestCheck:
    def test_it_tells_what_would_become_of_each_row_and_imports_none(
        self, desk: "Desk", bring: Bring
    ) -> None:
        """Rows that need each other are seen together."""
        bring(desk, SUBSCRIPTION)
        before = desk.rows()

        checked = bring(desk, *NIGHT, at=LATER, is_check=True)
        untouched = desk.rows()
        done = bring(desk, *NIGHT, at=LATER)

        assert (checked.fates, checked.said) == (done.fates, done.said)
        assert not checked.is_kept
        assert untouched == before


class TestOrder:
    def test_it_makes_no_difference_in_which_order_rows_stand(
        self, bring: Bring, open_desk: "Callable[..., Desk]"
    ) -> None:
        """GEN-08: they are taken in by their instants."""
        digests: set[str] = set()
        for seed in range(6):
            desk = open_desk()
            bring(desk, SUBSCRIPTION)
            rows = list(NIGHT)
            random.Random(seed).shuffle(rows)  # noqa: S311 – no secret
            brought = bring(desk, *rows, at=LATER)
            digests.add(desk.store.digest())
            assert brought.events == ["adopt", "add_seats", "rename"]

        assert len(digests) == 1

    def test_twice_is_once(self, desk: "Desk", bring: Bring) -> None:
        """The second import changes no row of any table, and tells the same rows again."""
        bring(desk, SUBSCRIPTION)

        first = bring(desk, *NIGHT, at=LATER)
        before = desk.rows()
        again = bring(desk, *NIGHT, at=LATER)

        assert first.fates.count("imported") == 3
        assert again.fates.count("imported") == 0
        assert desk.rows() == before
        left = [each.verdict.said for each in again.told if not each.verdict.fate.is_well]
        assert left == [each.verdict.said for each in first.told if not each.verdict.fate.is_well]
        assert len(left) == 2

    def test_what_was_imported_can_be_decided_again(self, desk: "Desk", bring: Bring) -> None:
        """The journal is like any other."""
        bring(desk, SUBSCRIPTION)
        bring(desk, *NIGHT, at=LATER)

        verdict = verify(desk.store, rebuild=True)

        assert (verdict.is_sound, verdict.decided) == (True, 4)

    @pytest.mark.parametrize("text", ["a\x00b", "a\ud800b"])
    def test_a_text_that_no_database_keeps_is_told(
        self, desk: "Desk", bring: Bring, text: str
    ) -> None:
        """Wherever it stands; the rows beside it are imported."""
        brought = bring(
            desk,
            SUBSCRIPTION,
            {**SUBSCRIPTION, "id": text},
            {**SUBSCRIPTION, "id": "x", "product": [{"name": text}]},
            record(None, {**SUBSCRIPTION, "id": text}, at="2024-12-01T00:00:00Z"),
        )

        assert sorted(brought.fates) == ["imported", "unmapped", "unmapped", "unmapped"]
        assert brought.said.count("which no database keeps") == 2

    def test_what_is_dated_in_the_future_is_left_out(self, desk: "Desk", bring: Bring) -> None:
        """Nobody moves time by a file."""
        bring(desk, SUBSCRIPTION)
        ahead = order("addQuantity", 5, at="2024-12-06T08:00:01Z")

        brought = bring(desk, ahead, at=LATER)

        assert brought.fates == ["unmapped"]
        assert "is dated 2024-12-06T08:00:01Z, but it is 2024-12-06T08:00:00Z" in brought.said
        assert desk.subscription(ID).quantity == 30

    def test_a_broken_file_imports_nothing(self, desk: "Desk", tmp_path: Path) -> None:
        """Not even the rows before the break, nor those of the files before it."""
        good, bad = tmp_path / "good.json", tmp_path / "bad.json"
        good.write_text("[]")
        bad.write_text('{"id": "x"}\n{"id": ')
        desk.clock.move(AT)

        with pytest.raises(DocumentError, match=r"bad.json:2: is no JSON"):
            list(Import([good, bad], Target(desk.store, AT)).rows())

        assert desk.store.is_empty()


def _table(*rows: dict[str, Any]) -> str:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


class TestCsv:
    def _brought(self, desk: "Desk", tmp_path: Path, text: str, at: datetime = AT) -> Brought:
        path = tmp_path / "export.csv"
        path.write_text(text, encoding="utf-8", newline="")
        desk.clock.move(max(at, desk.clock.now()))
        return Brought(Import([path], Target(desk.store, at, "contoso", "tailspin")))

    def test_subscriptions_by_the_names_of_their_fields(
        self, desk: "Desk", bring: Bring, tmp_path: Path
    ) -> None:
        """The same subject as from JSON."""
        flat = {k: v for k, v in SUBSCRIPTION.items() if k != "productType"}
        flat["productType.id"] = "OnlineServicesNCE"

        brought = self._brought(desk, tmp_path, _table(flat, {**flat, "id": "second"}))

        from_csv = desk.subscription(ID)
        other = desk.store.of("other")
        going = Import([tmp_path / "export.csv"], Target(other, AT, "contoso", "tailspin"))
        assert [each.verdict.fate for each in going.rows()] == ["imported", "imported"]
        assert brought.fates == ["imported", "imported"]
        assert (from_csv.quantity, from_csv.autorenew, from_csv.platform) == (30, True, "nce")

    def test_our_own_records_are_known_where_they_come_from(
        self, desk: "Desk", bring: Bring, tmp_path: Path
    ) -> None:
        """EVT-07: an export of this store says nothing new to it."""
        bring(desk, SUBSCRIPTION)
        bring(desk, changed(quantity=35, autoRenewEnabled=False), at=LATER)
        before = desk.rows()

        for sheet, records in (
            (ACTIVITIES, desk.store.stream_records()),
            (ORDERS, desk.store.stream_orders()),
        ):
            out = io.StringIO(newline="")
            assert write_csv(records, sheet, out) == 1
            brought = self._brought(desk, tmp_path, out.getvalue(), LATER)
            assert brought.fates == ["unchanged"], brought.said
        assert desk.rows() == before

    def test_an_order_sheet_of_another_store_is_orders(self, desk: "Desk", tmp_path: Path) -> None:
        """EVT-09: a new line makes a subscription, as in JSON."""
        line = {
            "Date-Time": "2024-10-01T02:35:00Z",
            "Affected customer": "tailspin",
            "Action": "create_order",
            "Resource type": "order",
            "id": "o1",
            "event_id": "e1",
            "subscription": "s1",
            "transaction": "new",
            "sku": "E3",
            "quantity": "30",
            "term": "P1Y",
            "billing": "monthly",
        }

        brought = self._brought(desk, tmp_path, _table(line))

        assert brought.events == ["adopt"]
        assert desk.subscription("s1").quantity == 30

    def test_a_line_of_the_activity_log_says_too_little(self, desk: "Desk", tmp_path: Path) -> None:
        """EVT-07: four columns name no subscription."""
        line = {
            "Date-Time": "2024-12-01T00:00:00Z",
            "Affected customer": "tailspin",
            "Action": "update_subscription",
            "Partner user": "amy",
        }

        brought = self._brought(desk, tmp_path, _table(line))

        assert brought.fates == ["unmapped"]
        assert "does not say what changed; import the resource" in brought.said


def test_a_tenant_sees_only_its_own(desk: "Desk", bring: Bring, tmp_path: Path) -> None:
    """The same export may be taken into two tenants."""
    bring(desk, SUBSCRIPTION)
    other = desk.store.of("other")

    brought = Brought(Import([tmp_path / "export.json"], Target(other, AT, "contoso", "tailspin")))

    assert brought.fates == ["imported"]
    assert list(other.all()) == [ID]
