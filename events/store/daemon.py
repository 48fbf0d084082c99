"""The daemons of a database: who runs, and when each last beat."""

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import bindparam, delete, select, update

from sublife.events.layout import DAEMON
from sublife.events.store.bulk import Bulk
from sublife.events.store.database import Source
from sublife.events.store.delivery.work import write
from sublife.events.store.link import Link
from sublife.events.store.statement import Statement, stored, written
from sublife.events.store.typed import LeftOut, Reader, readable

_NEW = Bulk(DAEMON)
_ALL = Statement(select(DAEMON).order_by(DAEMON.c.started_at, DAEMON.c.id))
_OURS = DAEMON.c.id == bindparam("i")
_BEAT = Statement(update(DAEMON).where(_OURS).values(beat_at=bindparam("at")))
_STOP = Statement(
    update(DAEMON).where(_OURS).values(beat_at=bindparam("at"), stopped_at=bindparam("at"))
)
_FORGET = Statement(delete(DAEMON).where(DAEMON.c.beat_at < bindparam("at")))


class Daemon(NamedTuple):
    """One process of `sublife daemon`.

    Args:
        id: of this run, never used again.
        host: the name of the machine.
        pid: of the process.
        release: of sublife.
        started_at: UTC instant.
        beat_at: UTC instant of its latest sign of life.
        stopped_at: UTC instant at which it left; `None` while it runs, and if it was killed.
    """

    id: str
    host: str
    pid: int
    release: str
    started_at: datetime
    beat_at: datetime
    stopped_at: datetime | None = None


class Daemons:
    """The daemons of a database.

    Args:
        source: where transactions come from.
    """

    def __init__(self, source: Source) -> None:
        self._source = source

    def all(self, *, left_out: LeftOut | None = None) -> tuple[Daemon, ...]:
        """Return every daemon that is not forgotten, the oldest first.

        Args:
            left_out: takes the error of each row that cannot be read; if not given, it is raised.
        """
        with self._source.reading() as link:
            return tuple(readable(_ALL.rows(link, {}), _daemon_of, left_out))

    def beat(self, daemon: Daemon) -> None:
        """Write down that a daemon lives; the first beat brings it in."""

        def work(link: Link) -> None:
            key = {"i": daemon.id, "at": stored(daemon.beat_at, link.dialect)}
            if not _BEAT.write(link, [key]):
                _NEW.write(link, [_row(daemon)])

        write(self._source, work)

    def stop(self, daemon: Daemon, now: datetime) -> None:
        """Write down that a daemon leaves."""
        write(
            self._source,
            lambda link: _STOP.write(link, [{"i": daemon.id, "at": stored(now, link.dialect)}]),
        )

    def forget(self, before: datetime) -> int:
        """Forget daemons whose latest beat was before a UTC instant; return how many."""
        return write(
            self._source,
            lambda link: _FORGET.write(link, [{"at": stored(before, link.dialect)}]),
        )


def _row(daemon: Daemon) -> tuple[Any, ...]:
    return (
        *daemon[:4],
        written(daemon.started_at),
        written(daemon.beat_at),
        written(daemon.stopped_at),
    )


_READER = Reader(
    DAEMON,
    key=lambda found: f"daemon {found['id']}",
    remedy="delete it; a daemon that runs writes another one with its next sign of life",
)


def _daemon_of(row: Any) -> Daemon:
    return Daemon(**_READER.values(row))
