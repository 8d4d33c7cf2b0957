"""Who is let in: the bearer of the token, and signed addresses for the one thing they were signed for."""

from __future__ import annotations

import time
from datetime import timedelta

import aiohttp
import pytest
from yarl import URL

from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.store.presign import UploadSigner
from clipstream.common.store.proxy.signing import DownloadSigner
from fixtures.mediaproxy import TOKEN
from integration.mediaproxy.conftest import WEB, Proxy

KEY = ObjectKey("thumbnails/a b.jpg")
MINUTE = timedelta(minutes=1)
ROUTES = [
    ("POST", "/api/upload?key=new"),
    ("GET", "/api/media"),
    ("DELETE", "/api/media?prefix="),
    ("GET", "/api/media/a"),
    ("HEAD", "/api/media/a"),
    ("GET", "/api/media/a?preset=thumb320"),
    ("DELETE", "/api/media/a"),
    ("GET", "/api/space"),
    ("POST", "/api/multipart"),
    ("POST", "/api/multipart/parts"),
    ("POST", "/api/multipart/complete"),
    ("POST", "/api/multipart/abort"),
    ("GET", "/nowhere"),
    ("OPTIONS", "/api/media/a"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize(
    "given", [None, "", "Bearer ", f"Bearer {TOKEN[:-1]}", f"bearer {TOKEN}", TOKEN, f"Basic {TOKEN}", "Bearer é"]
)
async def test_nothing_without_the_token(
    stranger: aiohttp.ClientSession, proxy: Proxy, method: str, path: str, given: str | None
) -> None:
    await proxy.store.put(ObjectKey("a"), b"x", content_type="image/jpeg")
    headers = {} if given is None else {"Authorization": given}
    async with stranger.request(method, path, headers=headers) as answer:
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert method == "HEAD" or await answer.json() == {"error": "Authentication required"}
    assert [info.key async for info in proxy.store.list("")] == ["a"]


async def test_health_is_open_but_no_place_to_be_wrong(stranger: aiohttp.ClientSession, proxy: Proxy) -> None:
    async with stranger.get("/api/health") as answer:
        body = await answer.json()
        assert (answer.status, body["status"], body["storage"]) == (200, "healthy", "available")
    async with stranger.get("/api/health", headers={"Authorization": "Bearer wrong"}) as answer:
        assert answer.status == 401
    proxy.root.rename(proxy.root.with_name("unmounted"))
    async with stranger.get("/api/health") as answer:
        assert (answer.status, await answer.json()) == (
            503,
            {"status": "unhealthy", "issues": ["storage_unavailable"]},
        )
    proxy.root.with_name("unmounted").rename(proxy.root)


async def test_a_signed_address_reads_one_object_for_a_while(stranger: aiohttp.ClientSession, proxy: Proxy) -> None:
    await proxy.store.put(KEY, b"picture", content_type="image/jpeg")
    await proxy.store.put(ObjectKey("other"), b"other", content_type="image/jpeg")
    url = URL(DownloadSigner(TOKEN, proxy.url).sign(KEY, MINUTE), encoded=True)
    async with stranger.get(url) as answer:
        assert await answer.read() == b"picture"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
        assert answer.headers["Cache-Control"].startswith("private")
    async with stranger.head(url) as answer:
        assert answer.status == 200
    for method in ("DELETE", "POST", "PUT"):
        async with stranger.request(method, url) as answer:
            assert answer.status in (401, 405)
    assert await proxy.store.get(KEY) == b"picture"


async def test_other_signed_addresses_are_refused(stranger: aiohttp.ClientSession, proxy: Proxy) -> None:
    for name in (KEY, "other"):
        await proxy.store.put(ObjectKey(name), b"x", content_type="image/jpeg")
    good = URL(DownloadSigner(TOKEN, proxy.url).sign(KEY, MINUTE), encoded=True)
    later = str(int(time.time()) + 9999)
    for bad in (
        good.with_path("/api/media/other", keep_query=True),
        good.update_query(expires=later),
        good.update_query(expires=""),
        good.update_query(expires="²"),
        good.update_query(signature=""),
        good.update_query(signature="é"),
        URL(DownloadSigner("x" * 32, proxy.url).sign(KEY, MINUTE), encoded=True),
        URL(DownloadSigner(TOKEN, proxy.url).sign(KEY, -MINUTE), encoded=True),
    ):
        async with stranger.get(bad) as answer:
            assert (answer.status, (await answer.json())["error"]) == (403, "Invalid or expired media address")


async def test_an_upload_address_opens_nothing_else(stranger: aiohttp.ClientSession, proxy: Proxy) -> None:
    signed = UploadSigner(TOKEN, proxy.url).sign(
        KEY, size_bytes=3, content_type="image/png", metadata={}, expires_in=MINUTE
    )
    url = URL(signed.url, encoded=True)
    async with stranger.get(url) as answer:
        assert answer.status in (401, 405)
    async with stranger.post(f"/api/upload?{url.raw_query_string}", data=b"abc") as answer:
        assert answer.status == 401
    async with stranger.put(url, data=b"abc", headers=dict(signed.headers)) as answer:
        assert answer.status == 200
    assert (await proxy.store.head(KEY)).content_type == "image/png"


async def test_the_web_app_may_send_uploads_here_and_no_other(stranger: aiohttp.ClientSession) -> None:
    asks = {"Origin": WEB, "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "content-type"}
    async with stranger.options("/uploads/direct", headers=asks) as answer:
        assert answer.status == 204
        assert answer.headers["Access-Control-Allow-Origin"] == WEB
        assert "PUT" in answer.headers["Access-Control-Allow-Methods"]
        assert "Access-Control-Allow-Credentials" not in answer.headers
    async with stranger.put("/uploads/direct", headers={"Origin": WEB}, data=b"x") as answer:
        assert answer.status == 403
        assert answer.headers["Access-Control-Allow-Origin"] == WEB
        assert "etag" in answer.headers["Access-Control-Expose-Headers"]
    for other in ("https://evil.example", "null", f"{WEB}.evil.example"):
        async with stranger.options("/uploads/direct", headers=asks | {"Origin": other}) as answer:
            assert answer.status >= 400
            assert "Access-Control-Allow-Origin" not in answer.headers
