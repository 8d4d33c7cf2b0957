"""How often an attempt is heard of, and what is said, on a clock that does not wait."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from itertools import pairwise
from typing import Any, cast

from clipstream.common.bus.memory import InMemoryBus
from clipstream.common.bus.port import Bus
from clipstream.common.contracts.events import ClipProgress
from clipstream.common.contracts.ids import RunId
from clipstream.common.stage.heartbeat import Heartbeat
from fixtures import clips


class SkippingLoop(asyncio.SelectorEventLoop):
    """An event loop in which time passes only while nothing is left to do, and then at once."""

    _now = 0.0

    def time(self) -> float:
        return self._now

    def _run_once(self) -> None:
        if not self._ready and self._scheduled:  # type: ignore[attr-defined]
            self._now = max(self._now, self._scheduled[0].when())  # type: ignore[attr-defined]
        super()._run_once()  # type: ignore[misc]


def heard(telling: Coroutine[Any, Any, list[tuple[float, ClipProgress]]]) -> list[tuple[float, ClipProgress]]:
    with asyncio.Runner(loop_factory=SkippingLoop) as runner:
        return runner.run(telling)


async def told(fractions: list[float], every_s: float) -> list[tuple[float, ClipProgress]]:
    """What the bus carries, and when, while a handler tells each of `fractions`, `every_s` apart."""
    loop, said = asyncio.get_running_loop(), list[tuple[float, ClipProgress]]()

    class Ear(InMemoryBus):
        async def progress(self, event: ClipProgress) -> None:
            said.append((loop.time(), event))

    upload = clips.upload_completed()
    started = ClipProgress(
        video_id=upload.video_id,
        stream_id=upload.stream_id,
        stage="transcode",
        state="started",
        attempt=1,
        run_id=RunId("run"),
    )
    heartbeat = Heartbeat(cast(Bus, Ear()), started)
    async with heartbeat.beating():
        for fraction in fractions:
            heartbeat.tell(fraction, None)
            await asyncio.sleep(every_s)
    return said


def test_it_is_heard_at_most_once_a_second() -> None:
    said = heard(told([number / 1000 for number in range(1000)], every_s=0.01))
    moments = [moment for moment, _ in said[1:]]
    assert said[0][1].state == "started"
    assert len(moments) in (9, 10)
    assert all(later - earlier > 0.999 for earlier, later in pairwise(moments))
    assert [event.fraction for _, event in said] == sorted(event.fraction for _, event in said)
    assert said[-1][1].fraction > 0.85


def test_it_never_goes_over_the_end_nor_back() -> None:
    said = heard(told([0.5, 0.25, float("nan"), -3.0, 7.0, 0.1], every_s=2.0))
    assert [event.fraction for _, event in said] == [0.0, 0.5, 0.5, 0.5, 0.5, 1.0, 1.0, 1.0]


def test_silence_is_broken_every_ten_seconds() -> None:
    said = heard(told([0.5], every_s=45.0))
    assert [round(moment) for moment, _ in said] == [0, 1, 11, 21, 31, 41, 45]
    assert {event.fraction for _, event in said[1:-1]} == {0.5}
    assert said[-1][1].fraction == 1.0, "a good end is told"
