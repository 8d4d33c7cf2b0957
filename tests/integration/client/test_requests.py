"""What the client makes of refusals, silence and pages."""

from __future__ import annotations

import asyncio
import json
from uuid import UUID, uuid4

import pytest

from clipstream.client import AlreadyThere, ApiError, ApiKey, Login, Misunderstood, Patience, SignedOut, Unreachable
from clipstream.client.models import Tokens
from integration.client.conftest import QUICK
from integration.client.scripted import Script, hangs_up, page, says

STREAM = {
    "id": str(uuid4()),
    "name": "Friday",
    "description": "",
    "owner_id": str(uuid4()),
    "created_at": "2026-01-02T03:04:05Z",
}
ACCOUNT = {
    "id": str(uuid4()),
    "name": "Ann",
    "email": None,
    "avatar": None,
    "created_at": "2026-01-02T03:04:05Z",
    "total_videos": 0,
    "total_likes": 0,
}
BUSY = says({"error": "Too many requests"}, 429, Retry_After="0")
DOWN = says({"error": "Service unavailable"}, 503, Retry_After="0")


def _item(number: int) -> dict[str, object]:
    more = {"role": "admin", "member_count": 1, "video_count": 0}
    return {key: STREAM[key] for key in ("name", "description", "created_at")} | more | {"id": str(UUID(int=number))}


@pytest.mark.parametrize("refusal", [BUSY, DOWN, hangs_up, page("<h1>Bad Gateway</h1>", 502)])
async def test_what_changes_nothing_is_asked_again(refusal: object) -> None:
    script = Script([refusal, refusal, says(ACCOUNT)])  # type: ignore[list-item]
    async with script.client(QUICK) as client:
        assert (await client.accounts.me()).name == "Ann"
    assert len(script.asked) == 3


@pytest.mark.parametrize("refusal", [DOWN, hangs_up, says({"error": "Request still running"}, 409, Retry_After="0")])
async def test_what_creates_something_is_asked_again_with_its_key(refusal: object) -> None:
    script = Script([refusal, says(STREAM, 201)])  # type: ignore[list-item]
    async with script.client(QUICK) as client:
        await client.streams.create("Friday")
        await client.streams.create("Friday")
    keys = [asked.headers["Idempotency-Key"] for asked in script.asked]
    assert keys[0] == keys[1] != keys[2]
    assert json.loads(script.asked[1].body) == {"name": "Friday", "description": ""}


@pytest.mark.parametrize(("refusal", "error"), [(DOWN, ApiError), (hangs_up, Unreachable)])
async def test_what_would_count_twice_is_asked_once(refusal: object, error: type[Exception]) -> None:
    script = Script([refusal])  # type: ignore[list-item]
    async with script.client(QUICK) as client:
        with pytest.raises(error):
            await client.videos.like(uuid4())
    assert len(script.asked) == 1


async def test_a_refusal_comes_in_the_servers_words() -> None:
    script = Script([says({"error": "Invalid stream data", "details": ["name is required", "x"]}, 400)])
    async with script.client(QUICK) as client:
        with pytest.raises(ApiError) as refused:
            await client.streams.create("")
    error = refused.value
    assert (error.status, error.error, error.details) == (400, "Invalid stream data", ["name is required", "x"])
    assert str(error) == "Invalid stream data: name is required; x"
    assert len(script.asked) == 1


async def test_a_clip_that_is_there_already_is_named() -> None:
    known = uuid4()
    refusal = says({"error": "Clip already in this stream", "video": {"id": str(known), "title": "Ace"}}, 409)
    async with Script([refusal]).client(QUICK) as client:
        with pytest.raises(AlreadyThere) as refused:
            await client.uploads.create(uuid4(), "a.mp4", 1)
    assert refused.value.video_id == known


async def test_who_asks_for_more_time_than_there_is_patience_is_not_waited_for() -> None:
    script = Script([says({"error": "Too many requests"}, 429, Retry_After="3600")])
    async with script.client(QUICK) as client:
        with pytest.raises(ApiError) as refused:
            await client.accounts.me()
    assert refused.value.retry_after == 3600
    assert len(script.asked) == 1


async def test_patience_ends() -> None:
    script = Script([DOWN])
    async with script.client(QUICK) as client:
        with pytest.raises(ApiError, match="Service unavailable"):
            await client.accounts.me()
    assert len(script.asked) == QUICK.tries


@pytest.mark.parametrize("answer", [page("<h1>It works!</h1>", 200), says({"name": "Ann"}), says([])])
async def test_something_else_than_this_api_is_not_believed(answer: object) -> None:
    async with Script([answer]).client(QUICK) as client:  # type: ignore[list-item]
        with pytest.raises(Misunderstood):
            await client.accounts.me()


async def test_a_server_that_is_not_there() -> None:
    async with Script([BUSY]).client(Patience(tries=2, first_s=0.01)) as client:
        gone = client.transport.base.with_port(1)
        client.transport.base = gone
        with pytest.raises(Unreachable, match=str(gone)):
            await client.videos.like(uuid4())


async def test_lists_are_read_to_their_end_page_by_page() -> None:
    script = Script(
        [
            says({"streams": [_item(1), _item(2)], "next_cursor": "next+1"}),
            says({"streams": [], "next_cursor": "next2"}),
            says({"streams": [_item(3)], "next_cursor": None}),
        ]
    )
    async with script.client(QUICK) as client:
        assert [stream.id.int async for stream in client.streams.list()] == [1, 2, 3]
    assert [asked.path for asked in script.asked] == [
        "/streams?limit=100",
        "/streams?limit=100&cursor=next%2B1",
        "/streams?limit=100&cursor=next2",
    ]


async def test_a_page_that_nobody_reads_is_not_asked_for() -> None:
    script = Script([says({"streams": [_item(1)], "next_cursor": "more"})])
    async with script.client(QUICK) as client:
        async for _ in client.streams.list():
            break
    assert len(script.asked) == 1


def _tokens(app_token: str) -> dict[str, str]:
    return {"app_token": app_token, "refresh_token": f"csr_{app_token}", "expires_at": "2026-01-02T03:04:05Z"}


async def test_many_who_are_refused_at_once_renew_the_login_once() -> None:
    async def answer(request: object) -> object:
        asked = script.asked[-1]
        if asked.path == "/auth/refresh":
            await asyncio.sleep(0)
            return await says(_tokens("new"))(request)  # type: ignore[arg-type]
        good = request.headers["Authorization"] == "Bearer new"  # type: ignore[attr-defined]
        return await (says(ACCOUNT) if good else says({"error": "Invalid or expired token"}, 401))(request)  # type: ignore[arg-type]

    script = Script([answer])  # type: ignore[list-item]
    login = Login(Tokens.model_validate(_tokens("old")))
    async with script.client(QUICK, login) as client:
        await asyncio.gather(*(client.accounts.me() for _ in range(20)))
    renewals = [asked for asked in script.asked if asked.path == "/auth/refresh"]
    assert [json.loads(asked.body) for asked in renewals] == [{"refresh_token": "csr_old"}]
    assert "Authorization" not in renewals[0].headers
    assert login.tokens.refresh_token == "csr_new"


@pytest.mark.parametrize("credentials", [ApiKey("csk_x"), Login(Tokens.model_validate(_tokens("old"))), None])
async def test_who_is_signed_out_for_good_is_told(credentials: object) -> None:
    script = Script([says({"error": "Invalid or expired token"}, 401)])
    async with script.client(QUICK, credentials) as client:  # type: ignore[arg-type]
        with pytest.raises(SignedOut):
            await client.accounts.me()
    assert len(script.asked) == (2 if isinstance(credentials, Login) else 1)
