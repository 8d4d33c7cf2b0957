"""Whatever is uploaded ends `ready` or `rejected` with a reason, reads nothing but itself, and costs nobody else anything."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from corpus import broken, gameplay
from fixtures.cluster import Player


@pytest.fixture
def lure(tmp_path: Path) -> broken.Lure:
    """A readable file that scripts in the uploads point at."""
    file = tmp_path / "victim.ts"
    broken.victim(file)
    return broken.Lure(file=file)


async def test_every_bad_file_ends_with_a_reason(player: Player, tmp_path: Path, lure: broken.Lure) -> None:
    uploads = {name: await _upload(player, tmp_path / name, case, lure) for name, case in broken.CASES.items()}
    good = gameplay.render_clip(tmp_path / "good.mp4", seed=51, duration_s=3, width=640, height=360)
    good_id = await player.upload(good)
    ends = await asyncio.gather(*(player.ended(video_id, 400) for video_id in uploads.values() if video_id))
    outcomes = {name: (case.outcome, case.reason) for name, case in broken.CASES.items() if uploads[name]}
    wrong = {
        name: (end["status"], end["error"])
        for (name, (outcome, reason)), end in zip(outcomes.items(), ends, strict=True)
        if end["status"] != outcome
        or reason not in (end["error"] or "")
        or (outcome == "rejected" and not end["error"])
    }
    assert wrong == {}
    assert (await player.ended(good_id))["status"] == "ready"


async def _upload(player: Player, directory: Path, case: broken.Case, lure: broken.Lure) -> str | None:
    """None where the API itself already refuses the file."""
    directory.mkdir()
    path = directory / case.filename
    case.build(path, lure)
    if path.stat().st_size == 0:
        return None
    # A stream of its own: many of these are one clip in other containers, and would be found to be duplicates.
    stream = await player.client.call("POST", "/streams", {"name": case.filename})
    return await replace(player, stream_id=stream["id"]).upload(path)
