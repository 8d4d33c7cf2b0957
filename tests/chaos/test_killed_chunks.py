"""Two workers make one clip in parts while they, the processes that encode in them and the servers they stand on are killed.
The clip is ready once, its output is whole, and no part that had ended is encoded again."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from pydantic import AmqpDsn

from chaos.doomed import WORDS
from clipstream.common.bus.rabbit import connect
from clipstream.common.contracts import keys
from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.events import ClipTranscoded
from clipstream.common.contracts.ids import VideoId
from clipstream.common.settings import BusSettings, StoreSettings
from clipstream.standalone import plan
from clipstream.standalone.minio import MinIO
from clipstream.standalone.rabbitmq import RabbitMQ
from clipstream.standalone.service import Service
from corpus import gameplay
from fixtures.broker import Node
from fixtures.cluster import PATIENCE_S, ROOT, Cluster, Player, player_in, running
from fixtures.postgres import Databases
from validators.finding import faults
from validators.output import check_output

WORKERS = ("transcode", "transcode-2")
CHUNKS = 5
SLOW = {"TRANSCODE_LADDER": "144", "TRANSCODE_PRESET": "slow", "TRANSCODE_COPY_BIT_RATE": "0"}
"""So that a chunk takes long enough to be killed in."""

DOOMED = Path(__file__).with_name("doomed.py")
CHILD = b"clipstream.common.stage.child"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minute: a short first chunk, and four."""
    path = tmp_path_factory.mktemp("minute") / "clip.mp4"
    return gameplay.render_clip(path, seed=81, duration_s=60, width=256, height=144, fps=15, gop=30)


@pytest.fixture
def workers(tmp_path: Path, rabbitmq: Node, vhosts: Iterator[str], databases: Databases) -> Iterator[Cluster]:
    """Media on disk."""
    storage = {"STORAGE_ROOT": str(tmp_path / "media"), **SLOW}
    with _workers(tmp_path, rabbitmq, vhosts, databases, storage) as cluster:
        yield cluster


@pytest.mark.parametrize("seed", [1, 2])
async def test_workers_and_encoders_are_killed(workers: Cluster, clip: Path, seed: int) -> None:
    chance = random.Random(seed)
    async with player_in(workers) as player, told(workers) as transcoded:
        video_id = await player.upload(clip)
        ended: dict[str, str] = {}
        for number in range(5):  # a message that cost three workers is dead with the fourth
            await _at_work(player, video_id, number)
            await asyncio.sleep(chance.uniform(0.0, 1.0))
            ended |= await _parts(player, video_id)
            worker = chance.choice(WORKERS)
            if number % 2:
                _kill_encoders(workers.pid(worker))
            else:
                workers.kill(worker)
        video = await player.ended(video_id)
        assert (video["status"], video["error"]) == ("ready", None)
        await _judge(workers, player, video_id, transcoded)
        _check_made_once(workers, video_id)
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


async def test_a_part_that_cannot_be_made_ends_the_clip_until_somebody_tries_again(
    tmp_path: Path, rabbitmq: Node, vhosts: Iterator[str], databases: Databases, clip: Path
) -> None:
    doom = tmp_path / "doom"
    doom.touch()

    def services(site: plan.Site) -> list[Service]:
        return [_doomed(each) if each.name in WORKERS else each for each in plan.services(site)]

    def _doomed(service: Service) -> Service:
        command = (sys.executable, str(DOOMED), "1", str(doom), service.command[-1])
        return replace(service, command=command)

    storage = {"STORAGE_ROOT": str(tmp_path / "media"), **SLOW}
    with _workers(tmp_path, rabbitmq, vhosts, databases, storage, services) as cluster:
        async with player_in(cluster) as player, told(cluster) as transcoded:
            video_id = await player.upload(clip)
            video = await player.ended(video_id)
            assert (video["status"], video["error"]) == ("failed", WORDS)
            ended = await _parts(player, video_id)
            assert len(ended) < CHUNKS - 1  # the others were stopped
            assert not any("master.m3u8" in key for key in await player.objects(video_id))
            doom.unlink()
            await player.client.client.sign_in_for_development("Operator", admin=True)
            await player.client.call("POST", "/admin/processing/retry", {"video_id": video_id})
            async with asyncio.timeout(PATIENCE_S):
                while not await _found(player, video_id, "/master.m3u8") or not transcoded:
                    await asyncio.sleep(0.2)
            assert ended.items() <= (await _parts(player, video_id)).items()
            await _judge(cluster, player, video_id, transcoded)
            _check_made_once(cluster, video_id)


async def test_parts_that_wait_for_longer_than_a_lease_burn_no_attempts(
    tmp_path: Path, rabbitmq: Node, vhosts: Iterator[str], databases: Databases, clip: Path
) -> None:
    """One worker, and two clips whose parts stand behind each other: the sweeper asks for them again and again, unless the
    machine is so fast that they are made before it may."""
    other = gameplay.render_clip(tmp_path / "other.mp4", seed=82, duration_s=60, width=256, height=144, fps=15, gop=30)
    storage = {"STORAGE_ROOT": str(tmp_path / "media"), **SLOW}
    leases = {"QUEUED_AFTER": "PT1S", "STALE_AFTER": "PT12S", "SWEEP_INTERVAL": "PT0.5S"}
    with _workers(tmp_path, rabbitmq, vhosts, databases, storage | leases, count=1) as cluster:
        async with player_in(cluster) as player, told(cluster) as transcoded:
            for video_id in [await player.upload(path) for path in (clip, other)]:
                video = await player.ended(video_id)
                assert (video["status"], video["error"]) == ("ready", None)
                assert (await player.stages(video_id))["transcode"]["attempts"] == 1
                await _judge(cluster, player, video_id, transcoded)
                _check_made_once(cluster, video_id)


@contextmanager
def _workers(
    root: Path,
    rabbitmq: Node,
    vhosts: Iterator[str],
    databases: Databases,
    environment: Mapping[str, str],
    services: Callable[[plan.Site], list[Service]] = plan.services,
    count: int = len(WORKERS),
) -> Iterator[Cluster]:
    amqp_url, database_url = rabbitmq.url_of(next(vhosts)), databases.create()
    scale = {"transcode": count}
    with running(root, amqp_url, database_url, environment, plan_services=services, scale=scale) as run:
        yield Cluster(run, StoreSettings(storage_root=root / "media"), amqp_url)


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


async def _found(player: Player, video_id: str, ending: str) -> bool:
    return any(key.endswith(f"{video_id}{ending}") for key in await player.objects(video_id))


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
    """One answer, though it may be told again in the same words, and a whole output."""
    answers = {envelope.id for envelope in transcoded if str(envelope.data.video_id) == video_id}
    assert len(answers) == 1
    prefix = keys.processed(VideoId(UUID(video_id)))
    bodies = {
        info.key.removeprefix(prefix): await player.store.get(info.key, limit=1 << 30)
        async for info in player.store.list(prefix)
    }
    assert faults(check_output(lambda name: bodies[name])) == []


def _check_made_once(cluster: Cluster, video_id: str) -> None:
    """Of the plan and each part there was one attempt that ended well. Not so where the broker died: it gives what one
    worker is at to the other as well."""
    logs = [cluster.run.directory / "logs" / f"{worker}.log" for worker in WORKERS]
    lines = "".join(log.read_text() for log in logs if log.exists()).splitlines()
    attempts = [json.loads(line) for line in lines if '"stage_attempted"' in line and video_id in line]
    made = [each for each in attempts if each["stage"] == "transcode" and each["outcome"] == "done"]
    assert len(made) <= 1 + 1 + CHUNKS  # the plan, the sound
