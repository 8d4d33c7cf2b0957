"""A clip goes in, everything comes out: the demo's samples and checks, on real servers and real media."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import UUID

import pytest

from clipstream.common.contracts import keys
from clipstream.common.contracts.documents import Embeddings
from clipstream.common.contracts.ids import VideoId
from clipstream.standalone.demo.run import demonstrate
from clipstream.standalone.demo.samples import make_samples
from corpus import gameplay
from fixtures.cluster import Cluster, Player


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("samples")
    make_samples(directory)
    return directory


async def test_everything_the_demo_shows_is_right(cluster: Cluster, samples: Path) -> None:
    assert await demonstrate(cluster.url, samples)


async def test_a_video_is_found_similar_to_its_other_encoding(player: Player, tmp_path: Path) -> None:
    again = gameplay.render_clip(tmp_path / "again.mp4", seed=41, duration_s=4, width=640, height=360)
    other = gameplay.render_clip(tmp_path / "other.mp4", seed=42, duration_s=4, width=640, height=360)
    first = gameplay.render_clip(tmp_path / "first.mp4", seed=41, duration_s=4, width=854, height=480)
    first_id, again_id, other_id = [await player.upload(path) for path in (first, again, other)]
    assert {(await player.ended(video))["status"] for video in (first_id, again_id, other_id)} == {"ready"}
    answer = await player.client.call("GET", f"/videos/{first_id}/similar")
    assert [video["id"] for video in answer["similar_videos"]] == [again_id, other_id]


async def test_vectors_carry_their_times_and_their_model(player: Player, tmp_path: Path) -> None:
    clip = gameplay.render_clip(tmp_path / "clip.mp4", seed=43, duration_s=3, width=640, height=360, audio=False)
    video_id = await player.upload(clip)
    assert (await player.ended(video_id))["status"] == "ready"
    document = await player.store.get(keys.embeddings(VideoId(UUID(video_id))))
    embeddings = Embeddings.model_validate_json(document)
    assert embeddings.model
    assert embeddings.version
    assert [round(frame.t, 1) for frame in embeddings.frames] == [0.5, 1.5, 2.5]
    assert {len(frame.vector) for frame in embeddings.frames} == {embeddings.dimension}


async def test_deleting_a_video_leaves_nothing(player: Player, tmp_path: Path) -> None:
    clip = gameplay.render_clip(
        tmp_path / "clip.mp4", seed=44, duration_s=4, width=640, height=360, speech=[(1.0, "behind you")]
    )
    video_id = await player.upload(clip)
    assert (await player.ended(video_id))["status"] == "ready"
    assert await player.objects(video_id)
    await player.client.call("DELETE", f"/videos/{video_id}")
    async with asyncio.timeout(30):
        while await player.objects(video_id) or await _found(player):
            await asyncio.sleep(0.1)


async def _found(player: Player) -> int:
    answer = await player.client.call("GET", f"/search?q=behind&stream_id={player.stream_id}")
    return int(answer["total_results"])
