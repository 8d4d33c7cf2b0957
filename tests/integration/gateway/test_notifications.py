"""What the object store says by webhook: believed only as far as the store itself confirms it, from whoever knows the token."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest

from integration.gateway.conftest import Friends, make_friends
from integration.gateway.world import FILE, Answer, World, serving, settings, unknown

TOKEN = "the webhook's own token"
PATH = "/webhooks/minio/upload-complete"
EVENTS = Path(__file__).parents[2] / "fixtures" / "events"


@pytest.fixture
async def world(gateway_database: str, tmp_path: Path) -> AsyncIterator[World]:
    async with serving(settings(gateway_database, tmp_path, minio_webhook_token=TOKEN)) as made:
        yield made


@pytest.fixture
async def friends(world: World) -> Friends:
    return await make_friends(world)


def _record(
    key: str, /, bucket: str = "clipstream", name: str = "s3:ObjectCreated:Put", **stored: Any
) -> dict[str, Any]:
    about = {"bucket": {"name": bucket}, "object": {"key": quote_plus(key), "eTag": "e", "size": len(FILE), **stored}}
    return {"eventName": name, "eventSource": "minio:s3", "s3": about}


async def _notify(world: World, *records: dict[str, Any], token: str = f"Bearer {TOKEN}") -> Answer:
    return await world.nobody.post(PATH, {"Records": list(records)}, headers={"Authorization": token})


async def _arrived(world: World, friends: Friends, **more: Any) -> dict[str, Any]:
    """A video whose file lies in the store, without a word of its uploader's."""
    made = await world.announced(friends.uploader, friends.stream_id, **more)
    assert (await world.send(made["upload"])).status == 200
    return made


async def _told(world: World) -> list[dict[str, Any]]:
    return [json.loads(row["body"]) for row in await world.rows("outbox")]


@pytest.mark.parametrize("token", [f"Bearer {TOKEN}", f"bearer {TOKEN}", TOKEN])
async def test_a_file_that_has_arrived_is_announced(world: World, friends: Friends, token: str) -> None:
    made = await _arrived(world, friends)
    answer = await _notify(world, _record(made["upload"]["key"]), token=token)
    assert (answer.status, answer.json) == (200, {"announced": 1})
    (event,) = await _told(world)
    assert (event["type"], event["data"]["announced_by"]) == ("upload.completed.v1", "webhook")
    assert (await friends.viewer.get(f"/videos/{made['id']}")).json["status"] == "processing"


async def test_it_and_its_uploader_say_the_same(world: World, friends: Friends) -> None:
    made = await _arrived(world, friends)
    said = [_notify(world, *[_record(made["upload"]["key"])] * 3) for _ in range(5)]
    said += [friends.uploader.post(f"/videos/{made['id']}/complete") for _ in range(5)]
    assert {answer.status for answer in await asyncio.gather(*said)} == {200}
    assert len(await _told(world)) == 1


async def test_several_records_one_of_which_is_ours(world: World, friends: Friends) -> None:
    made = await _arrived(world, friends)
    other = await _arrived(world, friends)
    records = [_record("thumbnails/x.jpg"), _record(made["upload"]["key"]), _record(other["upload"]["key"])]
    assert (await _notify(world, *records)).json == {"announced": 2}


@pytest.mark.parametrize(
    "token",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        TOKEN[:-1],
        TOKEN + "x",
        TOKEN.upper(),
        "Basic " + TOKEN,
        "Bearer \u00e4",
    ],
)
async def test_without_the_token_nothing_is_even_read(world: World, friends: Friends, token: str) -> None:
    made = await _arrived(world, friends)
    answer = await _notify(world, _record(made["upload"]["key"]), token=token)
    assert (answer.status, answer.error) == (401, "Invalid webhook token")
    bare = await world.nobody.ask("POST", PATH, data=b"{", headers={"Authorization": token})
    assert bare.status == 401
    assert await _told(world) == []


async def test_where_no_token_is_set_nobody_is_believed(gateway_database: str, tmp_path: Path) -> None:
    async with serving(settings(gateway_database, tmp_path)) as world:
        for token in ("", "Bearer ", "None", "Bearer None"):
            assert (await _notify(world, token=token)).status == 401


async def test_what_a_notification_claims_has_no_effect_where_the_store_says_otherwise(
    world: World, friends: Friends
) -> None:
    waiting = await world.announced(friends.uploader, friends.stream_id)
    shorter = await _arrived(world, friends)
    await world.pool.execute("UPDATE videos SET size_bytes = size_bytes + 1 WHERE key = $1", shorter["upload"]["key"])
    here = await _arrived(world, friends)
    key = here["upload"]["key"]
    before = [dict(row) for row in await world.rows("videos")]
    forged = [
        _record(waiting["upload"]["key"]),
        _record(shorter["upload"]["key"]),
        _record(f"raw-uploads/{unknown()}.mp4"),
        _record(key.removesuffix(".mp4") + ".mkv"),
        _record(key.removesuffix(".mp4")),
        _record(key + "\n"),
        _record(key, bucket="somebody-elses"),
        _record(key, name="s3:ObjectRemoved:Delete"),
        _record(key, name="s3:ObjectCreated:PutTagging"),
        _record("raw-uploads/../streams"),
        _record("nul\0"),
        _record("x", key="\ud83c"),
        _record("k" * 5000),
    ]
    for record in forged:
        answer = await _notify(world, record)
        assert (answer.status, answer.json) == (200, {"announced": 0}), record
    assert await _told(world) == []
    assert [dict(row) for row in await world.rows("videos")] == before


BROKEN: list[Any] = [None, [], {"bucket": 1}]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'"x"', b"{}", b'{"Records": 5}', b"\xff\xfe", b"[" * 60_000]
    + [json.dumps({"Records": [_record("x") | {"s3": value}]}).encode() for value in BROKEN],
)
async def test_what_is_no_notification_is_refused_in_words(world: World, body: bytes) -> None:
    answer = await world.nobody.ask("POST", PATH, data=body, headers={"Authorization": f"Bearer {TOKEN}"})
    assert (answer.status, answer.error) == (400, "Invalid notification")


async def test_too_long_a_body_is_refused(world: World) -> None:
    answer = await world.nobody.ask("POST", PATH, data=b"x" * 100_000, headers={"Authorization": TOKEN})
    assert (answer.status, answer.error) == (413, "Request body too large")


@pytest.mark.parametrize("name", sorted(path.stem for path in EVENTS.glob("*.json")))
async def test_what_real_servers_have_sent_is_understood(world: World, name: str) -> None:
    body = (EVENTS / f"{name}.json").read_bytes()
    answer = await world.nobody.ask("POST", PATH, data=body, headers={"Authorization": TOKEN})
    assert (answer.status, answer.json) == (200, {"announced": 0}), answer.raw


async def test_a_store_that_is_away_is_asked_again_later(
    world: World, friends: Friends, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MinIO keeps a notification that was not taken, and sends it again."""
    made = await _arrived(world, friends)
    root = world.gateway.services.settings.storage_root
    assert root is not None
    (root / "objects").rename(root / "unmounted")
    assert (await _notify(world, _record(made["upload"]["key"]))).status == 503
    (root / "unmounted").rename(root / "objects")
    assert (await _notify(world, _record(made["upload"]["key"]))).json == {"announced": 1}
