"""Follows the uploaded clips until each has reached its end, with one progress bar a clip."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from dataclasses import dataclass, field
from uuid import UUID

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from clipstream.client import FINAL, ApiError, Client, Gone, Tick
from clipstream.client.models import Processing, VideoDetails
from clipstream.standalone.demo.samples import Sample

DEADLINE_S = 170.0
_ENDED = frozenset(("done", "skipped", "failed"))


@dataclass(slots=True)
class Followed:
    """One clip on its way. Times are seconds since its upload was complete; None = not reached."""

    sample: Sample
    video_id: UUID
    completed_at: float
    status: str = "processing"
    playable_s: float | None = None
    ready_s: float | None = None
    details: VideoDetails | None = None
    progress: dict[str, float] = field(default_factory=dict)

    @property
    def reason(self) -> str:
        """Why it failed or was rejected."""
        return (self.details.error if self.details is not None else None) or ""


async def follow_all(client: Client, clips: list[Followed]) -> None:
    """Returns when every clip is at a final status, or after the deadline."""
    bars = Progress(
        TextColumn("{task.description:<20}"), BarColumn(), TextColumn("{task.fields[stage]:<24}"), TimeElapsedColumn()
    )
    with bars:
        tasks = {clip.video_id: bars.add_task(clip.sample.title, total=1.0, stage="waiting") for clip in clips}
        async with asyncio.timeout(DEADLINE_S):
            await asyncio.gather(*(_follow(client, clip, bars, tasks[clip.video_id]) for clip in clips))


async def _follow(client: Client, clip: Followed, bars: Progress, task: TaskID) -> None:
    async with aclosing(client.videos.events(clip.video_id)) as events:
        async for event in events:
            match event:
                case Processing():
                    clip.progress = {s.stage: 1.0 if s.state in _ENDED else s.progress for s in event.stages}
                    running = [stage.stage for stage in event.stages if stage.state == "running"]
                    bars.update(task, stage=", ".join(running) or event.status)
                    clip.status = event.status
                case Tick():
                    clip.progress[event.stage] = event.fraction
                case Gone():
                    break
            bars.update(task, completed=sum(clip.progress.values()) / max(1, len(clip.progress)))
            if clip.playable_s is None and await _plays(client, clip.video_id):
                clip.playable_s = time.monotonic() - clip.completed_at
            if clip.status in FINAL:
                break
    clip.ready_s = time.monotonic() - clip.completed_at
    clip.details = await client.videos.get(clip.video_id)
    bars.update(task, completed=1.0, stage=clip.status)


async def _plays(client: Client, video_id: UUID) -> bool:
    """Whether there is anything to play: the source as it is, the beginning of a rendition, or the whole ladder."""
    try:
        return (await client.videos.playback(video_id)).hls_url is not None
    except ApiError as error:
        if error.status not in (404, 409, 410):
            raise
        return False
