"""Runs an import: reads all rows first, then takes them in, in the order of their instants."""

from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from sublife.events.document import DocumentError
from sublife.events.inbound import audit, migration, order, subscription, webhook
from sublife.events.inbound.reading import read_rows
from sublife.events.inbound.row import Fate, Row, Shape, Verdict, unmapped
from sublife.events.inbound.shape import rows_of, unknown
from sublife.events.inbound.sorting import Key, in_order
from sublife.events.inbound.target import Target
from sublife.events.intake import IntakeError
from sublife.events.printable import shortened
from sublife.events.wire import Reader
from sublife.lifecycle.model import ModelError, iso

Taking = Callable[[Row, Target], Verdict]
TAKING: Mapping[Shape, Taking] = MappingProxyType(
    {
        Shape.SUBSCRIPTION: subscription.take,
        Shape.ORDER: order.take,
        Shape.MIGRATION: migration.take,
        Shape.SCHEDULE: migration.take,
        Shape.MIGRATION_EVENT: webhook.take_event,
        Shape.AUDIT: audit.take,
        Shape.WEBHOOK: webhook.take,
    }
)
"""Who takes in rows of each shape."""
_DATED: Mapping[Shape, tuple[str, ...]] = MappingProxyType(
    {
        Shape.ORDER: ("creationDate",),
        Shape.MIGRATION: ("startedTime", "createdTime", "lastModifiedTime"),
        Shape.SCHEDULE: ("lastModifiedTime", "createdTime"),
        Shape.MIGRATION_EVENT: ("createdTime",),
        Shape.AUDIT: ("operationDate",),
        Shape.WEBHOOK: ("ResourceChangeUtcDate",),
    }
)
"""The fields that say when it happened, the first one that is there; the export's instant else."""
_RANKS = tuple(Shape)
_UNKNOWN = 1000
"""Rows of no known shape that a file may begin with; one with more is something else."""
_SAID = 1000
"""Characters that may be said of one row; a row may hold texts of any length."""
_NEW, _HAPPENED, _STORED = range(3)
"""What comes first: what is new is taken over, then what happened, then what is compared."""


@dataclass(frozen=True, slots=True)
class Told:
    """A row and what became of it."""

    row: Row
    verdict: Verdict


class Import:
    """One import of some files into a store.

    Args:
        paths: the files.
        target: the store, and what rows do not say themselves.
        strict: import all rows or nothing.
        is_check: import nothing, only say what would be.

    Attributes:
        tally: how many rows there were of each fate, as far as it has gone.
        empty: the files that hold no row.
        is_kept: whether what was imported stays; false where all of it was rolled back.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        target: Target,
        *,
        strict: bool = False,
        is_check: bool = False,
    ) -> None:
        self._paths = tuple(paths)
        self._target = target
        self._strict = strict
        self._is_check = is_check
        self.tally: Counter[Fate] = Counter()
        self.empty: tuple[str, ...] = ()
        self.is_kept = True

    @property
    def is_well(self) -> bool:
        """Whether nobody has to look at any row."""
        return all(fate.is_well for fate in self.tally)

    def rows(self) -> Generator[Told]:
        """Import, row by row, and yield what became of each.

        Everything is read before the first row is taken in, so a broken file changes nothing.

        Raises:
            DocumentError: a file cannot be read, or is broken.
            StoreError: the database does not do what it is asked; rows told so far are in it,
                unless all are taken in together.
        """
        with closing(in_order(self._keyed())) as rows:
            if not (self._strict or self._is_check):
                yield from self._taken(rows, self._target)
                return
            yield from self._together(rows)

    def _together(self, rows: Iterator[tuple[Key, Row]]) -> Iterator[Told]:
        """Take all rows in within one transaction, and keep it only if all are well."""
        store = self._target.store
        with store.engine.connect() as connection, connection.begin() as held:
            joined = replace(self._target, store=store.within(connection), is_joined=True)
            yield from self._taken(rows, joined)
            if self._is_check or not self.is_well:
                self.is_kept = False
                held.rollback()

    def _taken(self, rows: Iterator[tuple[Key, Row]], target: Target) -> Iterator[Told]:
        for _, row in rows:
            verdict = _verdict(row, target)
            if len(verdict.said) > _SAID:
                verdict = replace(verdict, said=shortened(verdict.said, _SAID))
            self.tally[verdict.fate] += 1
            yield Told(row, verdict)

    def _keyed(self) -> Iterator[tuple[Key, Row]]:
        """Yield every row of every file with its place in the order."""
        for number, path in enumerate(self._paths):
            known = unknown_ = 0
            for line, value in read_rows(path):
                for row in rows_of(str(path), line, value):
                    known += row.shape is not Shape.UNKNOWN
                    unknown_ += row.shape is Shape.UNKNOWN
                    if not known and unknown_ > _UNKNOWN:
                        raise _foreign(row)
                    place = (number, row.line, row.item)
                    yield (*_when(row, self._target), _RANKS.index(row.shape), *place), row
            if not known + unknown_:
                self.empty += (str(path),)


def _foreign(row: Row) -> DocumentError:
    """Return the error for a file that begins with nothing but rows of no known shape."""
    said = f"none of its first {_UNKNOWN:,} rows can be imported; this one {unknown(row)}"
    return DocumentError(row.file, [(row.line, f"{said}. Export it again")])


def _when(row: Row, target: Target) -> tuple[int, str]:
    """Return which part of the import a row belongs to, and its instant as a text that sorts."""
    if row.shape is Shape.SUBSCRIPTION:
        reader = Reader(row.fields)
        legacy = reader.text("migratedFromSubscriptionId").lower()
        is_new = not target.has(reader.text("id").lower()) and not target.has(legacy)
        return (_NEW if is_new else _STORED), _sortable(target.at)
    at = _dated(row, target)
    return _HAPPENED, _sortable(at) if isinstance(at, datetime) else ""


def _sortable(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S.%f}"


def _dated(row: Row, target: Target) -> datetime | str:
    """Return when a row happened, in UTC, or why that is not known."""
    names = _DATED.get(row.shape, ())
    reader = Reader(row.fields)
    name = next((each for each in names if reader.text(each)), None)
    if name is None:
        must = row.shape not in {Shape.MIGRATION, Shape.SCHEDULE} and names
        return f"{names[0]} is missing, so it names no instant" if must else target.at
    found = reader.instant(name)
    return found if found is not None else f"{name}: {reader.faults[0].message}"


def _verdict(row: Row, target: Target) -> Verdict:
    """Take one row in, or say why it cannot be."""
    if row.shape is Shape.UNKNOWN:
        return unmapped(unknown(row))
    at = _dated(row, target)
    if isinstance(at, str):
        return unmapped(at)
    now = target.store.clock.now()
    if at > now:
        return unmapped(
            f"is dated {iso(at)}, but it is {iso(now)}; what has not happened is not imported"
        )
    try:
        return TAKING[row.shape](row, target)
    except (ModelError, IntakeError, ValueError) as error:
        return unmapped(str(error))
    except OverflowError:
        return unmapped("has a date beyond the calendar; fix it")
