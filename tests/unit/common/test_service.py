"""When a service's process ends, and with which status."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from clipstream.common.bus.memory import InMemoryBus
from clipstream.common.errors import Outage
from clipstream.common.stage.service import consumer_check, end_tasks, until_end, watch_consumers


class DoubtfulBus(InMemoryBus):
    """Answers what it is told to about its consumers."""

    def __init__(self, *answers: bool | None) -> None:
        super().__init__()
        self.answers = list(answers)

    async def consumers_ok(self) -> bool:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is None:
            raise Outage("RabbitMQ does not answer.")
        return answer


async def _forever() -> None:
    await asyncio.Event().wait()


async def _return() -> None:
    return None


async def _raise() -> None:
    raise RuntimeError("broken")


async def test_a_signal_ends_it_in_good_order() -> None:
    stop = asyncio.Event()
    ending = asyncio.create_task(until_end(stop, [asyncio.create_task(_forever())]))
    await asyncio.sleep(0)
    assert not ending.done()
    stop.set()
    assert await ending == 0


async def test_a_background_task_that_breaks_ends_it_for_its_supervisor_to_restart() -> None:
    assert await until_end(asyncio.Event(), [asyncio.create_task(_forever()), asyncio.create_task(_raise())]) == 1


async def test_a_background_task_may_return() -> None:
    stop = asyncio.Event()
    ending = asyncio.create_task(until_end(stop, [asyncio.create_task(_return()), asyncio.create_task(_forever())]))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not ending.done()
    stop.set()
    assert await ending == 0


async def test_queues_without_our_consumers_end_it_after_a_while() -> None:
    with pytest.raises(Outage, match="no consumer"):
        async with asyncio.timeout(5):
            await watch_consumers(DoubtfulBus(True, False), timedelta(milliseconds=20), every_s=0.001)


@pytest.mark.parametrize("answers", [(True,), (None,), (False, False, True)])
async def test_a_healthy_an_absent_and_a_recovered_broker_do_not(answers: tuple[bool | None, ...]) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await watch_consumers(DoubtfulBus(*answers), timedelta(milliseconds=20), every_s=0.001)


async def test_health_asks_the_broker() -> None:
    await consumer_check(DoubtfulBus(True))()
    with pytest.raises(Outage, match="no consumer"):
        await consumer_check(DoubtfulBus(False))()


async def test_a_task_whose_cleaning_up_fails_ends_all_the_same() -> None:
    begun, attempts = asyncio.Event(), 0

    async def survivor() -> None:
        nonlocal attempts
        while attempts < 2:
            begun.set()
            try:
                try:
                    await asyncio.Event().wait()
                finally:
                    attempts += 1
                    if attempts == 1:
                        raise Outage("The connection is gone.")
            except Outage:
                continue

    task = asyncio.create_task(survivor())
    await begun.wait()
    async with asyncio.timeout(5):
        await end_tasks([task])
    assert task.done()
    assert attempts == 2
