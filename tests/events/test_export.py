"""Records out: what the files hold, that they are whole or not there, that memory stays flat."""

import csv
import io
import json
import os
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sublife.events.export import (
    ACTIVITIES,
    ORDERS,
    ExportError,
    Format,
    Record,
    operation_of,
    write_csv,
    write_file,
    write_jsonl,
)
from sublife.events.records import RECORDINGS
from sublife.events.store import Store
from sublife.lifecycle.model import iso
from sublife.lifecycle.subscription.model import ChangeSeats, Price, Suspend
from tests.scale import sized

if TYPE_CHECKING:
    from tests.events.conftest import Desk

pa: Any = import_module("pyarrow")
parquet: Any = import_module("pyarrow.parquet")
DAY = timedelta(days=1)
SOLD_AT = datetime(2024, 10, 1, 2, 35, tzinfo=UTC)
MID_TERM = datetime(2025, 3, 1, 9, tzinfo=UTC)
AUDIT_WORDS = {
    "create_order": "order",
    "update_order": "order",
    "update_subscription": "subscription",
    "upgrade_subscription": "subscription",
    "create_transfer": "transfer",
    "update_transfer": "transfer",
    "create_new_commerce_migration": "new_commerce_migration",
}
"""The operations that fit, each with its resource type (EVT-08)."""


@pytest.fixture
def sold(desk: "Desk") -> "Desk":
    """Two subscriptions with a price; one lapses, the other is renewed."""
    price = Price(Decimal("10.50"), "EUR", monthly_unit=Decimal("10.50"))
    desk.sell("s1", autorenew=False, price=price)
    desk.sell("s2", SOLD_AT + DAY, price=price)
    desk.do("turn_autorenew_off", "s2", MID_TERM)
    desk.do("turn_autorenew_on", "s2", MID_TERM + DAY)
    desk.do("add_seats", "s1", MID_TERM + 2 * DAY, ChangeSeats(5))
    desk.wake(datetime(2025, 11, 30, tzinfo=UTC))
    return desk


def as_csv(records: Iterator[Record], sheet: Any = ACTIVITIES) -> list[dict[str, str]]:
    """Return what a reader of CSV sees."""
    out = io.StringIO(newline="")
    write_csv(records, sheet, out)
    return list(csv.DictReader(io.StringIO(out.getvalue(), newline="")))


def activity(**changes: Any) -> dict[str, Any]:
    """Return an activity record that nobody has stored."""
    found: dict[str, Any] = dict.fromkeys(ACTIVITIES.fields)
    found |= {"fact": "subscription-renewed", "effective_at": SOLD_AT, "recorded_at": SOLD_AT}
    found |= {"customer": "tailspin", "actor_kind": "user", "actor_id": "amy"}
    return found | changes


class TestStream:
    def test_it_yields_what_the_pages_have(self, sold: "Desk") -> None:
        """In the same order, with the same values, under the same filters."""
        store = sold.store
        filters: list[dict[str, Any]] = [
            {},
            {"subscription": "s2"},
            {"customer": "nobody"},
            {"since": MID_TERM + DAY, "until": datetime(2025, 10, 2, tzinfo=UTC)},
        ]

        for each in filters:
            assert list(store.stream_records(**each)) == [
                row.model_dump() for row in store.records(**each)
            ]
            assert list(store.stream_orders(**each)) == [
                row.model_dump() for row in store.orders(**each)
            ]
        assert len(list(store.stream_records(kind="renewal"))) > 5
        assert list(store.stream_records(kind="migration")) == []

    def test_a_stream_that_is_left_gives_the_database_back(self, sold: "Desk") -> None:
        """The next one can write."""
        going = sold.store.stream_records()
        next(going)

        going.close()

        assert sold.do("suspend", "s2", sold.clock.now(), Suspend()).accepted

    def test_what_is_written_meanwhile_is_not_in_it(
        self, shared_url: str, open_desk: Callable[..., "Desk"]
    ) -> None:
        """It shows one instant."""
        one, other = open_desk(shared_url), open_desk(shared_url)
        one.sell("s1")
        one.sell("s2")
        other.clock.move(one.clock.now())
        other.count = 100

        going = one.store.stream_orders()
        first = next(going)
        other.sell("s3", one.clock.now())
        rest = list(going)

        assert [first["subscription"], *(each["subscription"] for each in rest)] == ["s1", "s2"]
        assert len(one.store.orders()) == 3


class TestCsv:
    def test_it_begins_with_the_columns_of_partner_center(self) -> None:
        """EVT-07: date-time, affected customer, action, partner user; then our own."""
        assert ACTIVITIES.titles[:5] == (
            "Date-Time",
            "Affected customer",
            "Action",
            "Partner user",
            "Resource type",
        )
        assert ACTIVITIES.titles[5:] == tuple(ACTIVITIES.fields)
        assert ORDERS.titles[:4] == ("Date-Time", "Affected customer", "Action", "Resource type")

    def test_every_field_of_every_record_is_in_it(self, sold: "Desk") -> None:
        """Instants in UTC, amounts to the cent, nothing where there is nothing."""
        for sheet, records in (
            (ACTIVITIES, list(sold.store.stream_records())),
            (ORDERS, list(sold.store.stream_orders())),
        ):
            read = as_csv(iter(records), sheet)

            assert [{name: row[name] for name in sheet.fields} for row in read] == [
                {name: _text(value) for name, value in record.items()} for record in records
            ]

    def test_a_line_reads_as_in_the_activity_log(self, sold: "Desk") -> None:
        """EVT-07, EVT-08."""
        rows = as_csv(sold.store.stream_records(subscription="s2"))

        first = [list(row.values())[:4] for row in rows]
        assert first[0] == ["2025-03-01T09:00:00Z", "tailspin", "update_subscription", "amy"]
        assert first[-1] == ["2025-10-02T00:00:00Z", "tailspin", "update_subscription", ""]

    @pytest.mark.parametrize(
        ("fact", "action"),
        [
            ("subscription-renewed", "update_subscription"),
            ("subscription-deleted", "update_subscription"),
            ("subscription-created", "create_order"),
            ("transfer-completed", "update_transfer"),
            ("new-commerce-migration-created", "create_new_commerce_migration"),
            ("new-commerce-migration-completed", "create_new_commerce_migration"),
            ("new-commerce-migration-failed", "create_new_commerce_migration"),
            ("ea-renewal-scheduled", "create_new_commerce_migration"),
            ("ea-renewal-completed", "create_new_commerce_migration"),
            ("ea-renewal-schedule-failed", "create_new_commerce_migration"),
        ],
    )
    def test_an_action_is_a_word_of_the_audit_vocabulary(self, fact: str, action: str) -> None:
        """EVT-08: the operation and its resource type; a move is a migration (EVT-01)."""
        assert operation_of(activity(fact=fact)) == (action, AUDIT_WORDS[action])

    def test_every_recorded_fact_has_an_action(self) -> None:
        """EVT-08: none is outside the vocabulary."""
        for fact in RECORDINGS:
            operation, resource = operation_of(activity(fact=fact))

            assert AUDIT_WORDS[operation] == resource

    @pytest.mark.parametrize(
        ("transaction", "action"),
        [
            ("new", "create_order"),
            ("renew", "create_order"),
            ("addQuantity", "update_order"),
            ("removeQuantity", "update_order"),
            ("cancel", "update_order"),
            ("convert", "update_order"),
        ],
    )
    def test_an_order_line_places_an_order_or_changes_one(
        self, transaction: str, action: str
    ) -> None:
        """EVT-08, EVT-09."""
        assert operation_of({"transaction": transaction}) == (action, "order")

    @pytest.mark.parametrize(
        ("kind", "user"), [("user", "amy"), ("application", ""), ("microsoft", ""), ("timer", "")]
    )
    def test_only_a_user_is_a_partner_user(self, kind: str, user: str) -> None:
        """EVT-06: who or what acted stands in columns of our own."""
        (row,) = as_csv(iter([activity(actor_kind=kind)]))

        assert (row["Partner user"], row["actor_kind"], row["actor_id"]) == (user, kind, "amy")

    @pytest.mark.parametrize(
        "text",
        [
            '=HYPERLINK("http://example.com")',
            "+1",
            "-1+1",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            "\uff1d1",
        ],
    )
    def test_no_cell_is_a_formula(self, text: str) -> None:
        """A customer's or user's name that a spreadsheet would run is shown as text."""
        (row,) = as_csv(iter([activity(customer=text, actor_id=text)]))

        cells = [row[name] for name in ("Affected customer", "Partner user", "customer")]
        assert cells == [f"'{text}"] * 3

    def test_a_text_that_only_contains_such_a_sign_stays_as_it_is(self) -> None:
        """So does what holds commas, quotes and lines."""
        text = 'a=b, "c"\r\n@d'

        (row,) = as_csv(iter([activity(customer=text)]))

        assert row["customer"] == text

    def test_a_negative_amount_stays_a_number(self) -> None:
        """Only texts can be formulas."""
        record = {**dict.fromkeys(ORDERS.fields), "transaction": "cancel"}
        record |= {"effective_at": SOLD_AT, "customer": "c", "amount": Decimal("-12.30")}

        (row,) = as_csv(iter([record]), ORDERS)

        assert row["amount"] == "-12.30"


def _text(value: Any) -> str:
    if value is None:
        return ""
    return iso(value) if isinstance(value, datetime) else str(value)


class TestJsonLines:
    def test_every_field_of_every_record_is_in_it(self, sold: "Desk") -> None:
        """One object in a line; amounts are texts, instants in UTC."""
        for records in (list(sold.store.stream_records()), list(sold.store.stream_orders())):
            out = io.StringIO()
            count = write_jsonl(iter(records), out)

            lines = out.getvalue().splitlines()
            assert count == len(lines) == len(records)
            assert [json.loads(line) for line in lines] == [
                {
                    name: value if value is None or isinstance(value, int) else _text(value)
                    for name, value in record.items()
                }
                for record in records
            ]

    def test_a_text_stays_as_it_is(self) -> None:
        """No sign is escaped for a spreadsheet, no letter for ASCII."""
        out = io.StringIO()

        write_jsonl([activity(customer='=Zürich\n"1"')], out)

        assert json.loads(out.getvalue())["customer"] == '=Zürich\n"1"'
        assert "Zürich" in out.getvalue()


class TestParquet:
    def test_every_field_has_its_type(self, sold: "Desk", tmp_path: Path) -> None:
        """Timestamps in UTC, whole numbers, decimals to the cent; what must be there is marked."""
        path = tmp_path / "orders.parquet"
        records = list(sold.store.stream_orders())

        count = write_file(iter(records), ORDERS, Format.PARQUET, path)

        table = parquet.read_table(path)
        types = {field.name: field.type for field in table.schema}
        assert count == len(records)
        assert table.to_pylist() == records
        assert types["effective_at"] == pa.timestamp("us", tz="UTC")
        assert types["quantity"] == pa.int64()
        assert types["amount"] == pa.decimal128(18, 2)
        assert types["customer"] == pa.string()
        assert [field.name for field in table.schema if field.nullable] == ["amount", "currency"]

    def test_activity_records_come_back_as_they_were(self, sold: "Desk", tmp_path: Path) -> None:
        """To the microsecond."""
        path = tmp_path / "log.parquet"
        records = list(sold.store.stream_records())

        write_file(iter(records), ACTIVITIES, Format.PARQUET, path)

        assert parquet.read_table(path).to_pylist() == records

    def test_no_records_are_a_file_with_columns(self, tmp_path: Path) -> None:
        """Whoever reads it need not ask whether there were any."""
        path = tmp_path / "log.parquet"

        count = write_file(iter(()), ACTIVITIES, Format.PARQUET, path)

        assert count == 0
        assert parquet.read_table(path).column_names == list(ACTIVITIES.fields)

    def test_without_pyarrow_it_says_what_to_install(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is an extra; nothing else needs it."""
        monkeypatch.setitem(sys.modules, "pyarrow", None)
        path = tmp_path / "log.parquet"

        with pytest.raises(ExportError, match=r"install sublife\[parquet\]"):
            write_file(iter(()), ACTIVITIES, Format.PARQUET, path)

        assert list(tmp_path.iterdir()) == []
        assert write_file(iter(()), ACTIVITIES, Format.CSV, tmp_path / "log.csv") == 0


class TestFile:
    @pytest.mark.parametrize("form", Format)
    def test_an_error_on_the_way_leaves_what_was_there(self, form: Format, tmp_path: Path) -> None:
        """No half file, and no remains beside it."""
        path = tmp_path / "log"
        path.write_text("the last export", encoding="utf-8")

        with pytest.raises(ZeroDivisionError):
            write_file(_breaking_off(), ACTIVITIES, form, path)

        assert [each.name for each in tmp_path.iterdir()] == ["log"]
        assert path.read_text(encoding="utf-8") == "the last export"

    @pytest.mark.parametrize("form", Format)
    def test_a_new_file_takes_the_place_of_the_old_one(self, form: Format, tmp_path: Path) -> None:
        """With the rights of the old one, and where a link leads to."""
        path, link = tmp_path / "log", tmp_path / "link"
        path.write_text("the last export", encoding="utf-8")
        path.chmod(0o600)
        link.symlink_to(path)

        write_file(iter(()), ACTIVITIES, form, link)

        assert link.is_symlink()
        assert path.stat().st_mode & 0o777 == 0o600
        assert b"the last export" not in path.read_bytes()

    def test_a_folder_that_is_not_there_is_told(self, tmp_path: Path) -> None:
        """With the path and why."""
        path = tmp_path / "nowhere" / "log.csv"

        with pytest.raises(ExportError, match=r"log\.csv cannot be written: .*No such file"):
            write_file(iter(()), ACTIVITIES, Format.CSV, path)

    def test_a_pipe_is_written_to(self, tmp_path: Path) -> None:
        """Something that is no file is not replaced."""
        path = tmp_path / "pipe"
        os.mkfifo(path)
        read: list[str] = []
        reader = threading.Thread(target=lambda: read.append(path.read_text(encoding="utf-8")))
        reader.start()

        write_file([activity()], ACTIVITIES, Format.JSONL, path)

        reader.join(timeout=60)
        assert json.loads(read[0])["customer"] == "tailspin"
        assert path.is_fifo()


def _breaking_off() -> Iterator[Record]:
    yield activity(**{name: "x" for name, kind in ACTIVITIES.fields.items() if kind is str})
    raise ZeroDivisionError


@pytest.mark.soak
def test_memory_stays_flat_however_many_records_there_are(
    shared_url: str, open_desk: Callable[..., "Desk"], tmp_path: Path
) -> None:
    """Five times the records, all of one instant: the same peak, whatever the format."""
    store = open_desk(shared_url).store
    peaks: dict[Format, list[int]] = {form: [] for form in Format}
    for count in (10, *sized((1_500, 6_000), (2_000, 10_000))):
        own = store.of(f"tenant-{count}")
        _fill(own, count)
        for form in Format:
            peaks[form].append(_peak(own, form, tmp_path / f"log-{count}", count))

    assert [form for form, (_, few, many) in peaks.items() if many > 1.5 * few] == []


def _peak(store: Store, form: Format, path: Path, count: int) -> int:
    tracemalloc.start()
    written = write_file(store.stream_records(), ACTIVITIES, form, path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert written == count
    return peak


_JOURNAL: Mapping[str, str] = {
    "subject": "'s' || i",
    "sequence": "1",
    "stamp": "0",
    "event_id": "'e' || i",
    "lifecycle": "'subscription'",
    "version": "1",
    "name": "'term_ended'",
    "actor_kind": "'timer'",
    "actor_id": "'term_ended'",
    "actor": "'{}'",
    "state_before": "'active'",
    "state": "'expired'",
    "rules": "'SUB-03'",
    "policy": "'p'",
    "data": "'{}'",
    "outcome": "'{}'",
    "hash": "''",
}
_ACTIVITY: Mapping[str, str] = {
    "id": "'e' || i",
    "kind": "'renewal'",
    "stage": "'progress'",
    "fact": "'subscription-expired'",
    "partner": "'contoso'",
    "customer": "'tailspin'",
    "subscription": "'s' || i",
    "actor_kind": "'timer'",
    "actor_id": "'term_ended'",
    "event_id": "'e' || i",
    "version": "1",
    "number": "0",
    "rules": "'SUB-03'",
    "policy": "'p'",
}


def _fill(store: Store, count: int) -> None:
    """Write *count* activity records of one instant, each with the journal row of its event."""
    zone = "" if store.engine.dialect.name == "sqlite" else "+00"
    at = f"'2025-10-01 00:00:00.000000{zone}'"
    if zone:
        at = f"CAST({at} AS TIMESTAMP WITH TIME ZONE)"
    counted = f"SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}"  # noqa: S608 – a number
    with store.engine.begin() as connection:
        for table, columns in (("sublife_journal", _JOURNAL), ("sublife_activity", _ACTIVITY)):
            values = {
                name: "CAST('{}' AS JSONB)" if zone and each == "'{}'" else each
                for name, each in columns.items()
            }
            values |= {"tenant": f"'{store.tenant}'", "effective_at": at, "recorded_at": at}
            connection.exec_driver_sql(
                f"INSERT INTO {table} ({', '.join(values)}) "  # noqa: S608 – names of our own
                f"WITH RECURSIVE n(i) AS ({counted}) SELECT {', '.join(values.values())} FROM n"
            )
