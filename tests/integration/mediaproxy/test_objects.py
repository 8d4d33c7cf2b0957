"""The media proxy's HTTP as its users see it: store, fetch, list, delete, and everything that is refused."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from io import BytesIO

import aiohttp
import pytest
from yarl import URL

from clipstream.common.contracts.keys import ObjectKey
from integration.mediaproxy.conftest import Proxy

BODY = bytes(range(256)) * 4
KEY = ObjectKey("clips/a.mp4")


async def put(http: aiohttp.ClientSession, key: str, body: bytes = BODY, **headers: str) -> int:
    async with http.post("/api/upload", params={"key": key}, data=body, headers=headers) as answer:
        return answer.status


async def test_a_bare_body_is_stored(http: aiohttp.ClientSession, proxy: Proxy) -> None:
    told = {"Content-Type": "video/mp4", "X-Object-Key": "clips/%C3%A4.mp4", "X-Object-Meta-Stream-Id": "7%20a"}
    async with http.post("/api/upload", data=BODY, headers=told) as answer:
        assert answer.status == 201
        stored = await answer.json()
        location = answer.headers["Location"]
    digest = hashlib.sha256(BODY).hexdigest()
    assert (stored["key"], stored["size"], stored["sha256"]) == ("clips/ä.mp4", len(BODY), digest)
    async with http.get(URL(location, encoded=True)) as answer:
        assert await answer.read() == BODY
        assert answer.headers["ETag"] == f'"{stored["etag"]}"'
        assert answer.headers["Content-Type"] == "video/mp4"
        assert answer.headers["X-Object-Meta-stream-id"] == "7%20a"
    assert (await proxy.store.head(ObjectKey("clips/ä.mp4"))).metadata == {"stream-id": "7 a"}


async def test_a_form_is_stored(http: aiohttp.ClientSession, proxy: Proxy) -> None:
    form = aiohttp.FormData()
    form.add_field("key", "clips/ü.webm")
    form.add_field("file", BODY, filename="../../etc/passwd", content_type="video/webm")
    async with http.post("/api/upload", data=form) as answer:
        assert answer.status == 201
    head = await proxy.store.head(ObjectKey("clips/ü.webm"))
    assert (head.size_bytes, head.content_type) == (len(BODY), "video/webm")
    assert [info.key async for info in proxy.store.list("")] == ["clips/ü.webm"]


@pytest.mark.parametrize(
    "fields",
    [
        [("file", BODY)],
        [("key", b"a")],
        [("key", b"a"), ("key", b"b"), ("file", BODY)],
        [("other", b"a"), ("file", BODY)],
        [("key", b"a"), ("file", BODY), ("file", BODY)],
        [("file", BODY), ("key", b"a")],
        [("key", b"../a"), ("file", BODY)],
        [("key", b"\xff"), ("file", BODY)],
        [("key", b"k" * 2000), ("file", BODY)],
    ],
)
async def test_other_forms_are_refused(
    http: aiohttp.ClientSession, proxy: Proxy, fields: list[tuple[str, bytes]]
) -> None:
    form = aiohttp.FormData()
    for name, value in fields:
        form.add_field(name, BytesIO(value), filename="a.mp4" if name == "file" else None, content_type="text/plain")
    async with http.post("/api/upload", data=form) as answer:
        assert answer.status == 400
    assert [info async for info in proxy.store.list("")] == []


@pytest.mark.filterwarnings("ignore::aiohttp.multipart.BadContentDispositionHeader")
async def test_a_broken_form_stores_nothing(http: aiohttp.ClientSession, proxy: Proxy) -> None:
    start = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + BODY
    for body in (b"", b"nonsense", start[:40], start, start + b"\r\n--"):
        headers = {"Content-Type": "multipart/form-data; boundary=b", "X-Object-Key": "a"}
        async with http.post("/api/upload", data=body, headers=headers) as answer:
            assert answer.status == 400, body[:20]
    async with http.post("/api/upload", data=BODY, headers={"Content-Type": "multipart/form-data"}) as answer:
        assert answer.status == 400
    assert [info async for info in proxy.store.list("")] == []


async def test_no_more_than_allowed_is_stored(http: aiohttp.ClientSession, proxy: Proxy) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield bytes(100_000)

    assert await put(http, "a", bytes(1_000_000)) == 201
    assert await put(http, "b", bytes(1_000_001)) == 413
    async with http.post("/api/upload", params={"key": "c"}, data=endless()) as answer:
        assert answer.status == 413
    form = aiohttp.FormData()
    form.add_field("key", "d")
    form.add_field("file", bytes(1_000_001), filename="d")
    async with http.post("/api/upload", data=form) as answer:
        assert answer.status == 413
    assert [info.key async for info in proxy.store.list("")] == ["a"]


async def test_a_key_is_named_once(http: aiohttp.ClientSession) -> None:
    for params, headers in (({}, {}), ({"key": "a"}, {"X-Object-Key": "b"}), ({}, {"X-Object-Key": "%ff"})):
        async with http.post("/api/upload", params=params, headers=headers, data=BODY) as answer:
            assert answer.status == 400


async def test_only_new_objects_where_that_is_asked(http: aiohttp.ClientSession) -> None:
    only_new = {"If-None-Match": "*"}
    assert await put(http, "a", b"first", **only_new) == 201
    assert await put(http, "a", b"second", **only_new) == 412
    assert await put(http, "a", b"second", **{"If-None-Match": '"x"'}) == 400
    async with http.get("/api/media/a") as answer:
        assert await answer.read() == b"first"


BAD = [
    "%2e%2e/a",
    "a/%2e%2e%2fb",
    "a/../b",
    "..%2fa",
    "a%00b",
    "a//b",
    "a/",
    "%ff",
    "x" * 256,
    "a/./b",
    "%2Fetc/passwd",
]


@pytest.mark.parametrize("key", BAD)
async def test_keys_that_could_lead_elsewhere_are_refused(http: aiohttp.ClientSession, proxy: Proxy, key: str) -> None:
    """As they stand on the wire: nothing on the way may have resolved them."""
    for method in ("GET", "HEAD", "DELETE"):
        async with http.request(method, URL(f"{proxy.url}/api/media/{key}", encoded=True)) as answer:
            assert answer.status == 400
    async with http.post(URL(f"{proxy.url}/api/upload?key={key}", encoded=True), data=b"x") as answer:
        assert answer.status == 400 or key == "%ff"  # a query is decoded leniently, to a harmless replacement
    assert not (proxy.root.parent / "a").exists()


async def test_ranges(http: aiohttp.ClientSession) -> None:
    await put(http, KEY)
    for asked, status, expected in (
        ("bytes=0-3", 206, BODY[:4]), ("bytes=1000-", 206, BODY[1000:]), ("bytes=-24", 206, BODY[-24:]),
        ("bytes=1000-99999", 206, BODY[1000:]), ("bytes=0-0,5-9", 200, BODY), ("lines=1-2", 200, BODY),
        ("bytes=9-3", 200, BODY), ("bytes=" + ",".join(f"{n}-{n}" for n in range(100)), 200, BODY),
    ):  # fmt: skip
        async with http.get(f"/api/media/{KEY}", headers={"Range": asked}) as answer:
            assert (answer.status, await answer.read()) == (status, expected), asked
            assert answer.headers["Accept-Ranges"] == "bytes"
    async with http.get(f"/api/media/{KEY}", headers={"Range": "bytes=1024-"}) as answer:
        assert answer.status == 416
        assert answer.headers["Content-Range"] == "bytes */1024"
    async with http.head(f"/api/media/{KEY}", headers={"Range": "bytes=0-3"}) as answer:
        assert (answer.status, answer.headers["Content-Length"]) == (206, "4")


async def test_conditions(http: aiohttp.ClientSession) -> None:
    await put(http, KEY)
    async with http.head(f"/api/media/{KEY}") as answer:
        etag = answer.headers["ETag"]
        assert answer.headers["Content-Length"] == "1024"
    for headers, status in (
        ({"If-None-Match": etag}, 304), ({"If-None-Match": f'"x", {etag}'}, 304), ({"If-None-Match": '"x"'}, 200),
        ({"If-Match": etag}, 200), ({"If-Match": "*"}, 200), ({"If-Match": '"x"'}, 412),
        ({"If-Range": etag, "Range": "bytes=0-1"}, 206), ({"If-Range": '"x"', "Range": "bytes=0-1"}, 200),
    ):  # fmt: skip
        for method in ("GET", "HEAD"):
            async with http.request(method, f"/api/media/{KEY}", headers=headers) as answer:
                assert answer.status == status, headers
                assert (await answer.read() == b"") == (method == "HEAD" or status == 304)


async def test_lists_come_in_pages(http: aiohttp.ClientSession) -> None:
    for number in range(5):
        await put(http, f"p/{number}")
    await put(http, "q")
    seen: list[str] = []
    after: str | None = ""
    sizes = []
    while after is not None:
        async with http.get("/api/media", params={"prefix": "p/", "limit": "2", "start_after": after}) as answer:
            page = await answer.json()
        sizes.append(len(page["objects"]))
        seen += [found["key"] for found in page["objects"]]
        after = page.get("next_start_after")
    assert seen == [f"p/{number}" for number in range(5)]
    assert sizes == [2, 2, 1]
    for limit in ("0", "1001", "-1", "x", "²", "9" * 5000):
        async with http.get("/api/media", params={"limit": limit}) as answer:
            assert answer.status == 400


async def test_deletions(http: aiohttp.ClientSession) -> None:
    for name in ("a/1", "a/2", "b"):
        await put(http, name)
    for _ in range(2):
        async with http.delete("/api/media/b") as answer:
            assert answer.status == 204
    async with http.delete("/api/media") as answer:
        assert answer.status == 400
    async with http.delete("/api/media", params={"prefix": "a/"}) as answer:
        assert await answer.json() == {"deleted": 2}
    async with http.get("/api/media") as answer:
        assert await answer.json() == {"objects": []}
    async with http.get("/api/media/b") as answer:
        assert answer.status == 404
        assert (await answer.json())["error"] == "Object not found"


async def test_uploaded_pages_are_never_pages(http: aiohttp.ClientSession) -> None:
    await put(http, "page.html", b"<script>alert(1)</script>", **{"Content-Type": "text/html"})
    await put(http, "picture.svg", b"<svg onload='alert(1)'/>", **{"Content-Type": "image/svg+xml"})
    for key in ("page.html", "picture.svg"):
        async with http.get(f"/api/media/{key}") as answer:
            assert answer.headers["Content-Disposition"] == "attachment"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert "sandbox" in answer.headers["Content-Security-Policy"]


async def test_an_object_that_is_overwritten_is_never_answered_by_halves(
    http: aiohttp.ClientSession, proxy: Proxy
) -> None:
    bodies = [bytes([number]) * size for number, size in enumerate((300_000, 600_000, 10))]

    async def write() -> None:
        for number in range(90):
            await proxy.store.put(KEY, bodies[number % 3], content_type="video/mp4")

    await proxy.store.put(KEY, bodies[0], content_type="video/mp4")
    writing = asyncio.create_task(write())
    while not writing.done():
        async with http.get(f"/api/media/{KEY}") as answer:
            if answer.status == 412:  # overwritten three times in a row under our hands
                continue
            body = await answer.read()
        assert body in bodies
        assert answer.headers["ETag"] == f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    await writing
