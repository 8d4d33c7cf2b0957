"""Uploads in parts that a client sends itself, on a directory and on a real S3 server: every part over HTTP."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from yarl import URL

from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.errors import Conflict, NotFound, Permanent, Rejected
from clipstream.common.store import ObjectStore, Part, PresignedUpload, open_store
from clipstream.common.store.parts import PART_SIZE, part_count, part_length, part_size_for
from contract.stores import Opened

KEY = ObjectKey("raw-uploads/6f1d3f0e-5f57-5c0b-9a57-2f3f5b1c9e01.mp4")
OTHER = ObjectKey("raw-uploads/6f1d3f0e-5f57-5c0b-9a57-2f3f5b1c9e02.mp4")
TOLD = {"stream-id": "7", "filename": "Äöü 100% 🎮.mp4"}
SMALLEST = 5 << 20  # what S3 takes for a part that is not the last
BODIES = [b"a" * SMALLEST, b"b" * SMALLEST, b"the end"]
WHOLE = b"".join(BODIES)


async def begin(store: ObjectStore, **more: bool) -> str:
    return await store.open_multipart(KEY, content_type="video/mp4", metadata=TOLD, **more)


async def send(upload: PresignedUpload, body: bytes, **headers: str) -> int:
    sent = {**upload.headers, "content-length": str(len(body)), **headers}
    async with (
        aiohttp.ClientSession() as session,
        session.request(upload.method, URL(upload.url, encoded=True), data=body, headers=sent) as answer,
    ):
        return answer.status


async def sign(store: ObjectStore, upload: str, number: int, body: bytes, **more: object) -> PresignedUpload:
    terms: dict[str, object] = {"size_bytes": len(body), "expires_in": timedelta(minutes=5)}
    return await store.presign_part(KEY, upload, number, **(terms | more))  # type: ignore[arg-type]


async def put(store: ObjectStore, upload: str, number: int, body: bytes) -> None:
    assert await send(await sign(store, upload, number, body), body) == 200


async def fill(store: ObjectStore, upload: str, bodies: Sequence[bytes] = BODIES) -> Sequence[Part]:
    await asyncio.gather(*(put(store, upload, number, body) for number, body in enumerate(bodies, start=1)))
    return await store.list_parts(KEY, upload)


@pytest.mark.parametrize(
    ("size", "part_size", "count"),
    [
        (0, PART_SIZE, 1),
        (1, PART_SIZE, 1),
        (PART_SIZE, PART_SIZE, 1),
        (PART_SIZE + 1, PART_SIZE, 2),
        (PART_SIZE * 1000, PART_SIZE, 1000),
        (PART_SIZE * 1000 + 1, PART_SIZE * 2, 501),
        (1 << 40, PART_SIZE << 7, 512),
    ],
)
def test_the_size_of_a_part_follows_from_the_size_of_the_file(size: int, part_size: int, count: int) -> None:
    assert part_size_for(size) == part_size
    assert part_count(size, part_size) == count
    assert sum(part_length(number, size, part_size) for number in range(1, count + 1)) == size


async def test_parts_in_any_order_become_one_object_with_all_that_was_said_of_it(store: ObjectStore) -> None:
    upload = await begin(store)
    assert await store.list_parts(KEY, upload) == []
    parts = await fill(store, upload)
    assert [(part.number, part.size_bytes) for part in parts] == [(1, SMALLEST), (2, SMALLEST), (3, 7)]
    assert all(abs(part.modified_at - datetime.now(UTC)) < timedelta(minutes=1) for part in parts)
    with pytest.raises(NotFound):
        await store.head(KEY)
    made = await store.complete_multipart(KEY, upload, parts)
    head = await store.head(KEY)
    assert (head.size_bytes, head.content_type, head.metadata) == (len(WHOLE), "video/mp4", TOLD)
    assert (made.etag, made.size_bytes, made.metadata) == (head.etag, head.size_bytes, TOLD)
    assert await store.get(KEY) == WHOLE
    with pytest.raises(NotFound):
        await store.list_parts(KEY, upload)


async def test_one_small_part_is_enough(store: ObjectStore) -> None:
    upload = await begin(store)
    await store.complete_multipart(KEY, upload, await fill(store, upload, [b"x"]))
    assert await store.get(KEY) == b"x"


async def test_a_part_may_be_sent_again_and_the_last_one_counts(store: ObjectStore) -> None:
    upload = await begin(store)
    first = await fill(store, upload, [b"one"])
    assert await fill(store, upload, [b"one"]) == [
        Part(1, 3, first[0].etag, (await store.list_parts(KEY, upload))[0].modified_at, first[0].sha256)
    ]
    again = await fill(store, upload, [b"two"])
    assert [part.number for part in again] == [1]
    assert again[0].etag != first[0].etag
    with pytest.raises(Rejected):
        await store.complete_multipart(KEY, upload, first)
    await store.complete_multipart(KEY, upload, again)
    assert await store.get(KEY) == b"two"


@pytest.mark.parametrize("body", [b"par", b"parts", b""])
async def test_another_length_than_signed_is_refused(store: ObjectStore, body: bytes) -> None:
    upload = await begin(store)
    assert 400 <= await send(await sign(store, upload, 1, b"part"), body) < 500
    assert await store.list_parts(KEY, upload) == []


async def test_the_address_of_one_part_is_none_for_another(store: ObjectStore) -> None:
    upload = await begin(store)
    signed = await sign(store, upload, 1, b"part")
    url = URL(signed.url, encoded=True)
    name = next(name for name in ("signature", "X-Amz-Signature") if name in url.query)
    stolen = await sign(store, upload, 2, b"part")
    forged = stolen.url.replace(URL(stolen.url, encoded=True).query[name], url.query[name])
    assert await send(PresignedUpload("PUT", forged, signed.headers, KEY, signed.expires_in), b"part") == 403
    assert await store.list_parts(KEY, upload) == []


async def test_a_part_address_expires(store: ObjectStore) -> None:
    upload = await begin(store)
    signed = await sign(store, upload, 1, b"part", expires_in=timedelta(seconds=1))
    async with asyncio.timeout(20):
        while (status := await send(signed, b"part")) == 200:
            await asyncio.sleep(0)
    assert status == 403


async def test_a_signed_checksum_is_held_against_the_bytes(store: ObjectStore) -> None:
    upload = await begin(store, checksums=True)
    digest = hashlib.sha256(b"part").hexdigest()
    signed = await sign(store, upload, 1, b"part", sha256=digest)
    assert 400 <= await send(signed, b"trap") < 500
    assert await store.list_parts(KEY, upload) == []
    assert await send(signed, b"part") == 200
    parts = await store.list_parts(KEY, upload)
    assert [part.sha256 for part in parts] == [digest]
    await store.complete_multipart(KEY, upload, parts)
    assert await store.get(KEY) == b"part"


async def test_completing_again_answers_the_same(store: ObjectStore) -> None:
    upload = await begin(store)
    parts = await fill(store, upload, [b"x"])
    first = await store.complete_multipart(KEY, upload, parts)
    for if_absent in (True, False):
        again = await store.complete_multipart(KEY, upload, parts, if_absent=if_absent)
        assert (again.etag, again.size_bytes) == (first.etag, first.size_bytes)


async def test_completing_at_once_makes_it_once(store: ObjectStore) -> None:
    upload = await begin(store)
    parts = await fill(store, upload)
    made = await asyncio.gather(*(store.complete_multipart(KEY, upload, parts) for _ in range(5)))
    assert {info.etag for info in made} == {(await store.head(KEY)).etag}
    assert await store.get(KEY) == WHOLE


async def test_an_object_that_is_there_is_not_overwritten_and_the_parts_stay(store: ObjectStore) -> None:
    upload = await begin(store)
    parts = await fill(store, upload, [b"chunked"])
    await store.put(KEY, b"single", content_type="video/mp4")
    with pytest.raises(Conflict):
        await store.complete_multipart(KEY, upload, parts)
    assert await store.get(KEY) == b"single"
    assert await store.list_parts(KEY, upload) == parts
    await store.complete_multipart(KEY, upload, parts, if_absent=False)
    assert await store.get(KEY) == b"chunked"


async def test_a_single_upload_cannot_overwrite_it_either(store: ObjectStore) -> None:
    single = await store.presign_put(
        KEY, size_bytes=6, content_type="video/mp4", metadata={}, expires_in=timedelta(minutes=5)
    )
    upload = await begin(store)
    await store.complete_multipart(KEY, upload, await fill(store, upload, [b"chunked"]))
    assert await send(single, b"single") == 412
    assert await store.get(KEY) == b"chunked"


async def test_part_lists_that_lie_are_refused_and_nothing_is_lost(store: ObjectStore) -> None:
    upload = await begin(store)
    one, two, three = parts = await fill(store, upload)
    unknown = Part(4, 7, three.etag, three.modified_at, three.sha256)
    swapped = Part(1, SMALLEST, two.etag, one.modified_at, two.sha256)
    for lie in ([], [one, two, three, unknown], [swapped, two, three], [two, one, three]):
        with pytest.raises(Rejected):
            await store.complete_multipart(KEY, upload, lie)
    with pytest.raises(NotFound):
        await store.head(KEY)
    await store.complete_multipart(KEY, upload, parts)
    assert await store.get(KEY) == WHOLE


async def test_an_aborted_upload_is_gone(store: ObjectStore) -> None:
    upload = await begin(store)
    signed = await sign(store, upload, 1, b"x")
    parts = await fill(store, upload, [b"x"])
    for _ in range(2):
        await store.abort_multipart(KEY, upload)
    assert await send(signed, b"x") == 404
    with pytest.raises(NotFound):
        await store.list_parts(KEY, upload)
    with pytest.raises(NotFound):
        await store.complete_multipart(KEY, upload, parts)
    with pytest.raises(NotFound):
        await store.head(KEY)


async def test_an_upload_belongs_to_its_key(store: ObjectStore) -> None:
    upload = await begin(store)
    parts = await fill(store, upload, [b"x"])
    with pytest.raises(NotFound):
        await store.list_parts(OTHER, upload)
    with pytest.raises(NotFound):
        await store.complete_multipart(OTHER, upload, parts)
    await store.abort_multipart(OTHER, upload)
    assert await store.list_parts(KEY, upload) == parts


@pytest.mark.parametrize("unknown", ["0" * 32, "../objects", "", "x/../../y", "nul\0", "x" * 5000])
async def test_an_unknown_upload_is_not_found(store: ObjectStore, unknown: str) -> None:
    with pytest.raises(Permanent):
        await store.list_parts(KEY, unknown)
    with pytest.raises(Permanent):
        await store.complete_multipart(KEY, unknown, [Part(1, 1, "0" * 32, datetime.now(UTC))])


async def test_two_uploads_of_one_key_stay_apart(store: ObjectStore) -> None:
    first, second = await begin(store), await begin(store)
    one = await fill(store, first, [b"first"])
    two = await fill(store, second, [b"second"])
    await store.complete_multipart(KEY, first, one)
    with pytest.raises(Conflict):
        await store.complete_multipart(KEY, second, two)
    assert await store.get(KEY) == b"first"


async def test_an_upload_survives_the_process_that_opened_it(opened: Opened) -> None:
    upload = await begin(opened.store)
    await fill(opened.store, upload, [b"x"])
    again = await open_store(opened.settings)
    try:
        made = await again.complete_multipart(KEY, upload, await again.list_parts(KEY, upload))
        assert made.metadata == TOLD
    finally:
        await again.close()
    assert await opened.store.get(KEY) == b"x"


@pytest.mark.parametrize("name", ["", "../up", "nul\0", "x" * 2000])
async def test_bad_keys_are_refused(store: ObjectStore, name: str) -> None:
    with pytest.raises(Permanent):
        await store.open_multipart(ObjectKey(name), content_type="video/mp4")
