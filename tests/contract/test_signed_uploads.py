"""Signed uploads, really sent over HTTP: the request that was signed is taken once, and no other."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta

import aiohttp
import pytest
from yarl import URL

from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.errors import NotFound
from clipstream.common.store import ObjectStore, PresignedUpload

KEY = ObjectKey("raw-uploads/6f1d3f0e-5f57-5c0b-9a57-2f3f5b1c9e01.mp4")
BODY = b"frames of a clip" * 5000
TOLD = {"stream-id": "7", "filename": "Äöü 100% 🎮.mp4"}


async def sign(store: ObjectStore, **other: object) -> PresignedUpload:
    terms: dict[str, object] = {
        "size_bytes": len(BODY), "content_type": "video/mp4", "metadata": TOLD, "expires_in": timedelta(minutes=5),
    }  # fmt: skip
    return await store.presign_put(KEY, **(terms | other))  # type: ignore[arg-type]


async def send(upload: PresignedUpload, body: bytes, headers: Mapping[str, str] | None = None) -> int:
    """The status; size and type are sent as the body and `headers` make them."""
    sent = {**upload.headers, **(headers or {}), "content-length": str(len(body))}
    async with (
        aiohttp.ClientSession() as session,
        session.request(upload.method, URL(upload.url, encoded=True), data=body, headers=sent) as answer,
    ):
        return answer.status


async def test_a_signed_upload_stores_the_object_with_what_was_signed(store: ObjectStore) -> None:
    assert await send(await sign(store), BODY) == 200
    head = await store.head(KEY)
    assert (head.size_bytes, head.content_type, head.metadata) == (len(BODY), "video/mp4", TOLD)
    assert await store.get(KEY) == BODY


async def test_it_can_be_used_once(store: ObjectStore) -> None:
    upload = await sign(store)
    assert await send(upload, BODY) == 200
    assert await send(upload, BODY[::-1]) == 412
    assert await store.get(KEY) == BODY


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (BODY[:-1], {}),
        (BODY + b"!", {}),
        (b"", {}),
        (BODY, {"content-type": "text/html"}),
    ],
    ids=["shorter", "longer", "nothing", "another type"],
)
async def test_another_size_or_type_is_refused(store: ObjectStore, body: bytes, headers: dict[str, str]) -> None:
    assert 400 <= await send(await sign(store), body, headers) < 500
    with pytest.raises(NotFound):
        await store.head(KEY)


async def test_a_body_without_a_length_is_refused(store: ObjectStore) -> None:
    upload = await sign(store)

    async def endless() -> AsyncIterator[bytes]:
        yield BODY
        yield BODY

    headers = {name: value for name, value in upload.headers.items() if name != "content-length"}
    async with (
        aiohttp.ClientSession() as session,
        session.put(URL(upload.url, encoded=True), data=endless(), headers=headers) as answer,
    ):
        assert 400 <= answer.status < 500
    with pytest.raises(NotFound):
        await store.head(KEY)


async def test_other_metadata_is_not_believed(store: ObjectStore) -> None:
    status = await send(await sign(store), BODY, {"x-amz-meta-stream-id": "8"})
    if status == 200:  # what is not signed as a header is not read from one
        assert (await store.head(KEY)).metadata == TOLD
    else:
        assert status == 403


@pytest.mark.parametrize("part", ["key", "signature"])
async def test_a_forged_address_is_refused(store: ObjectStore, part: str) -> None:
    upload = await sign(store)
    url = URL(upload.url, encoded=True)
    if part == "signature":
        name = "signature" if "signature" in url.query else "X-Amz-Signature"
        forged = upload.url.replace(url.query[name], url.query[name][::-1])
    elif "grant" in url.query:
        grant = json.loads(base64.urlsafe_b64decode(url.query["grant"] + "=="))
        other = base64.urlsafe_b64encode(json.dumps(grant | {"key": "raw-uploads/other"}).encode()).decode()
        forged = upload.url.replace(url.query["grant"], other.rstrip("="))
    else:
        forged = upload.url.replace("6f1d3f0e", "00000000")
    assert 400 <= await send(PresignedUpload("PUT", forged, upload.headers, KEY, upload.expires_in), BODY) < 500
    assert [info async for info in store.list("")] == []


async def test_it_expires(store: ObjectStore) -> None:
    upload = await sign(store, expires_in=timedelta(seconds=1))
    async with asyncio.timeout(20):
        while (status := await send(upload, BODY)) in (200, 412):
            await store.delete(KEY)
    assert status == 403


async def test_a_signed_checksum_is_held_against_the_bytes(store: ObjectStore) -> None:
    digest = hashlib.sha256(BODY).hexdigest()
    upload = await sign(store, sha256=digest)
    assert 400 <= await send(upload, BODY[::-1]) < 500
    with pytest.raises(NotFound):
        await store.head(KEY)
    assert await send(upload, BODY) == 200
    assert (await store.head(KEY)).sha256 == digest


async def test_a_signed_download_needs_no_credentials(store: ObjectStore) -> None:
    await store.put(KEY, BODY, content_type="video/mp4")
    url = await store.presign_get(KEY, expires_in=timedelta(minutes=1))
    if url is None:
        return  # disk: the gateway serves the bytes itself
    async with aiohttp.ClientSession() as session, session.get(URL(url, encoded=True)) as answer:
        assert await answer.read() == BODY
