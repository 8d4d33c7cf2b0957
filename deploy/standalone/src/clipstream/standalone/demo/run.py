"""The demo against a running gateway: upload, follow, show, check. Exit status 0 only where everything shown is right."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from rich.console import Console
from rich.table import Table

from clipstream.client import Client
from clipstream.standalone.demo.findings import Finding, SearchFinding, examine, search
from clipstream.standalone.demo.samples import SAMPLES, make_samples
from clipstream.standalone.demo.watch import Followed, follow_all

# A pipe has 80 columns by default, too few for a table that people are to read.
console = Console() if Console().is_terminal else Console(width=140)


async def demonstrate(gateway_url: str, directory: Path) -> bool:
    """Run the main job on the samples in `directory` (made where missing); True where all came out as it must."""
    console.print("Making the sample clips …")
    await asyncio.to_thread(make_samples, directory)
    async with Client.connect(gateway_url) as client:
        await client.sign_in_for_development("Demo player")
        stream = await client.streams.create(f"Demo {datetime.now(UTC):%Y-%m-%d %H:%M:%S}")
        clips = [await _upload(client, stream.id, directory, i) for i in range(len(SAMPLES))]
        try:
            await follow_all(client, clips)
        except TimeoutError:
            console.print("[red]Not every clip reached its end in time.[/red]")
        titles = {clip.video_id: clip.sample.title for clip in clips}
        findings = [await examine(client, clip, titles) for clip in clips]
        searches = await search(client, stream.id, clips)
    console.print(_table(findings))
    _show_searches(searches)
    problems = [f"{f.clip.sample.title} {p}" for f in findings for p in f.problems] + [
        p for s in searches for p in s.problems
    ]
    for problem in problems:
        console.print(f"[red]Wrong:[/red] {problem}", markup=True)
    return not problems


async def _upload(client: Client, stream_id: UUID, directory: Path, number: int) -> Followed:
    """Also what the stream has already: that it is found to be a copy is part of the story."""
    sample = SAMPLES[number]
    sent = await client.upload(stream_id, directory / sample.filename, title=sample.title, check_known=False)
    return Followed(sample, sent.video_id, completed_at=time.monotonic())


def _table(findings: list[Finding]) -> Table:
    table = Table(title="What came out")
    for column in ("clip", "status", "playable", "done", "renditions", "transcript", "duplicate of / reason"):
        table.add_column(column, overflow="fold")
    for finding in findings:
        clip = finding.clip
        reason = finding.duplicate_of or clip.reason
        heights = " ".join(f"{height}p" for height in finding.renditions)
        table.add_row(
            clip.sample.title,
            clip.status,
            _seconds(clip.playable_s),
            _seconds(clip.ready_s),
            heights,
            finding.transcript,
            reason,
        )
    return table


def _show_searches(searches: list[SearchFinding]) -> None:
    for found in searches:
        where = "nowhere" if found.second is None else f"{found.title}, second {found.second:.1f}"
        console.print(f"Search “{found.query}” → {where}")


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} s"
