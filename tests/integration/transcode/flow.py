"""One clip through the stages as the runner would call them, without a broker: real cage, a store on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from clipstream.common.contracts import keys
from clipstream.common.contracts.events import (
    ClipAdmitted,
    ClipIngested,
    ClipPlayable,
    ClipTranscoded,
    Event,
    PartPlanned,
)
from clipstream.common.contracts.ids import VideoId
from clipstream.common.store.disk.store import DiskStore
from clipstream.ingest.processor import Bounds, probe
from clipstream.transcode import parts, planning, previewing
from clipstream.transcode.plan import Recipe
from fixtures import clips
from fixtures.context import CagedAttempt
from validators.finding import Finding, faults
from validators.output import check_output

RECIPE = Recipe((144, 240), "superfast", 60.0)
COPY_BIT_RATE = 24_000_000

Attempts = Callable[[], CagedAttempt]


@dataclass
class Flow:
    """One uploaded clip, and whoever works on it."""

    store: DiskStore
    attempts: Attempts
    event: ClipAdmitted
    recipe: Recipe = RECIPE
    copy_bit_rate: int = 0

    @property
    def video_id(self) -> VideoId:
        return self.event.video_id

    async def preview(self) -> Sequence[Event]:
        ingested = ClipIngested.model_validate(self.event.model_dump())
        return await previewing.build(self.copy_bit_rate).handler(ingested, self.attempts())

    async def plan(self) -> list[PartPlanned]:
        return list(await self.planned_by(self.attempts()))  # type: ignore[arg-type]

    async def planned_by(self, attempt: CagedAttempt) -> Sequence[Event]:
        return await planning.build(self.recipe, copy_bit_rate=self.copy_bit_rate).handler(self.event, attempt)

    async def make(self, part: PartPlanned, attempt: CagedAttempt | None = None) -> Sequence[Event]:
        return await parts.build(long=False).handler(part, attempt or self.attempts())

    async def whole(self) -> tuple[ClipTranscoded, list[ClipPlayable]]:
        """Everything, one part after the other."""
        answers = [answer for part in await self.plan() for answer in await self.make(part)]
        [transcoded] = [answer for answer in answers if isinstance(answer, ClipTranscoded)]
        return transcoded, [answer for answer in answers if isinstance(answer, ClipPlayable)]

    async def names(self) -> set[str]:
        prefix = keys.processed(self.video_id)
        return {info.key.removeprefix(prefix) async for info in self.store.list(prefix)}

    async def faults(self, master: str = "master.m3u8", mpd: str | None = "manifest.mpd") -> list[Finding]:
        """What is wrong with the output, judged by the specifications alone."""
        prefix = keys.processed(self.video_id)
        bodies = {
            info.key.removeprefix(prefix): await self.store.get(info.key, limit=1 << 30)
            async for info in self.store.list(prefix)
        }
        return faults(check_output(lambda name: bodies[name], master=master, mpd=mpd))


async def uploaded(path: Path, store: DiskStore, attempts: Attempts, **how: object) -> Flow:
    """A clip that lies in the store, probed."""
    known = clips.clip_admitted()
    stored = await store.put_file(known.key, path, content_type="video/mp4")
    with path.open("rb") as media:
        found = probe(media, bounds=Bounds(min_duration_s=0.01))
    await store.put(known.probe_key, found.model_dump_json().encode(), content_type="application/json")
    event = known.model_copy(update={"etag": stored.etag, "media": found.media})
    return Flow(store, attempts, event, **how)  # type: ignore[arg-type]
