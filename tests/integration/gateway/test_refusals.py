"""Whatever is sent, the answer is one of the API's own: never a 500, never a stack trace, always `{"error": …}`."""

from __future__ import annotations

import base64
import gzip
import json
import re
from typing import Any

import pytest

from integration.gateway.conftest import Friends, make_friends
from integration.gateway.world import World

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def world(shared_world: World) -> World:
    return shared_world


@pytest.fixture(scope="module")
async def friends(shared_world: World) -> Friends:
    return await make_friends(shared_world)


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        (b"", 400, "Invalid stream data"),
        (b"{", 400, "Invalid stream data"),
        (b"null", 400, "Invalid stream data"),
        (b"[]", 400, "Invalid stream data"),
        (b'"name"', 400, "Invalid stream data"),
        (b"\xff\xfe", 400, "Invalid stream data"),
        (b"{}", 400, "Invalid stream data"),
        (b'{"name": null}', 400, "Invalid stream data"),
        (b'{"name": ""}', 400, "Invalid stream data"),
        (b'{"name": "   "}', 400, "Invalid stream data"),
        (b'{"name": 5}', 400, "Invalid stream data"),
        (b'{"name": "a\\u0000b"}', 400, "Invalid stream data"),
        (b'{"name": "\\ud800"}', 400, "Invalid stream data"),
        (b'{"name": "a\\u202eb"}', 400, "Invalid stream data"),
        (b'{"name": "' + b"n" * 101 + b'"}', 400, "Invalid stream data"),
        (b'{"name": "x", "description": "' + b"d" * 2001 + b'"}', 400, "Invalid stream data"),
        (b'{"name": "x", "owner_id": "me"}', 400, "Invalid stream data"),
        (b'{"name": "x", "role": "admin"}', 400, "Invalid stream data"),
        (b"[" * 60_000, 400, "Invalid stream data"),
        (b'{"name": "' + b"n" * 70_000 + b'"}', 413, "Request body too large"),
        (b" " * 3_000_000, 413, "Request body too large"),
    ],
)
async def test_bodies(world: World, friends: Friends, body: bytes, status: int, error: str) -> None:
    answer = await friends.admin.ask("POST", "/streams", data=body, headers=JSON)
    assert (answer.status, answer.error) == (status, error)
    assert set(answer.json) <= {"error", "details"}
    assert answer.json["details"] or status == 413
    assert len(answer.raw) < 2000


@pytest.mark.parametrize("name", ["\u200b", "\u2060\u200d", "\ufeff\u00ad", "\u0301\u0300", "\ufe0f", " \u200b "])
async def test_nothing_is_named_by_what_nobody_sees(world: World, friends: Friends, name: str) -> None:
    answer = await friends.admin.post("/streams", {"name": name})
    assert (answer.status, answer.json["details"]) == (400, ["name: must contain something visible"])


@pytest.mark.parametrize("name", ["👩‍🚀", "日本", "ا\u200dل", "Zoë", "!", "e\u0301"])
async def test_whatever_can_be_seen_is_a_name(world: World, friends: Friends, name: str) -> None:
    assert (await friends.admin.post("/streams", {"name": name})).json["name"] == name


async def test_details_name_the_field_and_never_repeat_the_input(world: World, friends: Friends) -> None:
    answer = await friends.admin.post("/streams", {"secret_field": "hunter2", "description": {"password": "hunter2"}})
    assert "name is required" in answer.json["details"]
    assert "secret_field is not a known field" in answer.json["details"]
    assert b"hunter2" not in answer.raw


async def test_a_body_in_pieces_is_bounded_too(world: World, friends: Friends) -> None:
    async def endless() -> Any:
        for _ in range(1000):
            yield b" " * 1000

    answer = await friends.admin.ask("POST", "/streams", data=endless(), headers=JSON)
    assert (answer.status, answer.error) == (413, "Request body too large")


async def test_a_packed_body_is_bounded_by_what_it_unpacks_to(world: World, friends: Friends) -> None:
    packed = gzip.compress(b" " * 50_000_000)
    assert len(packed) < 60_000
    answer = await friends.admin.ask(
        "POST", "/streams", data=packed, headers=JSON | {"Content-Encoding": "gzip"}, compress=False
    )
    assert answer.status in (400, 413)
    assert answer.error in ("Request body too large", "Invalid request")


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "text/html", "multipart/mixed"]
)
async def test_only_json_is_json(world: World, friends: Friends, content_type: str) -> None:
    """A cross-site form cannot send JSON, and what it can send is not taken."""
    answer = await friends.admin.ask("POST", "/streams", data=b'{"name": "x"}', headers={"Content-Type": content_type})
    assert (answer.status, answer.error) == (415, "Unsupported media type")


def _cursor(at: str) -> str:
    """As ours are, with another time."""
    return (
        base64.urlsafe_b64encode(json.dumps([at, "204a0b7c-b8ff-45a9-9380-5b01d36b7131"]).encode())
        .rstrip(b"=")
        .decode()
    )


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("limit=-1", 400),
        ("limit=x", 400),
        ("limit=99999999999999999999", 400),
        ("cursor=x", 400),
        ("cursor=eyJhIjoxfQ", 400),
        ("cursor=W251bGwsbnVsbF0", 400),
        ("cursor=" + "A" * 300, 400),
        (f"cursor={_cursor('0001-01-01T00:00:00+23:59')}", 400),
        (f"cursor={_cursor('9999-12-31T23:59:59-23:59')}", 400),
        (f"cursor={_cursor('2026-01-01T00:00:00')}", 400),
        (f"cursor={_cursor('2026-01-01T00:00:00+23:59')}", 200),
        ("limit=0", 400),
        ("limit=101", 400),
        ("limit=%00", 400),
        ("cursor=%ff", 400),
        ("unknown=1", 200),
        ("limit=1&limit=2", 200),
        ("cursor=", 400),
    ],
)
async def test_queries(world: World, friends: Friends, query: str, status: int) -> None:
    answer = await friends.viewer.get(f"/streams/{friends.stream_id}/videos?{query}")
    assert answer.status == status
    assert status == 200 or (answer.error == "Invalid request" and answer.json["details"])


@pytest.mark.parametrize(
    ("method", "path", "status", "error"),
    [
        ("GET", "/nowhere", 404, "Not found"),
        ("GET", "//", 404, "Not found"),
        ("GET", "/streams/", 404, "Not found"),
        ("GET", "/%2e%2e/%2e%2e/etc/passwd", 404, "Not found"),
        ("GET", "/metrics", 404, "Not found"),
        ("PATCH", "/streams", 405, "Method not allowed"),
        ("TRACE", "/streams", 405, "Method not allowed"),
        ("OPTIONS", "/streams", 405, "Method not allowed"),
        ("DELETE", "/auth/user", 405, "Method not allowed"),
    ],
)
async def test_routes_there_are_none(
    world: World, friends: Friends, method: str, path: str, status: int, error: str
) -> None:
    answer = await friends.admin.ask(method, path)
    assert (answer.status, answer.error) == (status, error)
    assert status != 405 or answer.headers["Allow"]


async def test_every_answer_has_an_id_and_is_not_sniffed(world: World, friends: Friends) -> None:
    for answer in (
        await world.nobody.get("/"),
        await world.nobody.get("/nowhere"),
        await friends.admin.get("/streams"),
    ):
        assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["X-Request-Id"])
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("given", "kept"), [("trace-1234", True), ("x", False), ("a" * 65, False), ("a b c d e f g", False)]
)
async def test_a_callers_request_id_is_kept_where_it_is_harmless(world: World, given: str, kept: bool) -> None:
    answer = await world.nobody.get("/", headers={"X-Request-Id": given})
    assert (answer.headers["X-Request-Id"] == given) is kept


async def test_an_unchanged_answer_is_not_sent_again(world: World, friends: Friends) -> None:
    first = await friends.viewer.get(f"/streams/{friends.stream_id}/videos")
    again = await friends.viewer.get(
        f"/streams/{friends.stream_id}/videos", headers={"If-None-Match": first.headers["ETag"]}
    )
    assert (again.status, again.raw) == (304, b"")
    await world.uploaded(friends.uploader, friends.stream_id)
    changed = await friends.viewer.get(
        f"/streams/{friends.stream_id}/videos", headers={"If-None-Match": first.headers["ETag"]}
    )
    assert changed.status == 200


async def test_a_mistake_of_ours_tells_nothing(world: World, friends: Friends, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the password is hunter2")

    monkeypatch.setattr("clipstream.gateway.repository.streams.of_user", broken)
    answer = await friends.admin.get("/streams")
    assert (answer.status, answer.json) == (500, {"error": "Internal server error"})


async def test_a_database_that_is_away_is_503(world: World, friends: Friends, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object, **__: object) -> None:
        raise ConnectionRefusedError("no server there")

    monkeypatch.setattr("clipstream.gateway.repository.streams.of_user", away)
    answer = await friends.admin.get("/streams")
    assert (answer.status, answer.json) == (503, {"error": "Service unavailable"})
    assert answer.headers["Retry-After"] == "5"


@pytest.mark.parametrize(
    "name", ["Robert'); DROP TABLE users;--", "<script>alert(1)</script>", "' \" ` $1 %s {0}", "名前🎮"]
)
async def test_hostile_text_is_text(world: World, friends: Friends, name: str) -> None:
    made = await friends.admin.post("/streams", {"name": name, "description": name})
    assert (await friends.admin.get(f"/streams/{made.json['id']}")).json["name"] == name
