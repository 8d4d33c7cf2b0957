"""Follows the uploaded clips until each has reached its end, with one progress bar a clip."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from clipstream.standalone.demo.client import Answer, Client
from clipstream.standalone.demo.samples import Sample

FINAL = {"ready", "duplicate", "failed", "rejected"}
POLL_S = 0.5
DEADLINE_S = 170.0


@dataclass(slots=True)
class Followed:
    """One clip on its way. Times are seconds since its upload was complete; None = not reached."""

    sample: Sample
    video_id: str
    completed_at: float
    status: str = "processing"
    playable_s: float | None = None
    ready_s: float | None = None
    details: Answer = field(default_factory=dict)


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
    while clip.status not in FINAL:
        await asyncio.sleep(POLL_S)
        processing = await client.call("GET", f"/videos/{clip.video_id}/processing")
        stages = processing["stages"]
        running = [stage["stage"] for stage in stages if stage["state"] == "running"]
        done = sum(1.0 if stage["state"] in {"done", "skipped", "failed"} else stage["progress"] for stage in stages)
        bars.update(task, completed=done / max(1, len(stages)), stage=", ".join(running) or processing["status"])
        if (
            clip.playable_s is None
            and (await client.call("GET", f"/videos/{clip.video_id}/stream", also=(404, 409, 410)))["status_code"]
            == 200
        ):
            clip.playable_s = time.monotonic() - clip.completed_at
        clip.status = processing["status"]
    clip.ready_s = time.monotonic() - clip.completed_at
    clip.details = await client.call("GET", f"/videos/{clip.video_id}")
    bars.update(task, completed=1.0, stage=clip.status)
