"""MinIO tells the broker of uploads that nobody else announces; it and the broker are killed meanwhile. No upload that
was acknowledged is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from aiobotocore.session import get_session

from clipstream.client import ClipstreamError
from clipstream.common.contracts import keys
from clipstream.common.settings import StoreSettings
from clipstream.standalone.minio import MinIO
from clipstream.standalone.rabbitmq import RabbitMQ
from corpus import gameplay
from fixtures.cluster import ROOT, Cluster, Player, player_in, running
from fixtures.postgres import Databases

TOOLS = ROOT / ".tools"


@dataclass(frozen=True)
class Site:
    """A cluster whose object store and broker may be killed."""

    cluster: Cluster
    minio: MinIO
    broker: RabbitMQ


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, databases: Databases) -> Iterator[Site]:
    root = tmp_path_factory.mktemp("announced")
    with (
        RabbitMQ(root / "rabbitmq", TOOLS) as broker,
        MinIO(root / "minio", TOOLS, amqp_url=broker.url) as minio,
    ):
        storage = {
            "MINIO_ENDPOINT": minio.url,
            "MINIO_ACCESS_KEY": minio.access_key,
            "MINIO_SECRET_KEY": minio.secret_key,
            "MINIO_BUCKET": "clips",
        }
        settings = StoreSettings.model_validate(storage)
        # The sweeper would find unannounced uploads, too; here only MinIO may.
        with running(root, broker.url, databases.create(), storage, ANNOUNCE_AFTER="PT1H") as run:
            asyncio.run(_announce_uploads(minio))
            yield Site(Cluster(run, settings, broker.url), minio, broker)


async def _announce_uploads(minio: MinIO) -> None:
    """The bucket's rule, as an operator puts it."""
    rule: dict[str, object] = {"QueueArn": minio.arn, "Events": ["s3:ObjectCreated:*"]}
    rule["Filter"] = {"Key": {"FilterRules": [{"Name": "prefix", "Value": keys.RAW_PREFIX}]}}
    async with get_session().create_client(
        "s3",
        endpoint_url=minio.url,
        region_name="us-east-1",
        aws_access_key_id=minio.access_key,
        aws_secret_access_key=minio.secret_key,
    ) as client:
        await client.put_bucket_notification_configuration(
            Bucket="clips", NotificationConfiguration={"QueueConfigurations": [rule]}
        )


async def test_the_bucket_alone_announces_an_upload(site: Site, tmp_path: Path) -> None:
    clip = gameplay.render_clip(tmp_path / "clip.mp4", seed=71, duration_s=4, width=640, height=360)
    async with player_in(site.cluster) as player:
        video_id = await player.upload(clip, announce=False)
        assert (await player.ended(video_id))["status"] == "ready"


async def test_both_announcements_are_one(site: Site, tmp_path: Path) -> None:
    clip = gameplay.render_clip(tmp_path / "clip.mp4", seed=72, duration_s=4, width=640, height=360)
    async with player_in(site.cluster) as player:
        video_id = await player.upload(clip, announce=True)
        assert (await player.ended(video_id))["status"] == "ready"
        assert {stage["attempts"] for stage in (await player.stages(video_id)).values()} == {1}


async def test_no_acknowledged_upload_is_lost_while_servers_die(site: Site, tmp_path: Path) -> None:
    clip = gameplay.render_clip(tmp_path / "clip.mp4", seed=73, duration_s=1, width=320, height=180, audio=False)
    async with player_in(site.cluster) as player:
        uploads = asyncio.create_task(_keep_uploading(player, clip))
        for victim in (site.minio, site.broker, site.minio):
            await asyncio.sleep(1.5)
            await asyncio.to_thread(victim.kill)
            await asyncio.to_thread(victim.start)
        acknowledged = await uploads
        assert len(acknowledged) >= 10
        ends = [await player.ended(video_id, 180) for video_id in acknowledged]
        assert sorted(end["status"] for end in ends) == ["duplicate"] * (len(ends) - 1) + ["ready"]


async def _keep_uploading(player: Player, clip: Path, count: int = 30) -> list[str]:
    """Ids of the uploads that the store acknowledged; those it refused while it was down are the client's to repeat."""
    acknowledged = []
    for _ in range(count):
        with suppress(aiohttp.ClientError, ClipstreamError, OSError):
            acknowledged.append(await player.upload(clip, announce=False))
        await asyncio.sleep(0.3)
    return acknowledged
