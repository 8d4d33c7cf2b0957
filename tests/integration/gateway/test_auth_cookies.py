"""The built-in web app's refresh token: in a cookie that scripts cannot read, and that no page but ours can make use of."""

from __future__ import annotations

from collections.abc import AsyncIterator
from http.cookies import Morsel, SimpleCookie
from pathlib import Path
from typing import Any

import pytest

from integration.gateway.world import Answer, World, serving, settings

WEB = "https://clips.example.org"


@pytest.fixture
async def world(gateway_database: str, tmp_path: Path) -> AsyncIterator[World]:
    async with serving(settings(gateway_database, tmp_path, public_web_url=f"{WEB}/app")) as made:
        yield made


def _cookie(answer: Answer) -> Morsel[str]:
    (morsel,) = SimpleCookie(answer.headers["Set-Cookie"]).values()
    return morsel


async def _signed_in(world: World) -> Morsel[str]:
    answer = await world.nobody.post("/auth/dev", {"name": "Ann", "cookie": True})
    assert answer.json["refresh_token"] is None
    world.session.cookie_jar.clear()  # what is sent is up to each test
    return _cookie(answer)


async def _ask(world: World, path: str, value: str, body: Any = None, **headers: str) -> Answer:
    sent = {name.replace("_", "-"): text for name, text in headers.items()} | {"Cookie": f"cs_refresh={value}"}
    answer = await world.nobody.post(path, body or {}, headers=sent)
    world.session.cookie_jar.clear()
    return answer


async def test_the_cookie_is_for_browsers_alone_and_for_auth_alone(world: World) -> None:
    cookie = await _signed_in(world)
    assert cookie.key == "cs_refresh"
    assert cookie.value.startswith("csr_")
    assert (cookie["path"], cookie["samesite"], cookie["httponly"]) == ("/auth", "Strict", True)
    assert int(cookie["max-age"]) == 30 * 86400
    assert not cookie["domain"]


async def test_behind_https_the_cookie_never_leaves_it(gateway_database: str, tmp_path: Path) -> None:
    chosen = settings(gateway_database, tmp_path).model_copy(update={"public_api_url": "https://api.example.org"})
    async with serving(chosen) as world:
        answer = await world.nobody.post("/auth/dev", {"name": "Ann", "cookie": True})
        cookie = _cookie(answer)
        assert (cookie.key, cookie["secure"]) == ("__Secure-cs_refresh", True)
        for origin, status in (
            ("https://api.example.org", 200),
            ("http://api.example.org", 403),
            ("https://api.example.org:444", 403),
            (str(world.base.origin()), 403),  # what the request calls us is up to whoever sends it
        ):
            headers = {"Cookie": f"__Secure-cs_refresh={cookie.value}", "Origin": origin}
            again = await world.nobody.post("/auth/refresh", {}, headers=headers)
            assert again.status == status
            if status == 200:
                cookie = _cookie(again)


async def test_without_the_wish_there_is_no_cookie(world: World) -> None:
    answer = await world.nobody.post("/auth/dev", {"name": "Ann"})
    assert "Set-Cookie" not in answer.headers
    renewed = await world.nobody.post("/auth/refresh", {"refresh_token": answer.json["refresh_token"]})
    assert renewed.json["refresh_token"]
    assert "Set-Cookie" not in renewed.headers


async def test_a_refresh_by_cookie_rotates_the_cookie(world: World) -> None:
    cookie = await _signed_in(world)
    answer = await _ask(world, "/auth/refresh", cookie.value, Origin=str(world.base.origin()))
    assert (answer.status, answer.json["refresh_token"]) == (200, None)
    renewed = _cookie(answer)
    assert renewed.value != cookie.value
    assert (renewed["path"], renewed["samesite"], renewed["httponly"]) == ("/auth", "Strict", True)
    assert (await _ask(world, "/auth/refresh", renewed.value, Origin=WEB)).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example.org"},
        {"Origin": "null"},
        {"Origin": "https://clips.example.org.evil.example.org"},
        {"Origin": "http://clips.example.org"},
        {"Origin": "https://evil.example.org", "Sec_Fetch_Site": "same-origin"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "none"},
        {"Referer": f"{WEB}/app"},
        {},
    ],
)
@pytest.mark.parametrize("path", ["/auth/refresh", "/auth/logout"])
async def test_no_page_but_ours_may_use_it(world: World, path: str, headers: dict[str, str]) -> None:
    cookie = await _signed_in(world)
    answer = await _ask(world, path, cookie.value, **headers)
    assert (answer.status, answer.error) == (403, "Cross-origin request refused")
    assert "Set-Cookie" not in answer.headers
    assert (await _ask(world, "/auth/refresh", cookie.value, Sec_Fetch_Site="same-origin")).status == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b"])
async def test_no_form_of_another_page_reaches_it(world: World, kind: str) -> None:
    """What a page may send elsewhere without asking first."""
    cookie = await _signed_in(world)
    headers = {"Cookie": f"cs_refresh={cookie.value}", "Origin": WEB, "Content-Type": kind}
    for path in ("/auth/refresh", "/auth/logout", "/auth/dev", "/auth/verify"):
        answer = await world.nobody.ask("POST", path, data=b'{"name": "Ann", "cookie": true}', headers=headers)
        assert answer.status == 415


async def test_a_token_in_the_body_comes_first(world: World) -> None:
    cookie = await _signed_in(world)
    answer = await _ask(world, "/auth/refresh", cookie.value, {"refresh_token": "csr_unknown"}, Origin=WEB)
    assert (answer.status, answer.error) == (401, "Invalid refresh token")
    assert (await _ask(world, "/auth/refresh", cookie.value, Origin=WEB)).status == 200


async def test_logging_out_clears_the_cookie_and_ends_the_login(world: World) -> None:
    cookie = await _signed_in(world)
    answer = await _ask(world, "/auth/logout", cookie.value, Origin=WEB)
    assert answer.status == 204
    cleared = _cookie(answer)
    assert (cleared.value, cleared["max-age"], cleared["path"]) == ("", "0", "/auth")
    assert (await _ask(world, "/auth/refresh", cookie.value, Origin=WEB)).status == 401


async def test_the_cookie_opens_nothing_else(world: World) -> None:
    cookie = await _signed_in(world)
    for path in ("/auth/user", "/streams", "/auth/keys"):
        answer = await world.nobody.get(path, headers={"Cookie": f"cs_refresh={cookie.value}", "Origin": WEB})
        assert answer.status == 401
