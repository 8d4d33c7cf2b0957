"""A running gateway on a real PostgreSQL and a store, on disk unless a test wants another; the people who use it, and a clip
in every state."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import asyncpg
from yarl import URL

from clipstream.common.bus.memory import InMemoryBus
from clipstream.common.contracts import keys
from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.ids import StreamId, VideoId
from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.db.pool import connect
from clipstream.common.obs.starting import listen
from clipstream.common.store import ObjectStore, open_store
from clipstream.common.store.presign import UploadSigner
from clipstream.gateway.app import SCHEMA, Gateway
from clipstream.gateway.auth import KEY_PREFIX, hash_token
from clipstream.gateway.main import serving as serve_api
from clipstream.gateway.settings import Settings
from corpus.stories import Story

SECRET = "a secret of thirty-two bytes or more"
INTERNAL_TOKEN = "the search service's token"
FILE = b"these are the bytes of a clip, as far as the gateway knows"


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.raw)

    @property
    def error(self) -> str:
        return str(self.json["error"])


@dataclass
class Somebody:
    """A signed-in user, or nobody."""

    session: aiohttp.ClientSession
    base: URL
    token: str | None = None
    user_id: UUID | None = None
    refresh_token: str = ""

    async def ask(self, method: str, path: str, **more: Any) -> Answer:
        headers = dict(more.pop("headers", {}))
        if self.token is not None:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        url = URL(path, encoded=True) if "://" in path else URL(f"{self.base}{path}", encoded=True)
        async with self.session.request(method, url, headers=headers, allow_redirects=False, **more) as response:
            return Answer(response.status, response.headers, await response.read())

    async def get(self, path: str, **more: Any) -> Answer:
        return await self.ask("GET", path, **more)

    async def post(self, path: str, body: Any = None, **more: Any) -> Answer:
        return await self.ask("POST", path, **({"json": body} if body is not None else {}), **more)


@dataclass
class World:
    """The gateway under test and what surrounds it."""

    gateway: Gateway
    base: URL
    session: aiohttp.ClientSession
    bus: InMemoryBus
    store: ObjectStore
    pool: asyncpg.Pool
    people: dict[str, Somebody] = field(default_factory=dict)

    @property
    def nobody(self) -> Somebody:
        return Somebody(self.session, self.base)

    async def person(self, name: str, *, admin: bool = False) -> Somebody:
        """Somebody of that name, signed in; `admin`: of the site."""
        if name not in self.people:
            answer = (await self.nobody.post("/auth/dev", {"name": name, "admin": admin})).json
            user_id = UUID(answer["user"]["id"])
            self.people[name] = Somebody(self.session, self.base, answer["app_token"], user_id, answer["refresh_token"])
        return self.people[name]

    async def key(self, owner: Somebody, scopes: Sequence[str]) -> Somebody:
        """A program that works with an API key of its owner's: the same key for the same scopes, as nobody has hundreds."""
        token = KEY_PREFIX + hash_token(f"{owner.user_id} {sorted(scopes)}").hex()
        await self.pool.execute(
            "INSERT INTO api_keys (id, user_id, name, hint, hash, scopes) VALUES ($1, $2, 'a program', $3, $4, $5) "
            "ON CONFLICT (hash) DO NOTHING",
            uuid4(),
            owner.user_id,
            token[:8],
            hash_token(token),
            list(scopes),
        )
        return Somebody(self.session, self.base, token, owner.user_id)

    async def stream(self, owner: Somebody, **members: Somebody) -> str:
        """A new stream, with members by role."""
        made = (await owner.post("/streams", {"name": "Friday"})).json["id"]
        for role, member in members.items():
            await self.join(made, member, role)
        return str(made)

    async def join(self, stream_id: str, member: Somebody, role: str) -> None:
        await self.pool.execute(
            "INSERT INTO members (stream_id, user_id, role) VALUES ($1, $2, $3) "
            "ON CONFLICT (stream_id, user_id) DO UPDATE SET role = excluded.role",
            UUID(stream_id),
            member.user_id,
            role,
        )

    async def announced(self, uploader: Somebody, stream_id: str, **more: Any) -> dict[str, Any]:
        """A video that waits for its file."""
        body = {"filename": "clip.mp4", "size": len(FILE)} | more
        answer = await uploader.post(f"/streams/{stream_id}/videos", body)
        assert answer.status == 201, answer.raw
        made: dict[str, Any] = answer.json
        return made

    async def send(self, upload: Mapping[str, Any], body: bytes = FILE) -> Answer:
        return await self.nobody.ask(upload["method"], upload["url"], headers=upload["headers"], data=body)

    async def uploaded(self, uploader: Somebody, stream_id: str, **more: Any) -> VideoId:
        """A video whose file has arrived and was announced."""
        made = await self.announced(uploader, stream_id, **more)
        assert (await self.send(made["upload"])).status == 200
        assert (await uploader.post(f"/videos/{made['id']}/complete")).status == 200
        return VideoId(UUID(made["id"]))

    async def story(self, video_id: VideoId, stream_id: str) -> Story:
        return Story(video_id, StreamId(UUID(stream_id)))

    async def project(self, *told: Envelope) -> None:
        for envelope in told:
            await self.gateway.dispatcher.handle(envelope)

    async def ready(self, uploader: Somebody, stream_id: str) -> VideoId:
        """A video that went all the way, with files behind it."""
        video_id = await self.uploaded(uploader, stream_id)
        await self.put_outputs(video_id)
        told = await self.story(video_id, stream_id)
        await self.project(*told.finish().told)
        return video_id

    async def put_outputs(self, video_id: VideoId) -> None:
        """What the stages would have written."""
        for key, body in {
            keys.processed(video_id, "master.m3u8"): b"#EXTM3U\n480p.m3u8\n",
            keys.processed(video_id, "segments/plan/run/480p.mp4"): bytes(range(256)) * 8192,
            keys.processed(video_id, "manifests/transcode.json"): b"{}",
            keys.captions(video_id): b"WEBVTT\n\n00:01.000 --> 00:02.000\nenemy on the left\n",
            keys.transcript(video_id): b'{"segments": [{"text": "enemy on the left"}]}',
            keys.embeddings(video_id): b'{"model": "m", "frames": []}',
            keys.thumbnail(video_id): b"a picture",
        }.items():
            await self.store.put(ObjectKey(key), body, content_type="application/octet-stream")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Everything that a gateway process does beside its API."""
        await self.gateway.consume()
        tasks = [asyncio.ensure_future(task()) for task in self.gateway.background]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(end, asyncio.CancelledError) for end in ended), ended

    async def rows(self, table: str, **where: Any) -> list[asyncpg.Record]:
        column, value = next(iter(where.items())) if where else ("true", True)
        return list(await self.pool.fetch(f"SELECT * FROM {table} WHERE {column} = $1", value))  # noqa: S608


def settings(url: str, root: Path | None, **more: Any) -> Settings:
    usual: dict[str, Any] = {
        "amqp_url": "amqp://nobody:x@127.0.0.1:1/",
        "database_url": url,
        "storage_root": root,
        "secret_key": SECRET,
        "internal_token": INTERNAL_TOKEN,
        "dev_login": True,
        "max_upload_size": 5_000_000,
        "rate_limits": "off",
    }
    return Settings(**(usual | more))


@asynccontextmanager
async def serving(chosen: Settings) -> AsyncIterator[World]:
    """The gateway of these settings, its API served. What runs beside the API is started by the tests that need it."""
    listening = listen("127.0.0.1", 0)
    base = URL(f"http://127.0.0.1:{listening.getsockname()[1]}")
    signer = UploadSigner(chosen.secret_key.get_secret_value(), str(base))
    store = await open_store(chosen, signer=signer)
    pool = await connect(chosen, schema=SCHEMA)
    bus = InMemoryBus()
    async with aiohttp.ClientSession() as session:
        gateway = Gateway(chosen, pool, store, bus, signer, session)
        try:
            async with serve_api(gateway.application, listening):
                yield World(gateway, base, session, bus, store, pool)
        finally:
            await bus.close()
            await store.close()
            await pool.close()


async def eventually(check: Callable[[], Awaitable[bool]], within_s: float = 10.0) -> None:
    """Wait until it holds."""
    async with asyncio.timeout(within_s):
        while not await check():
            await asyncio.sleep(0.02)


def unknown() -> str:
    return str(uuid4())
