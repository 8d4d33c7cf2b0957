"""Bad bodies and texts against every route that takes any: refused in words, nothing fails, nothing changes."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from pydantic import BaseModel

from clipstream.gateway.access import Access
from clipstream.gateway.app import ROUTES
from clipstream.gateway.routes.api import JSON_LIMIT, Route
from integration.gateway.access_matrix import MATRIX
from integration.gateway.conftest import Friends
from integration.gateway.scenes import scene
from integration.gateway.world import Answer, Somebody, World

TAKING = [route for route in ROUTES if route.body_model is not None]
WATCHED = (
    *("users", "streams", "members", "videos", "stages", "matches", "tombstones", "api_keys", "invites", "uploads"),
    *("likes", "shares", "webhooks", "deliveries", "idempotency_keys"),
)

BROKEN = {
    "empty": b"",
    "no JSON": b"not json",
    "cut off": b'{"name": "x"',
    "two values": b"{}{}",
    "a list": b"[]",
    "a number": b"1",
    "null": b"null",
    "a string": b'"name"',
    "not UTF-8": b'{"name": "\xff\xfe"}',
    "a lone surrogate": b'{"name": "\\ud800"}',
    "UTF-16": '{"name": "x"}'.encode("utf-16"),
    "infinity": b'{"name": Infinity}',
    "deep": b'{"name": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    "long number": b'{"name": ' + b"9" * 20_000 + b"}",
}


def _name(route: Route) -> str:
    return f"{route.method} {route.path}"


async def _ask(who: Somebody, route: Route, ids: dict[str, str], body: bytes, **headers: str) -> Answer:
    path = (MATRIX[route.method, route.path].path or route.path).format(**ids)
    return await who.ask(route.method, path, data=body, headers={"Content-Type": "application/json"} | headers)


async def _state(world: World) -> dict[str, str]:
    """A digest of every table; when a thing was last used or looked at is not part of it."""
    return {
        table: await world.pool.fetchval(
            f"SELECT md5(coalesce(string_agg((to_jsonb(t) - 'look_at' - 'seen_at' - 'last_used_at')::text, '|' "  # noqa: S608
            f"ORDER BY t::text), '')) FROM {table} t"
        )
        for table in WATCHED
    }


def _caller(route: Route, friends: Friends) -> Somebody:
    return friends.site_admin if route.access is Access.SITE_ADMIN else friends.owner


async def test_broken_bodies_are_refused_and_change_nothing(world: World, friends: Friends) -> None:
    ids = await scene(world, friends)
    before = await _state(world)
    wrong = []
    for route in TAKING:
        for name, body in BROKEN.items():
            if route.body_optional and not body:
                continue
            answer = await _ask(_caller(route, friends), route, ids, body)
            if not 400 <= answer.status < 500 or not answer.error:
                wrong.append(f"{_name(route)} with {name}: {answer.status} {answer.raw[:200]!r}")
    assert wrong == []
    assert await _state(world) == before


async def test_huge_bodies_are_refused_unread(world: World, friends: Friends) -> None:
    ids = await scene(world, friends)
    wrong = []
    for route in TAKING:
        large = json.dumps({"name": "x" * JSON_LIMIT}).encode()
        packed = gzip.compress(b'{"name": "' + b"x" * (64 << 20) + b'"}')
        for name, body, headers in (("large", large, {}), ("packed", packed, {"Content-Encoding": "gzip"})):
            answer = await _ask(_caller(route, friends), route, ids, body, **headers)
            if answer.status not in (400, 413):
                wrong.append(f"{_name(route)} with a {name} body: {answer.status}")
    assert wrong == []


def _fields(model: type[BaseModel] | None) -> list[str]:
    return [] if model is None else [field.alias or name for name, field in model.model_fields.items()]


@pytest.mark.parametrize(
    "value", [{}, [], [[]], -1e308, {"$ne": None}, "\u0000", "a\r\nb: c", "\u202egnp.exe", "\ud800"]
)
async def test_values_of_other_types_are_refused(world: World, friends: Friends, value: Any) -> None:
    ids = await scene(world, friends)
    wrong = []
    for route in TAKING:
        good = MATRIX[route.method, route.path].body or {}
        for field in _fields(route.body_model):
            answer = await _ask(_caller(route, friends), route, ids, json.dumps(good | {field: value}).encode())
            if answer.status >= 500 or (answer.status >= 400 and not answer.error):
                wrong.append(f"{_name(route)} with {field}={value!r}: {answer.status} {answer.raw[:200]!r}")
    assert wrong == []


MASS_ASSIGNMENT = ("id", "owner_id", "uploader_id", "user_id_", "site_admin", "status", "processing_index", "is_admin")


@pytest.mark.parametrize("field", MASS_ASSIGNMENT)
async def test_fields_that_nobody_offers_are_refused(world: World, friends: Friends, field: str) -> None:
    ids = await scene(world, friends)
    before = await _state(world)
    wrong = []
    for route in TAKING:
        if field in _fields(route.body_model):
            continue
        body = (MATRIX[route.method, route.path].body or {}) | {field: "x"}
        answer = await _ask(_caller(route, friends), route, ids, json.dumps(body).encode())
        if answer.status != 400:
            wrong.append(f"{_name(route)} with {field}: {answer.status} {answer.raw[:200]!r}")
    assert wrong == []
    assert await _state(world) == before
