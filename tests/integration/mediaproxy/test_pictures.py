"""Small pictures of stored images: made in a cage, once, of exactly one version."""

from __future__ import annotations

import asyncio
import io
from datetime import timedelta
from uuid import uuid4

import aiohttp
import pytest
from PIL import Image
from prometheus_client import REGISTRY
from yarl import URL

from clipstream.common.contracts import keys
from clipstream.common.contracts.ids import VideoId
from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.stage.context import Limits
from clipstream.common.store.proxy.signing import DownloadSigner
from clipstream.mediaproxy import pictures
from fixtures.mediaproxy import TOKEN
from integration.mediaproxy.conftest import Proxy
from integration.mediaproxy.images import NO_IMAGES, SECRET, animation, bomb, encoded, gradient, photo

KEY = ObjectKey("thumbnails/a.jpg")


async def put(proxy: Proxy, body: bytes, key: ObjectKey = KEY) -> str:
    """Stored under a content type that says nothing; its ETag."""
    return (await proxy.store.put(key, body, content_type="text/html")).etag


async def get(http: aiohttp.ClientSession, key: str = KEY, **query: str) -> tuple[int, bytes, dict[str, str]]:
    async with http.get(f"/api/media/{key}", params=query) as answer:
        return answer.status, await answer.read(), {name.lower(): value for name, value in answer.headers.items()}


async def stored(proxy: Proxy) -> list[str]:
    return [info.key async for info in proxy.store.list("derived/")]


def counted(outcome: str) -> float:
    return REGISTRY.get_sample_value("clipstream_pictures_total", {"outcome": outcome}) or 0.0


@pytest.mark.parametrize(
    ("preset", "size"),
    [("thumb320", (320, 180)), ("thumb640", (640, 360)), ("poster1280", (1280, 720)), ("avatar128", (128, 128))],
)
@pytest.mark.parametrize("kind", ["jpeg", "webp", "avif"])
async def test_every_preset_in_every_format(
    http: aiohttp.ClientSession, proxy: Proxy, preset: str, size: tuple[int, int], kind: str
) -> None:
    etag = await put(proxy, photo())
    status, body, headers = await get(http, preset=preset, format=kind)
    assert (status, headers["content-type"]) == (200, f"image/{kind}")
    assert await stored(proxy) == [f"derived/{KEY}/{etag}/{preset}.{kind}"]
    picture = Image.open(io.BytesIO(body))
    assert (picture.format, picture.size) == (kind.upper(), size)
    red, green, _ = picture.convert("RGB").getpixel((size[0] - 3, 2))  # type: ignore[misc]
    assert red > 180
    assert green < 70
    assert SECRET not in body
    assert not picture.getexif()
    assert "icc_profile" not in picture.info


async def test_a_picture_is_made_once(http: aiohttp.ClientSession, proxy: Proxy) -> None:
    await put(proxy, photo())
    before = counted("made")
    answers = await asyncio.gather(*(get(http, preset="thumb320") for _ in range(12)))
    answers.append(await get(http, preset="thumb320", format="jpeg"))
    assert {status for status, _, _ in answers} == {200}
    assert len({body for _, body, _ in answers}) == 1
    assert counted("made") == before + 1


async def test_a_named_version_never_changes(http: aiohttp.ClientSession, proxy: Proxy) -> None:
    etag = await put(proxy, photo())
    status, first, headers = await get(http, preset="thumb320", v=etag)
    assert status == 200
    assert "immutable" in headers["cache-control"]
    async with http.get(f"/api/media/{KEY}?preset=thumb320", headers={"If-None-Match": headers["etag"]}) as answer:
        assert answer.status == 304
    again = await put(proxy, photo(900, 1600))
    assert (await get(http, preset="thumb320", v=etag))[0] == 404
    status, second, headers = await get(http, preset="thumb320")
    assert status == 200
    assert second != first
    assert "immutable" not in headers["cache-control"]
    assert (await get(http, preset="thumb320", v=again))[1] == second


async def test_deleting_an_image_deletes_its_pictures(http: aiohttp.ClientSession, proxy: Proxy) -> None:
    for key in (KEY, ObjectKey(f"{KEY}.png"), ObjectKey("other/a")):
        await put(proxy, photo(40, 30), key)
        assert (await get(http, key, preset="thumb320"))[0] == 200
    async with http.delete(f"/api/media/{KEY}") as answer:
        assert answer.status == 204
    assert [key.split("/")[1:-2] for key in await stored(proxy)] == [["other", "a"], ["thumbnails", "a.jpg.png"]]
    async with http.delete("/api/media", params={"prefix": "thumbnails/"}) as answer:
        assert await answer.json() == {"deleted": 1}
    assert [key.split("/")[1] for key in await stored(proxy)] == ["other"]


def test_deleting_a_video_deletes_its_pictures_too() -> None:
    video = VideoId(uuid4())
    picture = keys.derived(keys.thumbnail(video, "processing"), "etag", "thumb320.webp")
    assert any(picture.startswith(prefix) for prefix in keys.of_video(video))


@pytest.mark.parametrize("orientation", [3, 6, 8])
async def test_pictures_stand_upright(http: aiohttp.ClientSession, proxy: Proxy, orientation: int) -> None:
    await put(proxy, photo(orientation=orientation))
    picture = Image.open(io.BytesIO((await get(http, preset="thumb320"))[1]))
    assert picture.size == ((320, 180) if orientation == 3 else (180, 320))
    corner = {3: (2, -3), 6: (-3, -3), 8: (2, 2)}[orientation]  # where the upper right one of the source goes to
    red, green, _ = picture.getpixel((corner[0] % picture.width, corner[1] % picture.height))  # type: ignore[misc]
    assert red > 180
    assert green < 70


@pytest.mark.parametrize(
    "body",
    [
        encoded(gradient(700, 500).convert("P"), "PNG"),
        encoded(gradient(700, 500, "L"), "PNG"),
        encoded(gradient(700, 500, "1"), "PNG"),
        encoded(gradient(700, 500, "L").convert("I;16"), "PNG"),
        encoded(gradient(700, 500, "CMYK"), "JPEG"),
        encoded(gradient(700, 500, "RGBA"), "WEBP"),
        encoded(gradient(700, 500, "LA"), "PNG"),
        encoded(gradient(700, 500).convert("P"), "PNG", transparency=3),
    ],
    ids=["palette", "grey", "bits", "16-bit", "cmyk", "webp", "grey with alpha", "palette with alpha"],
)
@pytest.mark.parametrize("kind", ["jpeg", "webp", "avif"])
async def test_every_kind_of_pixel(http: aiohttp.ClientSession, proxy: Proxy, body: bytes, kind: str) -> None:
    await put(proxy, body)
    status, picture, _ = await get(http, preset="thumb320", format=kind)
    assert status == 200
    assert Image.open(io.BytesIO(picture)).size == (320, 229)


async def test_transparency_is_kept_or_white(http: aiohttp.ClientSession, proxy: Proxy) -> None:
    await put(proxy, encoded(Image.new("RGBA", (200, 200), (9, 9, 9, 0)), "PNG"))
    webp = Image.open(io.BytesIO((await get(http, preset="avatar128", format="webp"))[1]))
    jpeg = Image.open(io.BytesIO((await get(http, preset="avatar128", format="jpeg"))[1]))
    assert webp.convert("RGBA").getpixel((50, 50))[3] == 0  # type: ignore[index]
    assert min(jpeg.getpixel((50, 50))) > 250  # type: ignore[arg-type]


async def test_only_the_first_frame_and_nothing_is_enlarged(http: aiohttp.ClientSession, proxy: Proxy) -> None:
    await put(proxy, animation())
    picture = Image.open(io.BytesIO((await get(http, preset="poster1280", format="webp"))[1]))
    assert (picture.size, getattr(picture, "n_frames", 1)) == ((400, 300), 1)
    assert picture.convert("RGB").getpixel((9, 9))[0] > 200  # type: ignore[index]
    await put(proxy, encoded(gradient(60, 20), "PNG"))
    assert Image.open(io.BytesIO((await get(http, preset="avatar128"))[1])).size == (20, 20)


@pytest.mark.parametrize("name", NO_IMAGES)
async def test_bytes_decide_what_is_an_image(http: aiohttp.ClientSession, proxy: Proxy, name: str) -> None:
    await proxy.store.put(KEY, NO_IMAGES[name], content_type="image/jpeg")
    status, body, headers = await get(http, preset="thumb320")
    assert (status, headers["content-type"]) == (422, "application/json; charset=utf-8")
    assert b"not a JPEG, PNG, WebP or GIF image" in body
    assert await stored(proxy) == []


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (bomb(60_000, 60_000), b"million pixels"),
        (bomb(8_000, 6_300), b"million pixels"),
        (photo()[:5000], b"damaged"),
        (b"\xff\xd8\xff" + bytes(500), b"damaged"),
        (b"\x89PNG\r\n\x1a\n" + bytes(500), b"damaged"),
        (b"GIF89a" + b"\xff" * 500, b"damaged"),
        (b"RIFF\x10\x00\x00\x00WEBPVP8 " + b"\xff" * 500, b"damaged"),
    ],
    ids=["bomb", "slightly too large", "cut", "no jpeg", "no png", "no gif", "no webp"],
)
async def test_hostile_images_are_refused_once(
    http: aiohttp.ClientSession, proxy: Proxy, body: bytes, words: bytes
) -> None:
    await put(proxy, body)
    before = counted("refused")
    for _ in range(3):
        status, said, _ = await get(http, preset="thumb320")
        assert status == 422
        assert words in said
    assert counted("refused") == before + 1
    assert await stored(proxy) == []


async def test_the_largest_image_allowed_fits_the_cage(http: aiohttp.ClientSession, proxy: Proxy) -> None:
    await put(proxy, bomb(8_000, 6_200))
    assert (await get(http, preset="thumb320", format="webp"))[0] == 200


async def test_a_file_that_is_too_large_is_not_read(
    http: aiohttp.ClientSession, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "MAX_BYTES", 1000)
    await put(proxy, photo())
    status, said, _ = await get(http, preset="thumb320")
    assert (status, b"larger than" in said) == (422, True)


async def test_a_decoder_that_takes_too_long_is_ended(
    http: aiohttp.ClientSession, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "LIMITS", Limits(wall=timedelta(milliseconds=1)))
    await put(proxy, photo())
    status, said, _ = await get(http, preset="thumb320")
    assert (status, b"took longer" in said) == (422, True)


async def test_no_more_wait_than_there_is_room(
    http: aiohttp.ClientSession, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "MOST_WAITING", 1)
    await put(proxy, photo())
    answers = await asyncio.gather(*(get(http, preset=name) for name in ("thumb320", "thumb640", "poster1280")))
    assert sorted(status for status, _, _ in answers) == [200, 503, 503]
    assert all("retry-after" in headers for status, _, headers in answers if status == 503)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"preset": "thumb321"}, 404),
        ({"preset": "thumb320", "format": "png"}, 400),
        ({"preset": "thumb320", "format": "JPEG"}, 400),
        ({"format": "webp"}, 400),
        ({"preset": ""}, 404),
    ],
)
async def test_no_other_sizes_and_formats(
    http: aiohttp.ClientSession, proxy: Proxy, query: dict[str, str], status: int
) -> None:
    await put(proxy, photo(40, 30))
    assert (await get(http, **query))[0] == status
    assert await stored(proxy) == []


async def test_no_pictures_of_pictures(http: aiohttp.ClientSession, proxy: Proxy) -> None:
    await put(proxy, photo(40, 30))
    await get(http, preset="thumb320")
    (picture,) = await stored(proxy)
    assert (await get(http, picture, preset="thumb320"))[0] == 404
    assert (await get(http, "nothing", preset="thumb320"))[0] == 404


async def test_a_signed_address_is_good_for_the_pictures_too(stranger: aiohttp.ClientSession, proxy: Proxy) -> None:
    await put(proxy, photo(40, 30))
    url = URL(DownloadSigner(TOKEN, proxy.url).sign(KEY, timedelta(minutes=1)), encoded=True)
    async with stranger.get(url.update_query(preset="thumb320", format="avif")) as answer:
        assert (answer.status, answer.headers["Content-Type"]) == (200, "image/avif")
