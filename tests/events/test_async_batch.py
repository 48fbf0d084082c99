"""AsyncStore settles batches that a store without asyncio would copy in."""

import asyncio

import pytest

from sublife.events.aio import AsyncStore
from sublife.events.store.bulk import COPIED
from sublife.scheduler.clock import SimulatedClock
from tests.events.test_server import LATE
from tests.events.test_together import bought

CLOCK = SimulatedClock(LATE)


@pytest.mark.parametrize("count", [COPIED - 1, COPIED, COPIED + 1])
def test_a_batch_of_any_size_is_settled(migrated_database: str, count: int) -> None:
    async def settled() -> int:
        async with await AsyncStore.open(migrated_database, clock=CLOCK) as store:
            for number in range(count):
                await store.submit(bought(f"s{number}", f"c{number}", autorenew=False))
            return len((await store.settle(LATE)).outcomes)

    assert asyncio.run(settled()) == 3 * count
