"""The public page of a share: what it shows, to whom, what it lets run, and what it gives away. Nothing, where a code
opens nothing."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest
from aiohttp import FormData
from yarl import URL

from clipstream.common.contracts import keys
from clipstream.common.contracts.ids import VideoId
from clipstream.gateway.auth import hash_token
from clipstream.gateway.pages import HERE
from fixtures.markup import SCRIPTS
from integration.gateway.conftest import Friends, make_friends
from integration.gateway.world import Answer, World, serving, settings

HLS_SHA256 = "cfc70cc9e9fc63d071919e087670abc760c8fd1bc889b88588026e4d22193bbe"
PASSWORD = "correct horse"
TITLE = "Ace on Mirage & <more>"


class Page(HTMLParser):
    """A page's tags with their attributes, and its text."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(answer.raw.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    @property
    def shape(self) -> list[tuple[str, Sequence[str]]]:
        """Which tags with which attributes: what no text may change."""
        return [(tag, sorted(attributes)) for tag, attributes in self.tags]

    def meta(self, name: str) -> str | None:
        return next(
            (a["content"] for t, a in self.tags if t == "meta" and name in (a.get("property"), a.get("name"))), None
        )

    def first(self, tag: str) -> dict[str, str | None]:
        return next(attributes for found, attributes in self.tags if found == tag)


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


async def _share(friends: Friends, video_id: UUID, **terms: Any) -> str:
    answer = await friends.creator.post(f"/videos/{video_id}/share", terms)
    return str(answer.json["code"])


async def _oembed(world: World, address: str, more: str = "") -> Answer:
    return await world.nobody.get(f"/oembed?url={quote(address, safe='')}{more}")


async def test_a_page_that_plays_and_unfurls(world: World, friends: Friends, video_id: VideoId) -> None:
    code = await _share(friends, video_id, start_time=12.5)
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
    assert (await world.nobody.get(str(video["poster"]))).raw == b"a picture"


async def test_nothing_but_our_own_files_may_run(world: World, friends: Friends, video_id: VideoId) -> None:
    code = await _share(friends, video_id)
    answer = await world.nobody.get(f"/share/{code}")
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == policy["img-src"] == "'self'"
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
    code = await _share(friends, video_id)
    addresses = [f"/share/{code}", f"/share/{code}/embed"]
    harmless = [Page(await world.nobody.get(address)) for address in addresses]
    await world.pool.execute("UPDATE videos SET title = $2 WHERE id = $1", video_id, text)
    await world.pool.execute("UPDATE users SET name = $2 WHERE id = $1", friends.uploader.user_id, text)
    try:
        pages = [Page(await world.nobody.get(address)) for address in addresses]
        oembed = (await _oembed(world, f"{world.base}/share/{code}")).json
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
    revoked, expired = await _share(friends, video_id), await _share(friends, video_id, expires_in=60)
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
            kind = "application/json" if accept == "application/json" else "text/html"
            assert {answer.headers["Content-Type"].split(";")[0] for answer in answers} == {kind}
            assert len({tuple(sorted(set(answer.headers) - {"Date", "X-Request-Id"})) for answer in answers}) == 1


async def test_a_password_hides_all_of_it(world: World, friends: Friends, video_id: VideoId) -> None:
    code = await _share(friends, video_id, password=PASSWORD, start_time=7)
    for address in (f"/share/{code}", f"/share/{code}/embed"):
        answer = await world.nobody.get(address)
        assert answer.status == 200
        for secret in (b"Mirage", b"uploader", b"/media/", b"thumbnail", str(video_id).encode()):
            assert secret not in answer.raw
    locked = Page(await world.nobody.get(f"/share/{code}"))
    assert locked.meta("og:title") == "A clip with a password"
    assert locked.first("form")["action"] == f"/share/{code}/unlock"
    assert "form" not in [tag for tag, _ in Page(await world.nobody.get(f"/share/{code}/embed")).tags]
    picture = await world.nobody.get(f"/share/{code}/thumbnail")
    assert picture.headers["Content-Type"] == "image/png"
    oembed = await _oembed(world, f"{world.base}/share/{code}")
    assert (oembed.status, b"Mirage" in oembed.raw) == (401, False)


async def test_the_password_opens_it_for_whoever_gave_it(world: World, friends: Friends, video_id: VideoId) -> None:
    code = await _share(friends, video_id, password=PASSWORD)
    another = await _share(friends, video_id, password=PASSWORD)
    wrong = await world.nobody.ask("POST", f"/share/{code}/unlock", data=_form("wrong"))
    assert (wrong.status, "Set-Cookie" in wrong.headers) == (403, False)
    assert "That is not the password." in Page(wrong).text
    right = await world.nobody.ask("POST", f"/share/{code}/unlock", data=_form(PASSWORD))
    assert (right.status, right.headers["Location"]) == (303, f"/share/{code}")
    cookie, *terms = right.headers["Set-Cookie"].split("; ")
    assert {"HttpOnly", "Max-Age=3600", f"Path=/share/{code}", "SameSite=Lax"} == set(terms)
    opened = await world.nobody.get(f"/share/{code}", headers={"Cookie": cookie})
    assert Page(opened).meta("og:title") == TITLE
    assert (await world.nobody.get(f"/share/{code}/thumbnail", headers={"Cookie": cookie})).raw == b"a picture"
    elsewhere = await world.nobody.get(f"/share/{another}", headers={"Cookie": cookie})
    assert Page(elsewhere).meta("og:title") == "A clip with a password"
    for forged in (f"{cookie}A", cookie.replace("=", "=f"), "clipstream_share=", "clipstream_share=ffffffff.AAAA"):
        assert b"Mirage" not in (await world.nobody.get(f"/share/{code}", headers={"Cookie": forged})).raw


def _form(password: str) -> Any:
    form = FormData(default_to_multipart=True)
    form.add_field("password", password)
    return form


async def test_programs_give_the_password_as_json(world: World, friends: Friends, video_id: VideoId) -> None:
    code = await _share(friends, video_id, password=PASSWORD)
    json = {"Accept": "application/json"}
    wrong = await world.nobody.post(f"/share/{code}/unlock", {"password": "wrong"}, headers=json)
    assert (wrong.status, wrong.error) == (403, "Wrong password")
    assert (await world.nobody.post(f"/share/{code}/unlock", {"password": PASSWORD}, headers=json)).status == 303


def _part(terms: bytes, text: bytes) -> bytes:
    return b"--b\r\nContent-Disposition: form-data" + terms + b"\r\n\r\n" + text + b"\r\n--b--\r\n"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"password=x",
        b"--b\r\n",
        _part(b"", b"x"),
        _part(b'; name="password"; filename="a"', b"x"),
        _part(b'; name="password"', b""),
        _part(b'; name="word"', b"x"),
        _part(b'; name="password"\r\nContent-Type: text/plain; charset=no', b"x"),
        _part(b'; name="password"', b"\xff\xfe"),
        _part(b'; name="password"\r\nContent-Type: multipart/mixed; boundary=c', b"--c--"),
    ],
)
async def test_broken_forms(world: World, friends: Friends, video_id: VideoId, body: bytes) -> None:
    code = await _share(friends, video_id, password=PASSWORD)
    for kind in ("multipart/form-data; boundary=b", "multipart/form-data"):
        answer = await world.nobody.ask("POST", f"/share/{code}/unlock", data=body, headers={"Content-Type": kind})
        assert (answer.status, answer.error) == (400, "Invalid password")


async def test_a_form_is_bounded(world: World, friends: Friends, video_id: VideoId) -> None:
    code = await _share(friends, video_id, password=PASSWORD)
    assert (await world.nobody.ask("POST", f"/share/{code}/unlock", data=_form("x" * 100_000))).status == 413


async def test_guessing_is_bounded(gateway_database: str, tmp_path: Path) -> None:
    async with serving(settings(gateway_database, tmp_path, rate_limits="guess=3/600")) as strict:
        friends = await make_friends(strict)
        code = await _share(friends, await strict.ready(friends.uploader, friends.stream_id), password=PASSWORD)
        answers = [await strict.nobody.post(f"/share/{code}/unlock", {"password": f"guess {n}"}) for n in range(5)]
        assert [answer.status for answer in answers] == [403, 403, 403, 429, 429]
        assert int(answers[-1].headers["Retry-After"]) > 0


async def test_a_clip_in_the_works_says_so_and_looks_again(world: World, friends: Friends) -> None:
    video_id = await world.uploaded(friends.uploader, friends.stream_id)
    code = await _share(friends, video_id)
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
    page = Page(await world.nobody.get(f"/share/{await _share(friends, copy)}"))
    assert page.meta("og:title") == "The same again"
    assert (await world.nobody.get(str(page.first("video")["data-hls"]))).status == 200
    assert (await world.nobody.get(str(page.first("video")["poster"]))).raw == b"a picture"


async def test_the_original_is_not_given_out(world: World, friends: Friends, video_id: VideoId) -> None:
    """It can hold where and by what device it was recorded."""
    code = await _share(friends, video_id)
    address = URL(str(Page(await world.nobody.get(f"/share/{code}")).first("video")["data-hls"]))
    row = (await world.rows("videos", id=video_id))[0]
    for name in (row["key"], f"../../{row['key']}", "..%2f..%2f" + row["key"], row["filename"]):
        assert (await world.nobody.get(f"{address.parent}/{name}")).status in (403, 404)
    token = address.parts[2]
    assert (await world.nobody.get(f"/files/videos/{video_id}/stream")).status in (401, 404)
    assert (await world.nobody.get(f"/videos/{video_id}", headers={"Authorization": f"Bearer {token}"})).status == 401


async def test_looks_are_counted_heads_are_not(world: World, friends: Friends, video_id: VideoId) -> None:
    code = await _share(friends, video_id)
    await world.nobody.get(f"/share/{code}")
    await world.nobody.get(f"/share/{code}/embed")
    assert (await world.nobody.ask("HEAD", f"/share/{code}")).status == 200
    (share,) = (await friends.admin.get(f"/videos/{video_id}/shares")).json["shares"]
    assert share["opened_count"] == 2


async def test_oembed(world: World, friends: Friends, video_id: VideoId) -> None:
    code = await _share(friends, video_id)
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
        ("\0", "", 404),
        ("x" * 3000, "", 400),
        ("", "&format=json", 400),
    ],
)
async def test_what_oembed_answers_to(
    world: World, friends: Friends, video_id: VideoId, address: str, more: str, status: int
) -> None:
    code = await _share(friends, video_id)
    answer = await _oembed(world, address.format(base=world.base, code=code), more)
    assert answer.status == status, answer.raw


async def test_files_of_pages_are_kept_for_ever(world: World, friends: Friends, video_id: VideoId) -> None:
    page = Page(await world.nobody.get(f"/share/{await _share(friends, video_id)}"))
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


async def test_an_address_the_operator_told_stands_in_what_others_read(gateway_database: str, tmp_path: Path) -> None:
    """Whatever name a request was sent to: a cache or a chat must not be led elsewhere."""
    told = settings(gateway_database, tmp_path)
    async with serving(told.model_copy(update={"public_api_url": "https://clips.example"})) as world:
        friends = await make_friends(world)
        code = await _share(friends, await world.ready(friends.uploader, friends.stream_id), password=PASSWORD)
        plain = await _share(friends, await world.ready(friends.uploader, friends.stream_id))
        page = Page(await world.nobody.get(f"/share/{plain}", headers={"Host": "evil.example"}))
        assert page.meta("og:video:secure_url") == f"https://clips.example/share/{plain}/embed"
        assert "evil.example" not in str(page.tags)
        opened = await world.nobody.post(f"/share/{code}/unlock", {"password": PASSWORD})
        assert "Secure" in opened.headers["Set-Cookie"].split("; ")


@pytest.mark.parametrize("host", ["a b", '"><script>', "[", "x:y:z", "", "é"])
async def test_odd_host_names(world: World, friends: Friends, video_id: VideoId, host: str) -> None:
    code = await _share(friends, video_id)
    request = f"GET /share/{code} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    reader, writer = await asyncio.open_connection(world.base.host, world.base.port)
    writer.write(request.encode())
    answer = await reader.read()
    writer.close()
    assert b" 500 " not in answer.split(b"\r\n")[0]
    assert b'content=""><script>' not in answer


def test_the_key_of_a_thumbnail_is_no_originals() -> None:
    assert keys.thumbnail(VideoId(UUID(int=1))) != keys.original(VideoId(UUID(int=1)), ".jpg")
