"""Signing in by name, staying signed in, and logging out. Tokens that are none of ours: test_auth_forged.py."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from clipstream.gateway.auth import REMEMBERED, AccessTokens
from clipstream.gateway.problems import Problem
from integration.gateway.conftest import Friends
from integration.gateway.world import SECRET, Answer, Somebody, World, serving, settings, unknown

TEN_MINUTES = timedelta(minutes=10)


async def _refresh(world: World, token: str) -> Answer:
    return await world.nobody.post("/auth/refresh", {"refresh_token": token})


async def _account(world: World, app_token: str) -> int:
    return (await Somebody(world.session, world.base, app_token).get("/auth/user")).status


async def _age(world: World, by: timedelta) -> None:
    """As if everything had happened so much earlier."""
    await world.pool.execute("UPDATE refresh_tokens SET used_at = used_at - $1::interval", by)


async def test_a_local_user_signs_in_and_is_the_same_next_time(world: World) -> None:
    first = (await world.nobody.post("/auth/dev", {"name": "Ann"})).json
    again = await world.nobody.post("/auth/dev", {"name": "ann"})
    assert again.headers["Cache-Control"] == "no-store"
    assert first["user"]["id"] == again.json["user"]["id"]
    assert set(first) == {"user", "app_token", "refresh_token", "expires_at"}
    assert set(first["user"]) == {"id", "email", "name", "avatar"}
    left = datetime.fromisoformat(first["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=9) < left <= TEN_MINUTES


async def test_an_account_counts_what_it_uploaded_and_who_liked_it(world: World, friends: Friends) -> None:
    mine = [await world.uploaded(friends.uploader, friends.stream_id) for _ in range(2)]
    others = await world.uploaded(friends.creator, friends.stream_id)
    for video, fan in ((mine[0], "viewer"), (mine[0], "owner"), (mine[1], "owner"), (others, "owner")):
        await world.pool.execute("INSERT INTO likes VALUES ($1, $2)", video, getattr(friends, fan).user_id)
    account = await friends.uploader.get("/auth/user")
    assert set(account.json) == {"id", "email", "name", "avatar", "created_at", "total_videos", "total_likes"}
    assert (account.json["total_videos"], account.json["total_likes"]) == (2, 3)


async def test_a_site_admin_stays_one_until_it_is_said_otherwise(world: World) -> None:
    async def is_admin(**body: Any) -> bool:
        await world.nobody.post("/auth/dev", {"name": "Ann"} | body)
        return bool((await world.rows("users", subject="ann"))[0]["site_admin"])

    assert [await is_admin(), await is_admin(admin=True), await is_admin(), await is_admin(admin=False)] == [
        False,
        True,
        True,
        False,
    ]


async def test_without_the_switch_there_is_no_development_login(gateway_database: str, tmp_path: Path) -> None:
    chosen = settings(gateway_database, tmp_path)
    async with serving(chosen) as world:
        ann = await world.person("Ann", admin=True)
        key = await world.key(ann, ["read"])
    async with serving(chosen.model_copy(update={"dev_login": False})) as world:
        await world.gateway.services.logins.settle(development=False)
        answer = await world.nobody.post("/auth/dev", {"name": "Ann"})
        assert (answer.status, answer.error) == (404, "Not found")
        assert (await _refresh(world, ann.refresh_token)).status == 401
        assert await _account(world, str(ann.token)) == 401
        assert await _account(world, str(key.token)) == 401
        assert not (await world.rows("users"))[0]["site_admin"]


async def test_a_restart_ends_no_login(world: World) -> None:
    ann = await world.person("Ann", admin=True)
    await world.gateway.services.logins.settle(development=True)
    assert await _account(world, str(ann.token)) == 200
    assert (await world.rows("users"))[0]["site_admin"]


async def test_a_refresh_token_is_rotated(world: World) -> None:
    token = (await world.person("Ann")).refresh_token
    for _ in range(3):
        renewed = await _refresh(world, token)
        assert renewed.status == 200
        assert set(renewed.json) == {"app_token", "refresh_token", "expires_at"}
        assert renewed.headers["Cache-Control"] == "no-store"
        assert renewed.json["refresh_token"] != token
        assert await _account(world, renewed.json["app_token"]) == 200
        token = renewed.json["refresh_token"]


async def test_a_lost_answer_is_forgiven_once_the_successor_is_unused(world: World) -> None:
    ann = await world.person("Ann")
    lost = (await _refresh(world, ann.refresh_token)).json
    again = await _refresh(world, ann.refresh_token)
    assert again.status == 200
    after = await _refresh(world, again.json["refresh_token"])
    assert after.status == 200
    assert (await _refresh(world, lost["refresh_token"])).status == 401


async def test_a_dead_sibling_that_comes_back_ends_the_login(world: World) -> None:
    """Somebody took the token and was faster or slower: two hold tokens of one login."""
    ann = await world.person("Ann")
    victims = (await _refresh(world, ann.refresh_token)).json
    thiefs = (await _refresh(world, ann.refresh_token)).json
    assert (await _refresh(world, victims["refresh_token"])).status == 401
    assert (await _refresh(world, thiefs["refresh_token"])).status == 401


async def test_after_ten_seconds_it_is_theft(world: World) -> None:
    ann = await world.person("Ann")
    renewed = (await _refresh(world, ann.refresh_token)).json
    await _age(world, timedelta(seconds=11))
    answer = await _refresh(world, ann.refresh_token)
    assert (answer.status, answer.error) == (401, "Invalid refresh token")
    assert (await _refresh(world, renewed["refresh_token"])).status == 401


async def test_once_the_successor_was_used_it_is_theft(world: World) -> None:
    ann = await world.person("Ann")
    first = (await _refresh(world, ann.refresh_token)).json
    second = (await _refresh(world, first["refresh_token"])).json
    assert (await _refresh(world, ann.refresh_token)).status == 401
    assert (await _refresh(world, second["refresh_token"])).status == 401


async def test_a_stolen_login_takes_its_access_tokens_along_and_no_other_login(world: World) -> None:
    ann = await world.person("Ann")
    elsewhere = (await world.nobody.post("/auth/dev", {"name": "Ann"})).json
    renewed = (await _refresh(world, ann.refresh_token)).json
    await _age(world, timedelta(minutes=1))
    await _refresh(world, ann.refresh_token)
    assert await _account(world, str(ann.token)) == 401
    assert await _account(world, renewed["app_token"]) == 401
    assert await _account(world, elsewhere["app_token"]) == 200
    assert (await _refresh(world, elsewhere["refresh_token"])).status == 200


async def test_a_race_of_twenty_leaves_one_line(world: World) -> None:
    ann = await world.person("Ann")
    answers = await asyncio.gather(*(_refresh(world, ann.refresh_token) for _ in range(20)))
    assert {answer.status for answer in answers} == {200}
    usable = "SELECT count(*) FROM refresh_tokens WHERE used_at IS NULL AND revoked_at IS NULL"
    assert await world.pool.fetchval(usable) == 1
    assert len(await world.rows("refresh_tokens")) == 21


async def test_a_race_of_thieves_and_owner_ends_in_words(world: World) -> None:
    """Every generation of tokens at once, twice: rotations, graces and revocations meet in all orders."""
    ann = await world.person("Ann")
    generations = [ann.refresh_token]
    for _ in range(5):
        generations.append((await _refresh(world, generations[-1])).json["refresh_token"])
    answers = await asyncio.gather(*(_refresh(world, token) for token in generations * 4))
    assert {answer.status for answer in answers} <= {200, 401}
    assert await _account(world, str(ann.token)) == 401


async def test_a_refresh_token_grows_old(world: World) -> None:
    ann = await world.person("Ann")
    await world.pool.execute("UPDATE refresh_tokens SET expires_at = now() - interval '1 second'")
    assert (await _refresh(world, ann.refresh_token)).status == 401


async def test_refresh_tokens_are_stored_hashed(world: World) -> None:
    ann = await world.person("Ann")
    renewed = (await _refresh(world, ann.refresh_token)).json["refresh_token"]
    everything = str([dict(row) for row in await world.rows("refresh_tokens")])
    assert len(await world.rows("refresh_tokens")) == 2
    assert ann.refresh_token not in everything
    assert renewed not in everything


@pytest.mark.parametrize("token", ["", "x", "csr_unknown", "ä", "csr_\\ud800", "\\u0000", "a" * 600])
async def test_no_refresh_token(world: World, token: str) -> None:
    raw = f'{{"refresh_token": "{token}"}}'.encode()
    answer = await world.nobody.ask("POST", "/auth/refresh", data=raw, headers={"Content-Type": "application/json"})
    assert answer.status in (400, 401)


async def test_an_access_token_renews_nothing_and_neither_does_an_empty_hand(world: World) -> None:
    ann = await world.person("Ann")
    for body in ({"refresh_token": ann.token}, {}, {"refresh_token": None}):
        answer = await ann.post("/auth/refresh", body)
        assert (answer.status, answer.error) == (401, "Invalid refresh token")


@pytest.mark.parametrize("by", ["refresh token", "spent refresh token", "access token"])
async def test_logging_out_ends_this_login_at_once(world: World, by: str) -> None:
    ann = await world.person("Ann")
    elsewhere = (await world.nobody.post("/auth/dev", {"name": "Ann"})).json
    renewed = (await _refresh(world, ann.refresh_token)).json
    who, body = {
        "refresh token": (world.nobody, {"refresh_token": renewed["refresh_token"]}),
        "spent refresh token": (world.nobody, {"refresh_token": ann.refresh_token}),
        "access token": (ann, {}),
    }[by]
    for _ in range(2):
        answer = await who.post("/auth/logout", body)
        assert (answer.status, answer.raw) == (204, b"")
    assert await _account(world, str(ann.token)) == 401
    assert await _account(world, renewed["app_token"]) == 401
    assert (await _refresh(world, renewed["refresh_token"])).status == 401
    assert await _account(world, elsewhere["app_token"]) == 200


@pytest.mark.parametrize("header", [None, "Bearer", "Bearer nonsense", "Bearer csk_nonsense", "Basic YTpi"])
async def test_there_may_be_nothing_to_log_out_of(world: World, header: str | None) -> None:
    ann = await world.person("Ann")
    headers = {} if header is None else {"Authorization": header}
    assert (await world.nobody.post("/auth/logout", {}, headers=headers)).status == 204
    assert (await world.nobody.post("/auth/logout", {"refresh_token": "csr_unknown"})).status == 204
    assert await _account(world, str(ann.token)) == 200


async def test_a_key_logs_nobody_out(world: World) -> None:
    ann = await world.person("Ann")
    key = await world.key(ann, ["read", "write", "upload", "admin"])
    assert (await key.post("/auth/logout", {})).status == 204
    assert await _account(world, str(ann.token)) == 200
    assert await _account(world, str(key.token)) == 200


def test_a_verified_token_is_remembered_no_longer_than_it_is_good() -> None:
    moments = [datetime.now(UTC).replace(microsecond=0)]
    tokens = AccessTokens(SECRET, TEN_MINUTES, clock=lambda: moments[-1])
    token, expires = tokens.issue(UUID(unknown()), UUID(unknown()))
    first = tokens.verify(token)
    moments.append(expires - timedelta(seconds=1))
    assert tokens.verify(token) is first
    for _ in range(2):
        moments.append(expires)
        with pytest.raises(Problem, match="Invalid or expired token"):
            tokens.verify(token)


def test_only_so_many_tokens_are_remembered() -> None:
    tokens = AccessTokens(SECRET, TEN_MINUTES)
    made = [tokens.issue(UUID(unknown()), UUID(unknown()))[0] for _ in range(REMEMBERED + 10)]
    for token in made:
        tokens.verify(token)
    assert len(tokens._verified) == REMEMBERED
    assert tokens.verify(made[0]).expires_at > datetime.now(UTC)
