"""A real MinIO that is killed, frozen and started again under the store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from pydantic import SecretStr

from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.errors import Outage
from clipstream.common.store import ObjectStore, open_store
from clipstream.standalone.minio import MinIO
from fixtures.minio import S3Server

KEY = ObjectKey("a")


@pytest.fixture
async def store(own_minio: tuple[MinIO, S3Server]) -> AsyncIterator[ObjectStore]:
    store = await open_store(own_minio[1].bucket("clips"))
    yield store
    await store.close()


async def test_a_server_that_is_away_is_an_outage_and_comes_back(
    store: ObjectStore, own_minio: tuple[MinIO, S3Server]
) -> None:
    server = own_minio[0]
    await store.put(KEY, b"kept", content_type="text/plain")
    reading = store.stream(KEY)
    server.kill()

    async def body() -> AsyncIterator[bytes]:
        yield bytes(40 << 20)

    calls = (
        store.check(),
        store.head(KEY),
        store.get(KEY),
        store.read_range(KEY, 0, 1),
        store.put(KEY, b"x", content_type="text/plain"),
        store.put_stream(KEY, body(), content_type="text/plain"),
        store.delete(KEY),
        store.delete_prefix("a"),
        anext(reading),
    )
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(answer) for answer in answers] == [Outage] * len(calls)
    await store.presign_put(
        KEY, size_bytes=1, content_type="text/plain", metadata={}, expires_in=timedelta(minutes=1)
    )  # signs offline
    server.start()
    assert await store.get(KEY) == b"kept"


async def test_a_server_killed_in_the_middle_of_an_upload_shows_nothing(
    store: ObjectStore, own_minio: tuple[MinIO, S3Server]
) -> None:
    server = own_minio[0]

    async def body() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield bytes(1 << 20)
        server.kill()
        for _ in range(40):
            yield bytes(1 << 20)

    with pytest.raises(Outage):
        await store.put_stream(KEY, body(), content_type="text/plain")
    server.start()
    assert [info async for info in store.list("")] == []


async def test_an_upload_given_up_leaves_no_parts(store: ObjectStore, own_minio: tuple[MinIO, S3Server]) -> None:
    parts = own_minio[0].home / "data/.minio.sys/multipart"
    seen: list[int] = []

    async def body() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield bytes(1 << 20)
        seen.append(len(list(parts.rglob("part.*"))))
        raise ConnectionResetError("the uploader went away")

    with pytest.raises(ConnectionResetError):
        await store.put_stream(KEY, body(), content_type="text/plain")
    assert seen != [0]
    assert list(parts.rglob("part.*")) == []
    assert [info async for info in store.list("")] == []


async def test_a_store_that_starts_after_us_is_awaited(own_minio: tuple[MinIO, S3Server]) -> None:
    server, given = own_minio
    server.stop()
    opening = asyncio.create_task(open_store(given.bucket("clips")))
    await asyncio.sleep(0)
    await asyncio.to_thread(server.start)
    store = await opening
    await store.check()
    await store.close()


async def test_wrong_credentials_are_said_to_be_wrong(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clipstream.common.store.open._PATIENCE_S", 0)
    settings = s3_server.bucket().model_copy(update={"s3_secret_key": SecretStr("not this one")})
    with pytest.raises(Outage, match="credentials"):
        await open_store(settings)
