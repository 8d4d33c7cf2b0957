"""What holds a child that encodes a real clip: the cage around it, its limits, and whoever may end it."""

from __future__ import annotations

import asyncio
import os
import resource
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from clipstream.common.contracts.control import StopOrder
from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.events import ClipDeleted
from clipstream.common.contracts.ids import EventId
from clipstream.common.errors import Cancelled, Transient
from clipstream.common.stage.context import Limits
from clipstream.common.stage.isolate import isolate
from clipstream.common.stage.stops import Stops
from clipstream.common.store.disk.store import DiskStore
from clipstream.transcode.encoding.chunk import encode_chunk
from clipstream.transcode.made import PartMade
from clipstream.transcode.planned import Plan
from corpus.gameplay import render_clip
from fixtures import clips
from integration.transcode.whole import planned

_GIB = 1 << 30


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", seed=1, duration_s=8, width=480, height=270)


class Encoding:
    """One chunk on its way through a real child."""

    def __init__(self, clip: Path, home: Path) -> None:
        self.plan: Plan = planned(clip).model_copy(update={"preset": "slow"})
        self.told: list[float] = []
        self.begun = asyncio.Event()
        self._clip = clip
        self._store = DiskStore(home / "store", "clipstream", None)
        self._scratch = home / "scratch"
        self._scratch.mkdir()

    async def run(self, limits: Limits) -> PartMade:
        await self._store.put_file(self.plan.source_key, self._clip, content_type="video/mp4")
        return await isolate(
            encode_chunk,
            store=self._store,
            source=self.plan.source_key,
            scratch=self._scratch,
            limits=limits,
            progress=self._tell,
            take=_taken,
            plan=self.plan,
            number=1,
        )

    def _tell(self, fraction: float) -> None:
        self.told.append(fraction)
        self.begun.set()


async def _taken(_: Path) -> None:
    """The segment would be stored now."""


@pytest.fixture
def encoding(clip: Path, tmp_path: Path) -> Encoding:
    return Encoding(clip, tmp_path)


def children() -> list[int]:
    """The processes that this one has started and not seen end."""
    return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]


async def test_an_encoding_child_is_shut_in_and_bounded(encoding: Encoding) -> None:
    limits = Limits(cpu=timedelta(seconds=77), memory_bytes=3 * _GIB, file_bytes=199 << 20, open_files=99, nice=3)
    before = set(children())
    working = asyncio.create_task(encoding.run(limits))
    await encoding.begun.wait()
    [child] = set(children()) - before
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{child}/status").read_text().splitlines())
    assert (status["Seccomp"], status["NoNewPrivs"]) == ("2", "1")
    assert resource.prlimit(child, resource.RLIMIT_AS) == (3 * _GIB, 3 * _GIB)
    assert resource.prlimit(child, resource.RLIMIT_CPU) == (77, 79)
    assert resource.prlimit(child, resource.RLIMIT_FSIZE) == (199 << 20, 199 << 20)
    assert resource.prlimit(child, resource.RLIMIT_NOFILE) == (99, 99)
    assert resource.prlimit(child, resource.RLIMIT_CORE) == (0, 0)
    assert os.getpriority(os.PRIO_PROCESS, child) == os.getpriority(os.PRIO_PROCESS, 0) + 3
    held = [str(link.readlink()) for link in Path(f"/proc/{child}/fd").iterdir()]
    assert len([name for name in held if name.startswith("socket:")]) == 1  # the channel to us
    made = await working
    assert made.pictures == 240
    assert child not in children()


async def test_progress_of_an_encoding_rises_to_the_end_and_not_beyond(encoding: Encoding) -> None:
    await encoding.run(Limits())
    assert encoding.told == sorted(encoding.told)
    assert encoding.told[0] >= 0
    assert encoding.told[-1] == 1


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(wall=timedelta(seconds=1)), "took longer than the 1 s it may"),
        (Limits(cpu=timedelta(seconds=1)), "used more than the 1 s of CPU time it may"),
        (Limits(file_bytes=1 << 10), "wrote a file larger than"),
        (Limits(memory_bytes=200 << 20), "memory"),
    ],
)
async def test_an_encoding_that_takes_too_much_is_ended_in_words(
    encoding: Encoding, limits: Limits, words: str
) -> None:
    before = set(children())
    with pytest.raises(Transient, match=words):
        await encoding.run(limits)
    assert not set(children()) - before


async def deleted(stops: Stops, job: Envelope) -> None:
    gone = ClipDeleted(video_id=job.data.video_id, stream_id=job.data.stream_id)
    await stops.deleted(Envelope.first(gone, event_id=EventId(uuid4()), source="test"))


async def ordered(stops: Stops, job: Envelope) -> None:
    await stops.ordered(StopOrder(video_id=job.data.video_id, stage="transcode", chains=(job.correlationid,)))


@pytest.mark.parametrize("stopped", [deleted, ordered])
async def test_a_running_encode_is_dead_once_its_work_was_stopped(
    encoding: Encoding, stopped: Callable[[Stops, Envelope], Awaitable[None]]
) -> None:
    """When the handler's cancellation is through, so is the child: nothing is left that could go on."""
    stops, job, before = Stops(), clips.envelope(clips.clip_admitted()), set(children())
    working = asyncio.create_task(stops.unless_stopped(job, "transcode", encoding.run(Limits())))
    await encoding.begun.wait()
    [child] = set(children()) - before
    await stopped(stops, job)
    with pytest.raises(Cancelled):
        await working
    assert not Path(f"/proc/{child}").exists()
    assert encoding.told[-1] < 1


async def test_work_that_was_stopped_before_it_began_starts_no_child(encoding: Encoding) -> None:
    stops, job, before = Stops(), clips.envelope(clips.clip_admitted()), set(children())
    await deleted(stops, job)
    with pytest.raises(Cancelled):
        await stops.unless_stopped(job, "transcode", encoding.run(Limits()))
    assert set(children()) == before
    assert not encoding.told
