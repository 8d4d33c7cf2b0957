"""What other sites are told of a shared clip, and the files that its page needs."""

from __future__ import annotations

import hashlib

import pytest

from clipstream.common.contracts.ids import VideoId
from clipstream.gateway.pages import HERE
from integration.gateway.conftest import Friends, make_friends
from integration.gateway.pages import Page, ask_oembed, new_share
from integration.gateway.world import World

HLS_SHA256 = "cfc70cc9e9fc63d071919e087670abc760c8fd1bc889b88588026e4d22193bbe"
TITLE = "Ace on Mirage & <more>"


@pytest.fixture
def world(shared_world: World) -> World:
    return shared_world


@pytest.fixture(scope="module")
async def friends(shared_world: World) -> Friends:
    return await make_friends(shared_world)


@pytest.fixture
async def video_id(world: World, friends: Friends) -> VideoId:
    video_id = await world.ready(friends.uploader, friends.stream_id)
    await world.pool.execute("UPDATE videos SET title = $2 WHERE id = $1", video_id, TITLE)
    return video_id


async def test_oembed(world: World, friends: Friends, video_id: VideoId) -> None:
    code = await new_share(friends, video_id)
    link = next(a for t, a in Page(await world.nobody.get(f"/share/{code}")).tags if a.get("rel") == "alternate")
    assert link["type"] == "application/json+oembed"
    found = (await world.nobody.get(str(link["href"]))).json
    assert {name: found[name] for name in ("type", "version", "title", "author_name", "width", "height")} == {
        "type": "video",
        "version": "1.0",
        "title": TITLE,
        "author_name": "uploader",
        "width": 640,
        "height": 360,
    }
    small = (await world.nobody.get(f"{link['href']}&maxwidth=320&maxheight=90")).json
    assert (small["width"], small["height"], small["thumbnail_url"]) == (160, 90, None)
    assert 'width="160" height="90"' in small["html"]


@pytest.mark.parametrize(
    ("address", "more", "status"),
    [
        ("{base}/share/{code}/embed", "", 200),
        ("{base}/share/{code}?t=5", "", 200),
        ("{base}/share/{code}", "&format=xml", 501),
        ("{base}/share/{code}", "&maxwidth=0", 400),
        ("{base}/share/{code}", "&maxwidth=x", 400),
        ("http://evil.example/share/{code}", "", 404),
        ("http://user@evil.example/share/{code}", "", 404),
        ("{base}/share/AAAAAAAAAAAAAAAAAAAAAAAA", "", 404),
        ("{base}/videos/{code}", "", 404),
        ("/share/{code}", "", 404),
        ("//", "", 404),
        ("http://[", "", 404),
        ("http://x:99999/", "", 404),
        ("http://xn--/share/{code}", "", 404),
        ("\0", "", 404),
        ("x" * 3000, "", 400),
        ("", "&format=json", 400),
    ],
)
async def test_what_oembed_answers_to(
    world: World, friends: Friends, video_id: VideoId, address: str, more: str, status: int
) -> None:
    code = await new_share(friends, video_id)
    answer = await ask_oembed(world, address.format(base=world.base, code=code), more)
    assert answer.status == status, answer.raw


async def test_files_of_pages_are_kept_for_ever(world: World, friends: Friends, video_id: VideoId) -> None:
    page = Page(await world.nobody.get(f"/share/{await new_share(friends, video_id)}"))
    addresses = [str(a.get("src") or a.get("href")) for t, a in page.tags if t in ("script", "link")]
    static = [address for address in addresses if address.startswith("/static/")]
    assert len(static) == 4
    for address in static:
        answer = await world.nobody.get(address)
        assert answer.status == 200
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["Content-Type"].split(";")[0] in ("text/javascript", "text/css", "image/png")
        again = await world.nobody.get(address, headers={"If-None-Match": answer.headers["ETag"]})
        assert again.status == 304
        plain = await world.nobody.get(address, headers={"Accept-Encoding": "identity"})
        assert ("Content-Encoding" in plain.headers, plain.raw) == (False, answer.raw)
    for name in ("hls.min.js", "..%2fpages.py", "LICENSE-hls.js", "README.md", "%00"):
        assert (await world.nobody.get(f"/static/{name}")).status == 404


def test_the_player_is_the_published_one() -> None:
    assert hashlib.sha256((HERE / "static" / "hls.min.js").read_bytes()).hexdigest() == HLS_SHA256
    assert HLS_SHA256 in (HERE / "static" / "README.md").read_text()
