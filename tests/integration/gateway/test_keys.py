"""Personal API keys: made once, shown once, good for what they are for."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from integration.gateway.world import Answer, Somebody, World, unknown

LATER = "2199-01-01T00:00:00Z"


def _holder(world: World, answer: Answer) -> Somebody:
    return Somebody(world.session, world.base, answer.json["key"])


async def _make(who: Somebody, *scopes: str, **more: Any) -> Answer:
    return await who.post("/auth/keys", {"name": "recorder", "scopes": list(scopes or ("read",))} | more)


async def test_a_key_is_shown_once(world: World) -> None:
    ann = await world.person("Ann")
    made = await _make(ann, "upload", "read", "read", expires_at=LATER)
    assert made.status == 201
    assert made.headers["Cache-Control"] == "no-store"
    assert set(made.json) == {"id", "name", "key", "hint", "scopes", "created_at", "expires_at"}
    key = made.json["key"]
    assert key.startswith("csk_")
    assert len(key) == 47
    assert made.json["hint"] == key[:8]
    assert made.json["scopes"] == ["read", "upload"]
    (shown,) = (await ann.get("/auth/keys")).json["keys"]
    assert set(shown) == {"id", "name", "hint", "scopes", "created_at", "expires_at", "last_used_at"}
    assert shown["last_used_at"] is None
    (row,) = await world.rows("api_keys")
    assert key not in str(dict(row))


async def test_a_key_stands_for_its_owner(world: World) -> None:
    ann = await world.person("Ann")
    key = _holder(world, await _make(ann, "read"))
    account = await key.get("/auth/user")
    assert (account.status, account.json["id"]) == (200, str(ann.user_id))
    assert (await key.post("/streams", {"name": "x"})).status == 403
    (shown,) = (await ann.get("/auth/keys")).json["keys"]
    assert datetime.now(UTC) - datetime.fromisoformat(shown["last_used_at"]) < timedelta(minutes=1)


@pytest.mark.parametrize("scopes", [("upload",), ("write",), ("upload", "write")])
async def test_reading_needs_the_scope(world: World, scopes: tuple[str, ...]) -> None:
    key = _holder(world, await _make(await world.person("Ann"), *scopes))
    answer = await key.get("/auth/user")
    assert (answer.status, answer.error) == (403, "Insufficient scope")
    assert answer.headers["WWW-Authenticate"] == 'Bearer error="insufficient_scope", scope="read"'


async def test_a_deleted_key_is_refused_at_once(world: World) -> None:
    ann = await world.person("Ann")
    made = await _make(ann)
    key = _holder(world, made)
    assert (await key.get("/auth/user")).status == 200
    assert (await ann.ask("DELETE", f"/auth/keys/{made.json['id']}")).status == 204
    answer = await key.get("/auth/user")
    assert (answer.status, answer.error) == (401, "Invalid or expired token")
    assert (await ann.get("/auth/keys")).json["keys"] == []
    again = await ann.ask("DELETE", f"/auth/keys/{made.json['id']}")
    assert (again.status, again.error) == (404, "API key not found")


async def test_a_key_grows_old(world: World) -> None:
    ann = await world.person("Ann")
    key = _holder(world, await _make(ann, expires_at=LATER))
    assert (await key.get("/auth/user")).status == 200
    await world.pool.execute("UPDATE api_keys SET expires_at = now() - interval '1 second'")
    answer = await key.get("/auth/user")
    assert (answer.status, answer.error) == (401, "Invalid or expired token")
    assert len((await ann.get("/auth/keys")).json["keys"]) == 1


async def test_nobody_sees_or_deletes_anothers_keys(world: World) -> None:
    ann, eve = await world.person("Ann"), await world.person("Eve", admin=True)
    made = await _make(ann)
    assert (await eve.get("/auth/keys")).json["keys"] == []
    for key_id in (made.json["id"], unknown(), "not-an-id", "%00"):
        answer = await eve.ask("DELETE", f"/auth/keys/{key_id}")
        assert (answer.status, answer.error) == (404, "API key not found")
    assert (await _holder(world, made).get("/auth/user")).status == 200


async def test_a_key_makes_no_keys(world: World) -> None:
    key = _holder(world, await _make(await world.person("Ann", admin=True), "read", "write", "upload", "admin"))
    for method, path in (("GET", "/auth/keys"), ("POST", "/auth/keys"), ("DELETE", f"/auth/keys/{unknown()}")):
        answer = await key.ask(method, path, json={"name": "another", "scopes": ["admin"]})
        assert (answer.status, answer.error) == (403, "Insufficient scope")
    assert len(await world.rows("api_keys")) == 1


async def test_operators_keys_are_for_operators(world: World) -> None:
    refused = await _make(await world.person("Ann"), "read", "admin")
    assert (refused.status, refused.error) == (403, "Admin access required")
    assert await world.rows("api_keys") == []
    assert (await _make(await world.person("Root", admin=True), "admin")).status == 201


async def test_fifty_are_enough_even_in_a_race(world: World) -> None:
    ann = await world.person("Ann")
    made = [await _make(ann) for _ in range(45)]
    answers = await asyncio.gather(*(_make(ann) for _ in range(10)))
    assert sorted(answer.status for answer in answers) == [201] * 5 + [409] * 5
    refused = next(answer for answer in answers if answer.status == 409)
    assert refused.error == "Too many API keys"
    assert (await ann.ask("DELETE", f"/auth/keys/{made[0].json['id']}")).status == 204
    assert (await _make(ann)).status == 201
    assert (await _make(await world.person("Bob"))).status == 201


async def test_the_list_comes_in_pages(world: World) -> None:
    ann = await world.person("Ann")
    made = [(await _make(ann)).json["id"] for _ in range(5)]
    first = (await ann.get("/auth/keys?limit=3")).json
    rest = (await ann.get(f"/auth/keys?limit=3&cursor={first['next_cursor']}")).json
    assert [key["id"] for key in first["keys"] + rest["keys"]] == made[::-1]
    assert rest["next_cursor"] is None


@pytest.mark.parametrize(
    "change",
    [
        {"scopes": []},
        {"scopes": ["everything"]},
        {"scopes": "read"},
        {"scopes": ["read"] * 5},
        {"scopes": None},
        {"name": ""},
        {"name": "a\nb"},
        {"name": None},
        {"expires_at": "2020-01-01T00:00:00Z"},
        {"expires_at": "2199-01-01T00:00:00"},
        {"expires_at": "soon"},
        {"user_id": "somebody"},
        {"key": "csk_mine"},
    ],
)
async def test_what_no_key_can_be(world: World, change: dict[str, Any]) -> None:
    answer = await _make(await world.person("Ann"), **change)
    assert (answer.status, answer.error) == (400, "Invalid API key data")
    assert answer.json["details"]
    assert await world.rows("api_keys") == []


async def test_no_answer_that_shows_a_key_is_kept(world: World) -> None:
    """A repeated request makes another key: to show the first one again, it would have to be kept."""
    ann, headers = await world.person("Ann"), {"Idempotency-Key": "only-once"}
    body = {"name": "recorder", "scopes": ["read"]}
    first, again = [await ann.post("/auth/keys", body, headers=headers) for _ in range(2)]
    assert again.json["key"] != first.json["key"]
    assert await world.rows("idempotency_keys") == []
