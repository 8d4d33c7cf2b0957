"""Two workers make one clip in parts while they, the processes that encode in them and the servers they stand on are killed.
The clip is ready once, its output is whole, and no part that had ended is encoded again."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from uuid import UUID

import pytest
from pydantic import AmqpDsn

from clipstream.common.bus.rabbit import connect
from clipstream.common.contracts import keys
from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.events import ClipTranscoded
from clipstream.common.contracts.ids import VideoId
from clipstream.common.settings import BusSettings, StoreSettings
from clipstream.standalone.minio import MinIO
from clipstream.standalone.rabbitmq import RabbitMQ
from corpus import gameplay
from fixtures.broker import Node
from fixtures.cluster import ROOT, Cluster, Player, player_in, running
from fixtures.postgres import Databases
from validators.finding import faults
from validators.output import check_output

WORKERS = ("transcode", "transcode-2")
CHUNKS = 4
SLOW = {"TRANSCODE_LADDER": "144", "TRANSCODE_PRESET": "slow", "TRANSCODE_COPY_BIT_RATE": "0"}
"""So that a chunk takes long enough to be killed in."""

CHILD = b"clipstream.common.stage.child"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minute."""
    path = tmp_path_factory.mktemp("minute") / "clip.mp4"
    return gameplay.render_clip(path, seed=81, duration_s=60, width=256, height=144, fps=15, gop=30)


@pytest.fixture
def workers(tmp_path: Path, rabbitmq: Node, vhosts: Iterator[str], databases: Databases) -> Iterator[Cluster]:
    """Media on disk."""
    storage = {"STORAGE_ROOT": str(tmp_path / "media"), **SLOW}
    amqp_url = rabbitmq.url_of(next(vhosts))
    with running(tmp_path, amqp_url, databases.create(), storage, scale={"transcode": 2}) as run:
        yield Cluster(run, StoreSettings(storage_root=tmp_path / "media"), amqp_url)


@pytest.mark.parametrize("seed", [1, 2])
async def test_workers_and_encoders_are_killed(workers: Cluster, clip: Path, seed: int) -> None:
    chance = random.Random(seed)
    async with player_in(workers) as player, told(workers) as transcoded:
        video_id = await player.upload(clip)
        ended: dict[str, str] = {}
        for number in range(6):
            await _at_work(player, video_id, len(ended))
            await asyncio.sleep(chance.uniform(0.0, 1.0))
            ended |= await _parts(player, video_id)
            worker = chance.choice(WORKERS)
            if number % 3 != 1:  # the message is delivered once more; after the third time it would be a dead letter
                workers.kill(worker)
            else:
                _kill_encoders(workers.pid(worker))
        video = await player.ended(video_id)
        assert (video["status"], video["error"]) == ("ready", None)
        await _judge(workers, player, video_id, transcoded)
        assert ended.items() <= (await _parts(player, video_id)).items()


async def test_broker_and_store_are_away_for_a_while(tmp_path: Path, clip: Path, databases: Databases) -> None:
    tools = ROOT / ".tools"
    with RabbitMQ(tmp_path / "rabbitmq", tools) as broker, MinIO(tmp_path / "minio", tools) as minio:
        storage = {
            "MINIO_ENDPOINT": minio.url,
            "MINIO_ACCESS_KEY": minio.access_key,
            "MINIO_SECRET_KEY": minio.secret_key,
            "MINIO_BUCKET": "clips",
        }
        settings = StoreSettings.model_validate(storage)
        with running(tmp_path, broker.url, databases.create(), storage | SLOW, scale={"transcode": 2}) as run:
            cluster = Cluster(run, settings, broker.url)
            async with player_in(cluster) as player, told(cluster) as transcoded:
                video_id = await player.upload(clip)
                for number, victim in enumerate((broker, minio)):
                    await _at_work(player, video_id, number)
                    await asyncio.to_thread(victim.kill)
                    await asyncio.sleep(1.0)  # seen by whoever uses it
                    await asyncio.to_thread(victim.start)
                video = await player.ended(video_id)
                assert (video["status"], video["error"]) == ("ready", None)
                assert (await player.stages(video_id))["transcode"]["attempts"] == 1
                await _judge(cluster, player, video_id, transcoded)


@asynccontextmanager
async def told(cluster: Cluster) -> AsyncIterator[list[Envelope]]:
    """Every `clip.transcoded` there is."""
    bus = await connect(BusSettings(amqp_url=AmqpDsn(cluster.amqp_url)), "test")
    heard: list[Envelope] = []

    async def hear(envelope: Envelope) -> None:
        heard.append(envelope)

    await bus.listen([ClipTranscoded], hear)
    yield heard
    await bus.close()


async def _at_work(player: Player, video_id: str, parts: int) -> None:
    """Parts are planned, and at least so many of them have ended."""
    async with asyncio.timeout(60):
        while len(await _parts(player, video_id)) < parts or not await _planned(player, video_id):
            await asyncio.sleep(0.1)


async def _planned(player: Player, video_id: str) -> bool:
    return any(key.endswith("plan.json") for key in await player.objects(video_id))


async def _parts(player: Player, video_id: str) -> dict[str, str]:
    """The run that made each part which has ended."""
    marks = [key for key in await player.objects(video_id) if "/manifests/transcode-" in key]
    return {key: json.loads(await player.store.get(keys.ObjectKey(key)))["run_id"] for key in marks}


def _kill_encoders(service: int | None) -> None:
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError):
            parent = int((process / "stat").read_text().rpartition(") ")[2].split()[1])
            if parent == service and CHILD in (process / "cmdline").read_bytes():
                os.kill(int(process.name), signal.SIGKILL)


async def _judge(cluster: Cluster, player: Player, video_id: str, transcoded: list[Envelope]) -> None:
    """One answer, though it may be told again in the same words; a whole output; each part made once."""
    assert len({envelope.id for envelope in transcoded}) == 1
    prefix = keys.processed(VideoId(UUID(video_id)))
    bodies = {
        info.key.removeprefix(prefix): await player.store.get(info.key, limit=1 << 30)
        async for info in player.store.list(prefix)
    }
    assert faults(check_output(lambda name: bodies[name])) == []
    lines = "".join(cluster.log(worker) for worker in WORKERS).splitlines()
    attempts = [json.loads(line) for line in lines if '"stage_attempted"' in line]
    made = [each for each in attempts if each["stage"] == "transcode" and each["outcome"] == "done"]
    assert len(made) <= 1 + 1 + CHUNKS, attempts  # the plan, the sound
