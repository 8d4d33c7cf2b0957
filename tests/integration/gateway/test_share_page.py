"""The public page of a share: what it shows, what it lets run, and what it gives away. Nothing, where a code opens nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from yarl import URL

from clipstream.common.contracts.ids import VideoId
from clipstream.gateway.auth import hash_token
from fixtures.markup import SCRIPTS
from integration.gateway.conftest import Friends, make_friends
from integration.gateway.pages import Page, ask_oembed, new_share
from integration.gateway.world import Answer, World, serving, settings

PASSWORD = "correct horse"
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


async def test_a_page_that_plays_and_unfurls(world: World, friends: Friends, video_id: VideoId) -> None:
    code = await new_share(friends, video_id, start_time=12.5)
    answer = await world.nobody.get(f"/share/{code}")
    page = Page(answer)
    url = f"{world.base}/share/{code}"
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert {name: page.meta(name) for name in ("og:title", "twitter:title", "og:description", "og:type")} == {
        "og:title": TITLE,
        "twitter:title": TITLE,
        "og:description": "A clip by uploader",
        "og:type": "video.other",
    }
    assert page.meta("og:url") == url
    assert page.meta("og:image") == page.meta("twitter:image") == f"{url}/thumbnail"
    assert page.meta("og:video") == page.meta("twitter:player") == f"{url}/embed"
    assert (page.meta("og:video:type"), page.meta("twitter:card")) == ("text/html", "player")
    assert (page.meta("og:video:width"), page.meta("og:video:height")) == ("1280", "720")
    assert page.meta("video:duration") == "30"
    video = page.first("video")
    assert video["data-start"] == "12.5"
    assert (await world.nobody.get(str(video["data-hls"]))).raw.startswith(b"#EXTM3U")
    assert (await world.nobody.get(str(page.first("track")["src"]))).raw.startswith(b"WEBVTT")
    poster = await world.nobody.get(str(video["poster"]))
    assert (poster.raw, poster.headers["Cross-Origin-Resource-Policy"]) == (b"a picture", "cross-origin")


async def test_nothing_but_our_own_files_may_run(world: World, friends: Friends, video_id: VideoId) -> None:
    code = await new_share(friends, video_id)
    answer = await world.nobody.get(f"/share/{code}")
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Robots-Tag"] == "noindex"
    for tag, attributes in Page(answer).tags:
        assert not any(name.startswith("on") or name == "style" for name in attributes), tag
        if tag == "script":
            assert str(attributes["src"]).startswith("/static/")
    embed = await world.nobody.get(f"/share/{code}/embed")
    assert "frame-ancestors *" in embed.headers["Content-Security-Policy"]
    assert Page(embed).first("video")["data-hls"]
    assert b"og:" not in embed.raw


@pytest.mark.parametrize("text", SCRIPTS)
async def test_no_text_becomes_markup(world: World, friends: Friends, video_id: VideoId, text: str) -> None:
    code = await new_share(friends, video_id)
    addresses = [f"/share/{code}", f"/share/{code}/embed"]
    harmless = [Page(await world.nobody.get(address)) for address in addresses]
    await world.pool.execute("UPDATE videos SET title = $2 WHERE id = $1", video_id, text)
    await world.pool.execute("UPDATE users SET name = $2 WHERE id = $1", friends.uploader.user_id, text)
    try:
        pages = [Page(await world.nobody.get(address)) for address in addresses]
        oembed = (await ask_oembed(world, f"{world.base}/share/{code}")).json
    finally:
        await world.pool.execute("UPDATE users SET name = 'uploader' WHERE id = $1", friends.uploader.user_id)
    for page, before in zip(pages, harmless, strict=True):
        assert page.shape == before.shape
        assert text in page.text
    assert pages[0].meta("og:title") == text
    assert pages[0].meta("og:description") == f"A clip by {text}"
    frame = Page(Answer(200, {}, oembed["html"].encode()))
    assert [tag for tag, _ in frame.tags] == ["iframe"]
    assert frame.first("iframe")["title"] == text
    assert frame.first("iframe")["src"] == f"{world.base}/share/{code}/embed"


async def test_codes_that_open_nothing_are_told_apart_by_nothing(
    world: World, friends: Friends, video_id: VideoId
) -> None:
    revoked, expired = await new_share(friends, video_id), await new_share(friends, video_id, expires_in=60)
    await friends.creator.ask("DELETE", f"/shares/{revoked}")
    await world.pool.execute("UPDATE shares SET expires_at = now() WHERE hash = $1", hash_token(expired))
    codes = [revoked, expired, "AAAAAAAAAAAAAAAAAAAAAAAA", "x", "%00", "%ff", "%3Cscript%3E", "..%2f..", "%C3%A9" * 50]
    for method, ending in (("GET", ""), ("GET", "/embed"), ("GET", "/thumbnail"), ("POST", "/unlock")):
        body = {"json": {"password": "x"}} if method == "POST" else {}
        for accept in ("text/html", "*/*", "application/json"):
            answers = [
                await world.nobody.ask(method, f"/share/{code}{ending}", headers={"Accept": accept}, **body)
                for code in codes
            ]
            assert {answer.status for answer in answers} == {404}
            assert len({answer.raw for answer in answers}) == 1
            json = accept == "application/json" or ending == "/thumbnail"
            kind = "application/json" if json else "text/html"
            assert {answer.headers["Content-Type"].split(";")[0] for answer in answers} == {kind}
            assert len({tuple(sorted(set(answer.headers) - {"Date", "X-Request-Id"})) for answer in answers}) == 1


async def test_a_clip_in_the_works_says_so_and_looks_again(world: World, friends: Friends) -> None:
    video_id = await world.uploaded(friends.uploader, friends.stream_id)
    code = await new_share(friends, video_id)
    page = Page(await world.nobody.get(f"/share/{code}"))
    assert "Still processing" in page.text
    assert ("meta", {"http-equiv": "refresh", "content": "10"}) in page.tags
    assert page.meta("twitter:card") == "summary_large_image"
    assert "video" not in [tag for tag, _ in page.tags]
    picture = await world.nobody.get(f"/share/{code}/thumbnail")
    assert (picture.headers["Content-Type"], picture.raw[:4]) == ("image/png", b"\x89PNG")
    told = await world.story(video_id, friends.stream_id)
    told.reject("This is a text file.")
    await world.project(*told.told)
    ended = Page(await world.nobody.get(f"/share/{code}"))
    assert "could not be made playable" in ended.text
    assert "refresh" not in str(ended.tags)


async def test_a_duplicate_plays_what_it_is_a_copy_of(world: World, friends: Friends, video_id: VideoId) -> None:
    copy = await world.uploaded(friends.uploader, friends.stream_id, title="The same again")
    told = await world.story(copy, friends.stream_id)
    told.copy_of(video_id)
    await world.project(*told.told)
    page = Page(await world.nobody.get(f"/share/{await new_share(friends, copy)}"))
    assert page.meta("og:title") == "The same again"
    assert (await world.nobody.get(str(page.first("video")["data-hls"]))).status == 200
    assert (await world.nobody.get(str(page.first("video")["poster"]))).raw == b"a picture"


async def test_the_original_is_not_given_out(world: World, friends: Friends, video_id: VideoId) -> None:
    """It can hold where and by what device it was recorded."""
    code = await new_share(friends, video_id)
    address = URL(str(Page(await world.nobody.get(f"/share/{code}")).first("video")["data-hls"]))
    row = (await world.rows("videos", id=video_id))[0]
    for name in (row["key"], f"../../{row['key']}", "..%2f..%2f" + row["key"], row["filename"]):
        assert (await world.nobody.get(f"{address.parent}/{name}")).status in (403, 404)
    token = address.parts[2]
    assert (await world.nobody.get(f"/files/videos/{video_id}/stream")).status in (401, 404)
    assert (await world.nobody.get(f"/videos/{video_id}", headers={"Authorization": f"Bearer {token}"})).status == 401


async def test_looks_are_counted_heads_are_not(world: World, friends: Friends, video_id: VideoId) -> None:
    code = await new_share(friends, video_id)
    await world.nobody.get(f"/share/{code}")
    await world.nobody.get(f"/share/{code}/embed")
    assert (await world.nobody.ask("HEAD", f"/share/{code}")).status == 200
    (share,) = (await friends.admin.get(f"/videos/{video_id}/shares")).json["shares"]
    assert share["opened_count"] == 2


async def test_an_address_the_operator_told_stands_in_what_others_read(gateway_database: str, tmp_path: Path) -> None:
    """Whatever name a request was sent to: a cache or a chat must not be led elsewhere."""
    told = settings(gateway_database, tmp_path)
    async with serving(told.model_copy(update={"public_api_url": "https://clips.example"})) as world:
        friends = await make_friends(world)
        code = await new_share(friends, await world.ready(friends.uploader, friends.stream_id), password=PASSWORD)
        plain = await new_share(friends, await world.ready(friends.uploader, friends.stream_id))
        page = Page(await world.nobody.get(f"/share/{plain}", headers={"Host": "evil.example"}))
        assert page.meta("og:video:secure_url") == f"https://clips.example/share/{plain}/embed"
        assert "evil.example" not in str(page.tags)
        opened = await world.nobody.post(f"/share/{code}/unlock", {"password": PASSWORD})
        assert "Secure" in opened.headers["Set-Cookie"].split("; ")


@pytest.mark.parametrize("host", ["a b", '"><script>', "[", "x:y:z", "", "é"])
async def test_odd_host_names(world: World, friends: Friends, video_id: VideoId, host: str) -> None:
    code = await new_share(friends, video_id)
    request = f"GET /share/{code} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    reader, writer = await asyncio.open_connection(world.base.host, world.base.port)
    writer.write(request.encode())
    answer = await reader.read()
    writer.close()
    assert b" 500 " not in answer.split(b"\r\n")[0]
    assert b'content=""><script>' not in answer
