"""Every stage is killed once, at the same point of its work. The clip is ready all the same, with one set of outputs."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from chaos.kill_at import POINTS
from clipstream.common.settings import StoreSettings
from clipstream.standalone import plan
from clipstream.standalone.service import Service
from corpus import gameplay
from fixtures.broker import Node
from fixtures.cluster import PATIENCE_S, Cluster, Player, player_in, running
from fixtures.postgres import Databases

KILL_AT = Path(__file__).with_name("kill_at.py")
TESTS = KILL_AT.parents[1]
QUEUES = {
    "ingest",
    "preview",
    "dedupe",
    "transcode",
    "transcode.short",
    "stt",
    "embed",
    "captions",
    "search_text",
    "search_vectors",
}


@pytest.fixture(params=POINTS)
def point(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def fragile(
    point: str, tmp_path: Path, rabbitmq: Node, vhosts: Iterator[str], databases: Databases
) -> Iterator[Cluster]:
    """A cluster whose stages die once at the point."""
    (tmp_path / "died").mkdir()
    if point in ("begun", "at_work"):
        # Four queues share a process, and what is in hand at every death of it is delivered once too often for the broker.
        for queue in ("preview", "captions"):
            (tmp_path / "died" / queue).touch()

    def services(site: plan.Site) -> list[Service]:
        return [_trapped(service) if service.name in plan.STAGES else service for service in plan.services(site)]

    def _trapped(service: Service) -> Service:
        command = (sys.executable, str(KILL_AT), point, str(tmp_path / "died"), service.command[-1])
        return replace(service, command=command)

    storage = {"STORAGE_ROOT": str(tmp_path / "media")}
    amqp_url = rabbitmq.url_of(next(vhosts))
    with running(tmp_path, amqp_url, databases.create(), storage, plan_services=services) as run:
        yield Cluster(run, StoreSettings(storage_root=tmp_path / "media"), amqp_url)


async def test_a_killed_stage_is_made_good(fragile: Cluster, tmp_path: Path) -> None:
    clip = gameplay.render_clip(
        tmp_path / "clip.mp4", seed=61, duration_s=6, width=854, height=480, speech=[(1.0, "behind you")]
    )
    async with player_in(fragile) as player:
        video_id = await player.upload(clip)
        video = await player.ended(video_id)
        assert (video["status"], video["error"]) == ("ready", None)
        async with asyncio.timeout(30):
            while {path.name for path in (tmp_path / "died").iterdir()} != QUEUES:
                await asyncio.sleep(0.1)
        stages = await player.stages(video_id)
        assert {name: stage["state"] for name, stage in stages.items() if stage["state"] != "done"} == {}, stages
        assert await _found(player, "behind") == [video_id]
        stored = {key.rpartition("/")[2] for key in await player.objects(video_id)}
        stream = await player.client.call("GET", f"/videos/{video_id}/stream")
        for name in ("480p", "audio"):
            playlist = (await player.client.fetch(stream["hls_url"].replace("master", name))).decode()
            named = re.findall(r"([^/\"\n]+\.(?:m4s|mp4))", playlist)
            assert len(named) == len(set(named)) > 2
            assert set(named) <= stored


async def _found(player: Player, words: str) -> list[str]:
    """What search answers, once the search service is back: it was among the killed."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            path = f"/search?q={words}&stream_id={player.stream_id}&mode=speech"
            answer = await player.client.call("GET", path, also=(503,))
            if answer["status_code"] == 200:
                return [hit["id"] for hit in answer["videos"]]
            await asyncio.sleep(0.2)
