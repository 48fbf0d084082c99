"""Rings for each duty of the daemon, on APScheduler; the only file that imports it.

Each ring is a job of its own that comes once; the next one is put in when the work of a duty has
ended, so it never runs twice at once and a ring that comes late still counts. APScheduler goes by
the system clock; one that is set back would silence it, so `tend` rings for whoever is overdue by
steady time.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, timedelta
from threading import Lock
from time import monotonic
from typing import Any

from apscheduler.jobstores.base import JobLookupError  # pyright: ignore[reportMissingTypeStubs]
from apscheduler.schedulers.background import (  # pyright: ignore[reportMissingTypeStubs]
    BackgroundScheduler,
)

from sublife.events.logs import log
from sublife.scheduler.clock import SystemClock

AFTER_FAULT_SECONDS = 5.0
"""When a duty rings again whose work has failed in a way nobody expected."""
OVERDUE_SECONDS = 2.0


@dataclass(slots=True)
class _Duty:
    """What is rung for, and when next."""

    work: Callable[[], float]
    is_running: bool = False
    is_rung: bool = False
    expected: float = 0.0
    job: Any = None


class Beat:
    """Duties that ring again and again, each by itself."""

    def __init__(self) -> None:
        logging.getLogger("apscheduler").setLevel(logging.WARNING)
        self._clock = SystemClock()
        self._duties: dict[str, _Duty] = {}
        self._lock = Lock()
        self._is_over = False
        self._scheduler: Any = BackgroundScheduler(
            timezone=UTC,
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )

    def add(self, name: str, work: Callable[[], float], *, after: float = 0) -> None:
        """Add a duty.

        Args:
            name: of the duty.
            work: what to do; returns the seconds until it rings again.
            after: seconds until it rings for the first time.
        """
        self._duties[name] = _Duty(work)
        with self._lock:
            self._put_in(name, after)

    def start(self) -> None:
        """Begin to ring."""
        self._scheduler.start()

    def ring(self, name: str) -> None:
        """Ring now; while the work is under way, as soon as it ends."""
        with self._lock:
            duty = self._duties[name]
            if duty.is_running:
                duty.is_rung = True
            elif duty.expected > monotonic():  # else it is just about to ring
                self._put_in(name, 0)

    def tend(self) -> None:
        """Ring for every duty that is overdue by steady time."""
        with self._lock:
            for name, duty in self._duties.items():
                if not duty.is_running and monotonic() > duty.expected + OVERDUE_SECONDS:
                    self._put_in(name, 0)

    def end(self) -> None:
        """Ring no more, and wait for the work under way."""
        with self._lock:
            self._is_over = True
        if self._scheduler.running:
            self._scheduler.remove_all_jobs()  # what rings during a shutdown would break its thread
            self._scheduler.shutdown(wait=True)

    def _put_in(self, name: str, seconds: float) -> None:
        """Ring in so many seconds, instead of when it was to ring."""
        if self._is_over:
            return
        duty = self._duties[name]
        if duty.job is not None:
            with suppress(JobLookupError):  # it has rung
                duty.job.remove()
        duty.expected = monotonic() + seconds
        at = self._clock.now() + timedelta(seconds=seconds)
        duty.job = self._scheduler.add_job(self._run, "date", run_date=at, args=(name,), name=name)

    def _run(self, name: str) -> None:
        """Do the work of a duty, and put in its next ring."""
        duty = self._duties[name]
        with self._lock:
            if duty.is_running:
                duty.is_rung = True
                return
            duty.is_running, duty.is_rung = True, False
        try:
            seconds = duty.work()
        except Exception:  # noqa: BLE001 – a fault of one ring may not be the last one
            log.exception("duty_broken", duty=name)
            seconds = AFTER_FAULT_SECONDS
        with self._lock:
            duty.is_running = False
            self._put_in(name, 0 if duty.is_rung else seconds)
