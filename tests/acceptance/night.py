"""One of several processes that settle a night together; `test_night.py` starts it.

Usage: python night.py ADDRESS NOW [BATCH]. Says `ready`, waits for a line, settles, prints how many
events.
"""

import sys
from datetime import datetime

from sublife.events.intake import settle
from sublife.events.intake.work import BATCH
from sublife.events.store import Store
from sublife.scheduler.clock import SimulatedClock

if __name__ == "__main__":
    address, now = sys.argv[1], datetime.fromisoformat(sys.argv[2])
    batch = int(sys.argv[3]) if len(sys.argv) > 3 else BATCH
    store = Store.open(address, clock=SimulatedClock(now))
    print("ready", flush=True)
    sys.stdin.readline()
    print(settle(store, now, batch=batch, collect=False, workers=1).count, flush=True)
    store.close()
