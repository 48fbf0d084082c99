"""The daemon as one process: opens the store, starts its duties, and ends them in order."""

import os
import secrets
import socket
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib.metadata import version
from threading import Event as Signal
from threading import Thread, main_thread
from time import monotonic

from rich.console import Console

from sublife.events.logs import log
from sublife.events.packs import load_pack
from sublife.events.store import ReplacedError, Store, StoreError, UnreachableError
from sublife.events.store.daemon import Daemon as Sign
from sublife.events.store.error import RefusedError
from sublife.lifecycle.error import SublifeError
from sublife.lifecycle.model import iso
from sublife.lifecycle.policy import Policy
from sublife.scheduler.clock import SystemClock
from sublife.scheduler.daemon.beat import Beat
from sublife.scheduler.daemon.delivering import Delivering
from sublife.scheduler.daemon.house import keep_house
from sublife.scheduler.daemon.lock import Held, alone
from sublife.scheduler.daemon.progress import Progress
from sublife.scheduler.daemon.serving import serving
from sublife.scheduler.daemon.settling import Looked, Settling, Witness, database_clock
from sublife.scheduler.daemon.streaming import streaming
from sublife.scheduler.daemon.trouble import Trouble
from sublife.scheduler.daemon.watch import SteadyClock, Watch
from sublife.scheduler.metrics import Metrics
from sublife.scheduler.settings import Settings

GAP_SECONDS = 0.05
"""Between two looks that follow each other: what falls due one by one is settled together."""
HEART_SECONDS = 10.0
"""Between two signs of life in the database."""
TEND_SECONDS = 5.0
"""Between two looks for tenants that have come to have endpoints."""
HOUSE_AFTER_SECONDS = 60.0
"""So long the start has the database to itself."""
SIGN_OFF_SECONDS = 2.0
"""How long a daemon that must end at once waits for the database to take its sign-off."""
START_SECONDS = 300.0
"""How long a daemon that starts waits for its database; machines start in any order."""
_TICK_SECONDS = 1.0
SETTLE = "settle"


class HostEndedError(SublifeError, RuntimeError):
    """The main thread has ended while a daemon ran in another one."""


class Daemon:
    """A daemon that settles, delivers and keeps house until it is told to stop.

    Args:
        settings: how it runs.
        clock: the system's, if not given.
        witness: the clock that it is compared with; the database's, if not given.
        console: where progress is drawn; nowhere if not given.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: SteadyClock | None = None,
        witness: Witness = database_clock,
        console: Console | None = None,
    ) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self._watch = Watch(clock or SystemClock(), settings.clock_tolerance_seconds)
        self._witness = witness
        self._console = console
        self._stop = Signal()
        self._signed: tuple[Store, Sign] | None = None
        self._looking: Settling | None = None

    def stop(self) -> None:
        """Claim nothing more; leave when the batches are done and the posts done or cut off."""
        self._stop.set()

    def sign_off(self) -> None:
        """Sign off at once, if the database takes it soon; the work under way is not waited for."""
        if self._signed is None:
            return
        leaving = Thread(target=self._leave, args=self._signed, daemon=True)
        leaving.start()
        leaving.join(SIGN_OFF_SECONDS)

    def run(self) -> None:
        """Work until `stop`; whatever is due already happens first, with its true instants.

        Raises:
            HostEndedError: it runs in a thread, and the main thread has ended.
            SecondDaemonError: another daemon works on the SQLite file.
            UnwritableError: the SQLite file or its folder cannot be written to.
            ReplacedError: the SQLite file was deleted, moved or replaced while it was open.
            NoFileError: the database is in memory.
            SchemaError: the tables are not those of this release; the message says what to run.
            StoreError: the database cannot be opened.
            DocumentError: the policy pack is broken.
            ListenError: the HTTP interface cannot be served where it should be.
            TracingError: traces are asked for, but cannot be sent.
            SettingError: what the settings say of the event stream cannot be.
            ExtraMissingError: the event stream is asked for, but its extra is not installed.
        """
        policy = load_pack(self.settings.policy)
        with alone(self.settings.store) as held, ExitStack() as stack:
            store = self._opened(policy)
            if store is None:
                return
            stack.callback(store.close)
            self._watch.compare_with_history(
                store.tenants.latest_at(), is_right=self.settings.clock_is_right
            )
            sign = self._sign()
            self._signed = store, sign
            stack.callback(self._leave, store, sign)
            doubt = partial(_doubt, held, self._watch)
            stack.enter_context(
                serving(
                    store,
                    self.settings,
                    metrics=self.metrics,
                    clock=self._watch,
                    doubt=doubt,
                    stuck=self._stuck,
                )
            )
            stream = stack.enter_context(streaming(store, self.settings, self._stop))
            beat = stack.enter_context(self._working(store, sign, stream))
            log.info("daemon_started", daemon=sign.id, release=sign.release, pid=sign.pid)
            while not self._stop.wait(_TICK_SECONDS):
                _demand(held)
                _demand_main_thread()
                beat.tend()

    def _opened(self, policy: Policy) -> Store | None:
        """Open the store; wait for a database that does not answer yet, but not for ever."""
        from sublife.events.store.upgrade import standing  # noqa: PLC0415 – Alembic takes its time

        settings, trouble, began = self.settings, Trouble(), monotonic()
        while not self._stop.is_set():
            try:
                standing(settings.store).demand()
                store = Store.open(settings.store, clock=self._watch, policy=policy)
            except UnreachableError as error:
                is_late = monotonic() - began > START_SECONDS
                if is_late or isinstance(error, RefusedError):
                    raise
                self._stop.wait(trouble.met(error))
            else:
                trouble.over()
                return store
        return None

    def _sign(self) -> Sign:
        now, host = self._watch.now(), socket.gethostname()
        name = f"{host}-{os.getpid()}-{secrets.token_hex(4)}"
        return Sign(name, host, os.getpid(), version("sublife"), now, now)

    def _leave(self, store: Store, sign: Sign) -> None:
        try:
            store.daemons.stop(sign, self._watch.now())
        except StoreError as error:
            log.warning("leaves_unsigned", reason=str(error))
        log.info("daemon_stopped", daemon=sign.id)

    @contextmanager
    def _working(
        self, store: Store, sign: Sign, stream: Callable[[], float] | None
    ) -> Generator[Beat]:
        """Start the duties; end them in order: none is cut off in its work but a slow post."""
        settings = self.settings
        settling = self._looking = self._settling(store)
        delivering = Delivering(
            store=store,
            seconds=settings.deliver_seconds,
            stop_seconds=settings.stop_seconds,
            metrics=self.metrics,
        )
        beat = Beat()
        beat.add(SETTLE, Looks(settling, settings.beat_seconds))
        beat.add("heart", _guarded(lambda: self._show_life(store, sign), HEART_SECONDS))
        if settings.deliver:
            beat.add("deliver", _guarded(delivering.tend, TEND_SECONDS))
        if stream is not None:
            beat.add("stream", stream)
        beat.add(
            "house",
            _guarded(
                lambda: keep_house(store, settings, self._watch.now()), settings.house_seconds
            ),
            after=min(HOUSE_AFTER_SECONDS, settings.house_seconds),
        )
        hearing = Thread(target=self._hear, args=(store, beat), name="sublife-hear", daemon=True)
        beat.start()
        hearing.start()
        try:
            yield beat
        finally:
            self._stop.set()
            log.info("daemon_stopping", daemon=sign.id)
            delivering.stop()
            beat.end()
            delivering.end()
            hearing.join()

    def _stuck(self) -> tuple[str, ...]:
        """Return the ids of subjects that cannot be moved, as far as is known."""
        return () if self._looking is None else self._looking.stuck

    def _settling(self, store: Store) -> Settling:
        settings = self.settings
        return Settling(
            store=store,
            watch=self._watch,
            workers=settings.workers,
            batch=settings.batch,
            stop=self._stop,
            metrics=self.metrics,
            progress=Progress(self._console),
            witness=self._witness,
            look_again_seconds=settings.beat_seconds,
        )

    def _show_life(self, store: Store, sign: Sign) -> None:
        store.daemons.beat(sign._replace(beat_at=self._watch.now()))

    def _hear(self, store: Store, beat: Beat) -> None:
        """Ring when something near has been written to the database, by whomever."""
        while not self._stop.is_set():
            try:
                with store.notices() as notices:
                    beat.ring(SETTLE)  # for what nobody heard
                    while not self._stop.is_set():
                        if notices.wait(_TICK_SECONDS):
                            beat.ring(SETTLE)
            except StoreError:
                self._stop.wait(_TICK_SECONDS)


def _demand_main_thread() -> None:
    """See that the main thread lives: once it has ended, Python starts no work in other threads.

    Raises:
        HostEndedError: it has ended.
    """
    if not main_thread().is_alive():
        raise HostEndedError(
            "the main thread has ended while the daemon ran in another one, and Python starts no "
            "more work then, so the daemon ends; call stop() and join its thread before the end"
        )


def _demand(held: Held | None) -> None:
    """See that the file is still ours and at its path; PostgreSQL has none.

    Raises:
        ReplacedError: it is not.
    """
    try:
        if held is not None:
            held.demand()
    except ReplacedError as error:
        log.error("database_lost", reason=str(error))
        raise


def _doubt(held: Held | None, watch: Watch) -> tuple[str, str] | None:
    """Return why no request can be served well now, as code and sentence; `None` if all is well."""
    try:
        if held is not None:
            held.demand()
    except ReplacedError:
        return "DATABASE", "the database file was deleted, moved or replaced; the daemon stops"
    doubt = watch.doubt()
    return ("CLOCK", doubt) if doubt else None


class Looks:
    """The duty to settle: one look, and how long to wait for the next one."""

    def __init__(self, settling: Settling, beat_seconds: float) -> None:
        self._settling = settling
        self._beat_seconds = beat_seconds
        self._trouble = Trouble()
        self._fruitless = 0

    def __call__(self) -> float:
        """Look, settle, and return the seconds until the next look."""
        try:
            looked = self._settling.run_once()
        except StoreError as error:
            return self._trouble.met(error)
        self._trouble.over()
        return min(self._wait(looked), self._beat_seconds)

    def _wait(self, looked: Looked) -> float:
        if looked.remaining and not looked.is_held:
            self._fruitless = 0 if looked.events else self._fruitless + 1
            return GAP_SECONDS * (2.0 ** min(self._fruitless, 16) - 1)
        self._fruitless = 0
        if looked.next_due_at is None:
            return self._beat_seconds
        left = (looked.next_due_at - self._settling.watch.now()).total_seconds()
        log.debug("next_due", at=iso(looked.next_due_at), seconds=left)
        return max(left, GAP_SECONDS)


def _guarded(work: Callable[[], None], seconds: float) -> Callable[[], float]:
    """Return *work* as a duty; that the database is away is told by the settling."""

    def duty() -> float:
        try:
            work()
        except UnreachableError:
            return min(seconds, TEND_SECONDS)
        except StoreError as error:
            log.error("duty_failed", reason=str(error))
        return seconds

    return duty
