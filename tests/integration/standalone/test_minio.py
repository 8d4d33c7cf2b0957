"""A private MinIO: objects survive a kill, every object is announced, and a damaged queue does not keep it down."""

from __future__ import annotations

import asyncio
import ipaddress
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aio_pika
import pytest
from aiobotocore.session import get_session

from clipstream.standalone.minio import MinIO
from clipstream.standalone.processes import running_in
from clipstream.standalone.rabbitmq import RabbitMQ
from integration.standalone.sockets import listening_addresses


@pytest.fixture
def minio(tmp_path: Path, tools: Path) -> Iterator[MinIO]:
    with MinIO(tmp_path / "minio", tools) as server:
        yield server


@asynccontextmanager
async def _client(server: MinIO) -> AsyncIterator[Any]:
    async with get_session().create_client(
        "s3",
        endpoint_url=server.url,
        region_name="us-east-1",
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
    ) as client:
        yield client


async def test_an_object_survives_the_server_being_killed(minio: MinIO) -> None:
    async with _client(minio) as client:
        await client.create_bucket(Bucket="clips")
        await client.put_object(Bucket="clips", Key="raw-uploads/a.mp4", Body=b"frames")
        minio.kill()
        minio.start()
        answer = await client.get_object(Bucket="clips", Key="raw-uploads/a.mp4")
        assert await answer["Body"].read() == b"frames"


def test_it_listens_on_loopback_only(minio: MinIO) -> None:
    while "Docs:" not in minio.log.read_text():  # the last line of its greeting, after its console is up
        assert minio.alive()
    assert "WebUI" not in minio.log.read_text()
    sockets = listening_addresses(running_in(minio.home, minio.executables))
    assert {port for _, port in sockets} == {minio.identity.ports["s3"]}
    assert all(ipaddress.ip_address(address).is_loopback for address, _ in sockets)


async def test_an_object_is_announced_even_when_the_broker_was_down(
    rabbitmq: RabbitMQ, tmp_path: Path, tools: Path
) -> None:
    async with await aio_pika.connect(rabbitmq.url) as connection:
        channel = await connection.channel()
        exchange = await channel.declare_exchange("clipstream.storage", aio_pika.ExchangeType.TOPIC, durable=True)
        queue = await channel.declare_queue("announced", durable=True)
        await queue.bind(exchange, "storage.minio")
    with MinIO(tmp_path / "minio", tools, amqp_url=rabbitmq.url) as server:
        async with _client(server) as client:
            await client.create_bucket(Bucket="clips")
            rules = {"QueueConfigurations": [{"QueueArn": server.arn, "Events": ["s3:ObjectCreated:*"]}]}
            await client.put_bucket_notification_configuration(Bucket="clips", NotificationConfiguration=rules)
            rabbitmq.kill()
            await client.put_object(Bucket="clips", Key="raw-uploads/b.mp4", Body=b"frames")
            server.kill()
        rabbitmq.start()
        server.start()
        async with await aio_pika.connect(rabbitmq.url) as connection:
            channel = await connection.channel()
            message = await asyncio.wait_for(_next(await channel.get_queue("announced")), 30)
            assert json.loads(message)["Records"][0]["s3"]["object"]["key"] == "raw-uploads%2Fb.mp4"


async def _next(queue: aio_pika.abc.AbstractQueue) -> bytes:
    async with queue.iterator(no_ack=True) as messages:
        async for message in messages:
            return message.body
    raise AssertionError("the queue was closed")


async def test_a_damaged_event_does_not_keep_the_server_down(rabbitmq: RabbitMQ, tmp_path: Path, tools: Path) -> None:
    with MinIO(tmp_path / "minio", tools, amqp_url=rabbitmq.url) as server:
        queued = server.home / "events/minio-amqp-CLIP"
        server.kill()
        queued.mkdir(parents=True, exist_ok=True)
        (queued / "b8f2f7a0-0000-4000-8000-000000000000.event").write_bytes(b"\0" * 200)
        (queued / "README.txt").write_text("not an event")
        server.start()
        assert server.alive()
        assert sorted(path.name for path in (server.home / "events-damaged").iterdir()) == [
            "README.txt",
            "b8f2f7a0-0000-4000-8000-000000000000.event",
        ]
        assert list(queued.iterdir()) == []
