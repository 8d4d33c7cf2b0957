"""What holds for every route: idempotency keys, rate limits, addresses of new things, origins."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from clipstream.common.db.migrations import migrate
from clipstream.gateway import statics
from clipstream.gateway.app import MIGRATIONS, ROUTES, SCHEMA
from fixtures.postgres import Databases
from integration.gateway.conftest import Friends
from integration.gateway.world import Somebody, World, serving, settings


@pytest.fixture
def database(databases: Databases) -> Iterator[str]:
    url = databases.create_like("gateway", lambda new: migrate(new, MIGRATIONS, schema=SCHEMA))
    yield url
    databases.drop(url)


async def _count(world: World) -> int:
    count: int = await world.pool.fetchval("SELECT count(*) FROM streams")
    return count


async def test_the_same_request_twice_is_carried_out_once(world: World) -> None:
    anna = await world.person("Anna")
    headers = {"Idempotency-Key": "a-key"}
    first = await anna.post("/streams", {"name": "Friday"}, headers=headers)
    again = await anna.post("/streams", {"name": "Friday"}, headers=headers)
    assert (again.status, again.json, again.headers["Location"]) == (201, first.json, first.headers["Location"])
    assert "Idempotency-Replayed" in again.headers
    assert "Idempotency-Replayed" not in first.headers
    assert await _count(world) == 1


async def test_a_key_stands_for_one_request_of_one_person(world: World) -> None:
    anna, ben = await world.person("Anna"), await world.person("Ben")
    headers = {"Idempotency-Key": "a-key"}
    assert (await anna.post("/streams", {"name": "Friday"}, headers=headers)).status == 201
    other = await anna.post("/streams", {"name": "Sunday"}, headers=headers)
    assert (other.status, other.error) == (422, "Idempotency key already used")
    assert (await ben.post("/streams", {"name": "Sunday"}, headers=headers)).status == 201
    assert await _count(world) == 2


async def test_many_at_once_make_one(world: World) -> None:
    anna = await world.person("Anna")
    headers = {"Idempotency-Key": "a-key"}
    answers = await asyncio.gather(*(anna.post("/streams", {"name": "F"}, headers=headers) for _ in range(20)))
    assert {answer.status for answer in answers} <= {201, 409}
    assert all(answer.headers["Retry-After"] == "1" for answer in answers if answer.status == 409)
    assert len({answer.json["id"] for answer in answers if answer.status == 201}) == 1
    assert await _count(world) == 1


async def test_a_refused_request_may_be_mended(world: World, friends: Friends) -> None:
    headers = {"Idempotency-Key": "a-key"}
    path = f"/streams/{friends.stream_id}/videos"
    too_large = {"filename": "a.mp4", "size": 10**15}
    assert (await friends.creator.post(path, too_large, headers=headers)).status == 413
    assert (await friends.creator.post(path, {"filename": "a.mp4", "size": 9}, headers=headers)).status == 201
    assert await world.rows("idempotency_keys", key="other") == []


async def test_a_key_whose_process_died_is_taken_over(world: World) -> None:
    anna = await world.person("Anna")
    headers = {"Idempotency-Key": "a-key"}
    assert (await anna.post("/streams", {"name": "F"}, headers=headers)).status == 201
    await world.pool.execute("UPDATE idempotency_keys SET status = NULL, answer = NULL")
    assert (await anna.post("/streams", {"name": "F"}, headers=headers)).status == 409
    await world.pool.execute("UPDATE idempotency_keys SET created_at = now() - interval '2 minutes'")
    assert (await anna.post("/streams", {"name": "F"}, headers=headers)).status == 201


@pytest.mark.parametrize("key", ["", "x" * 256, "a b", "ä"])
async def test_odd_keys_are_refused(world: World, key: str) -> None:
    anna = await world.person("Anna")
    answer = await anna.post("/streams", {"name": "F"}, headers={"Idempotency-Key": key})
    assert (answer.status, answer.error) == (400, "Invalid request")
    assert await _count(world) == 0


async def test_what_was_kept_is_no_secret_to_the_database(world: World, friends: Friends) -> None:
    """Answers hold signed addresses and codes: who reads the table must not be able to use them."""
    made = await friends.creator.post(
        f"/streams/{friends.stream_id}/videos",
        {"filename": "a.mp4", "size": 9},
        headers={"Idempotency-Key": "a-key"},
    )
    (row,) = await world.rows("idempotency_keys")
    assert made.json["id"].encode() not in row["answer"]
    assert b"signature" not in row["answer"]
    assert made.headers["Location"].encode() not in row["answer"]


def test_every_creating_route_takes_a_key() -> None:
    """All but that which makes API keys: their answer is shown once, and kept nowhere."""
    creating = {route.path for route in ROUTES if route.status == 201 and route.access.value != "public"}
    assert creating - {"/auth/keys"} == {route.path for route in ROUTES if route.status == 201 and route.idempotent}


async def test_new_things_say_where_they_are(world: World, friends: Friends) -> None:
    stream = await friends.creator.post("/streams", {"name": "F"})
    assert (await friends.creator.get(stream.headers["Location"])).json["id"] == stream.json["id"]
    video = await friends.creator.post(f"/streams/{friends.stream_id}/videos", {"filename": "a.mp4", "size": 9})
    assert (await friends.creator.get(video.headers["Location"])).json["id"] == video.json["id"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/auth/refresh", {"refresh_token": "unknown"}),
        ("/webhooks/minio/upload-complete", {"Records": []}),
        ("/streams", {"name": "F"}),
    ],
)
async def test_whoever_is_not_known_is_told_what_would_do(world: World, path: str, body: dict[str, object]) -> None:
    answer = await world.nobody.post(path, body)
    assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


async def test_answers_name_no_versions(world: World) -> None:
    for path in ("/", "/nowhere", "/docs"):
        assert (await world.nobody.get(path)).headers["Server"] == "clipstream"


async def test_a_body_of_another_type_is_told_those_that_are_taken(world: World, friends: Friends) -> None:
    for path, taken in (
        ("/streams", "application/json"),
        (f"/streams/{friends.stream_id}/videos", "application/json or multipart/form-data"),
    ):
        answer = await friends.creator.ask("POST", path, data={"name": "F"})
        assert (answer.status, answer.json["details"]) == (415, [f"the body must be {taken}"])


async def test_too_many_requests_are_told_when_to_come_back(database: str, tmp_path: Path) -> None:
    async with serving(settings(database, tmp_path, rate_limits="ordinary=5/60 sign-in=3/60")) as world:
        anna, ben = await world.person("Anna"), await world.person("Ben")
        answers = [await anna.get("/streams") for _ in range(7)]
        assert [answer.status for answer in answers] == [200] * 5 + [429] * 2
        assert answers[-1].error == "Too many requests"
        assert 1 <= int(answers[-1].headers["Retry-After"]) <= 12
        assert (await ben.get("/streams")).status == 200
        signing_in = [await world.nobody.post("/auth/dev", {"name": "Anna"}) for _ in range(3)]
        assert [answer.status for answer in signing_in] == [200, 429, 429]


async def test_bad_tokens_are_limited_by_address(database: str, tmp_path: Path) -> None:
    async with serving(settings(database, tmp_path, rate_limits="ordinary=5/60")) as world:
        guesser = Somebody(world.session, world.base, "nonsense")
        assert [(await guesser.get("/streams")).status for _ in range(7)] == [401] * 5 + [429] * 2


async def test_a_forwarded_address_is_believed_only_behind_proxies_of_ours(database: str, tmp_path: Path) -> None:
    async with serving(settings(database, tmp_path, rate_limits="ordinary=2/60")) as world:
        spoofed = [await world.nobody.get("/health", headers={"X-Forwarded-For": f"198.51.100.{n}"}) for n in range(3)]
        assert [answer.status for answer in spoofed][-1] == 429
    async with serving(settings(database, tmp_path, rate_limits="ordinary=2/60", trusted_proxies=1)) as world:
        told = [await world.nobody.get("/health", headers={"X-Forwarded-For": f"198.51.100.{n}"}) for n in range(3)]
        assert 429 not in [answer.status for answer in told]


STATIC = Path(statics.__file__).parent / "static"
ORIGINS = "https://clips.example, https://other.example:8443"


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("https://clips.example", True),
        ("https://other.example:8443", True),
        ("https://other.example", False),
        ("http://clips.example", False),
        ("https://clips.example.evil.example", False),
        ("https://evilclips.example", False),
        ("null", False),
        ("", False),
    ],
)
async def test_only_listed_origins_are_answered(database: str, tmp_path: Path, origin: str, allowed: bool) -> None:
    async with serving(settings(database, tmp_path, cors_origins=ORIGINS)) as world:
        answer = await world.nobody.get("/health", headers={"Origin": origin})
        assert answer.headers.get("Access-Control-Allow-Origin") == (origin if allowed else None)
        assert "Origin" in answer.headers["Vary"]
        preflight = await world.nobody.ask(
            "OPTIONS", "/streams", headers={"Origin": origin, "Access-Control-Request-Method": "POST"}
        )
        assert (preflight.status == 204) == allowed
        assert "Access-Control-Allow-Credentials" not in {*answer.headers, *preflight.headers}


@pytest.mark.parametrize("name", ["hls.min.js", "swagger-ui-bundle.js", "swagger-ui.css"])
async def test_what_others_wrote_is_what_they_wrote(name: str) -> None:
    body = (STATIC / name).read_bytes()
    assert hashlib.sha256(body).hexdigest() in (STATIC / "README.md").read_text()


async def test_the_page_of_the_document_tells_nothing_by_itself(world: World) -> None:
    page = await world.nobody.get("/docs")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "'unsafe" not in page.headers["Content-Security-Policy"]
    assert b"/videos" not in page.raw
    for path in re.findall(rb'(?:src|href)="(/static/[^"]+)"', page.raw):
        assert (await world.nobody.get(path.decode())).status == 200
