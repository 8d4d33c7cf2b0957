"""Shares with a password: what is hidden until it is given, and how it is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiohttp import FormData

from clipstream.common.contracts.ids import VideoId
from integration.gateway.conftest import Friends, make_friends
from integration.gateway.pages import Page, ask_oembed, new_share
from integration.gateway.world import World, serving, settings

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


def password_form(password: str) -> Any:
    form = FormData(default_to_multipart=True)
    form.add_field("password", password)
    return form


def _part(terms: bytes, text: bytes) -> bytes:
    return b"--b\r\nContent-Disposition: form-data" + terms + b"\r\n\r\n" + text + b"\r\n--b--\r\n"


async def test_a_password_hides_all_of_it(world: World, friends: Friends, video_id: VideoId) -> None:
    code = await new_share(friends, video_id, password=PASSWORD, start_time=7)
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
    oembed = await ask_oembed(world, f"{world.base}/share/{code}")
    assert (oembed.status, b"Mirage" in oembed.raw) == (401, False)


async def test_the_password_opens_it_for_whoever_gave_it(world: World, friends: Friends, video_id: VideoId) -> None:
    code = await new_share(friends, video_id, password=PASSWORD)
    another = await new_share(friends, video_id, password=PASSWORD)
    wrong = await world.nobody.ask("POST", f"/share/{code}/unlock", data=password_form("wrong"))
    assert (wrong.status, "Set-Cookie" in wrong.headers) == (403, False)
    assert "That is not the password." in Page(wrong).text
    right = await world.nobody.ask("POST", f"/share/{code}/unlock", data=password_form(PASSWORD))
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


async def test_programs_give_the_password_as_json(world: World, friends: Friends, video_id: VideoId) -> None:
    code = await new_share(friends, video_id, password=PASSWORD)
    json = {"Accept": "application/json"}
    wrong = await world.nobody.post(f"/share/{code}/unlock", {"password": "wrong"}, headers=json)
    assert (wrong.status, wrong.error) == (403, "Wrong password")
    assert (await world.nobody.post(f"/share/{code}/unlock", {"password": PASSWORD}, headers=json)).status == 303


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
    code = await new_share(friends, video_id, password=PASSWORD)
    for kind in ("multipart/form-data; boundary=b", "multipart/form-data"):
        answer = await world.nobody.ask("POST", f"/share/{code}/unlock", data=body, headers={"Content-Type": kind})
        assert (answer.status, answer.error) == (400, "Invalid password")


async def test_a_form_is_bounded(world: World, friends: Friends, video_id: VideoId) -> None:
    code = await new_share(friends, video_id, password=PASSWORD)
    assert (await world.nobody.ask("POST", f"/share/{code}/unlock", data=password_form("x" * 100_000))).status == 413


async def test_guessing_is_bounded(gateway_database: str, tmp_path: Path) -> None:
    async with serving(settings(gateway_database, tmp_path, rate_limits="guess=3/600")) as strict:
        friends = await make_friends(strict)
        code = await new_share(friends, await strict.ready(friends.uploader, friends.stream_id), password=PASSWORD)
        answers = [await strict.nobody.post(f"/share/{code}/unlock", {"password": f"guess {n}"}) for n in range(5)]
        assert [answer.status for answer in answers] == [403, 403, 403, 429, 429]
        assert int(answers[-1].headers["Retry-After"]) > 0


async def test_nobody_sets_passwords_without_end(gateway_database: str, tmp_path: Path) -> None:
    """Each costs us a quarter of a second of a processor."""
    async with serving(settings(gateway_database, tmp_path, rate_limits="guess=2/60")) as world:
        friends = await make_friends(world)
        address = f"/videos/{await world.ready(friends.uploader, friends.stream_id)}/share"
        made = [await friends.uploader.post(address, {"password": PASSWORD}) for _ in range(3)]
        assert [answer.status for answer in made] == [201, 201, 429]
        assert made[-1].headers["Retry-After"]
        assert (await friends.uploader.post(address, {})).status == 201
        assert (await friends.creator.post(address, {"password": PASSWORD})).status == 201
