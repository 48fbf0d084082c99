"""A daemon in a thread of a host whose main thread ends without stopping it."""

import subprocess
import sys
from pathlib import Path

from sublife.events.store import Store
from sublife.scheduler.clock import SystemClock

HOST = """
import sys
from threading import Event, Thread
from sublife.events.store import Store
from sublife.scheduler.clock import SystemClock
from sublife.scheduler.daemon.process import Daemon
from sublife.scheduler.settings import load

daemon = Daemon(load(flags={"store": sys.argv[1]}))
Thread(target=daemon.run).start()
store = Store.open(sys.argv[1], clock=SystemClock())
while not store.daemons.all():
    Event().wait(0.05)
store.close()
"""


def test_it_raises_and_signs_off(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    store = Store.open(url, clock=SystemClock())

    done = subprocess.run(
        [sys.executable, "-c", HOST, url], capture_output=True, text=True, timeout=60, check=False
    )

    assert "HostEndedError: the main thread has ended" in done.stderr
    (sign,) = store.daemons.all()
    store.close()
    assert sign.stopped_at is not None
