"""The gateway over each store, and a client that uploads to it as any program would: by plain HTTP."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.errors import NotFound
from clipstream.common.store.parts import PART_SIZE
from fixtures.mediaproxy import media_proxy
from fixtures.minio import S3Server
from integration.gateway.world import Answer, Somebody, World, serving, settings

LONG = b"".join(bytes([number]) * (PART_SIZE // 16) for number in range(16)) + b"the last part is shorter"


@dataclass
class Site:
    """A place to start gateways at, one after the other or side by side: the same database, the same store."""

    database: str
    on_disk: Path | None
    store: dict[str, Any]

    def gateway(self, **more: Any) -> AbstractAsyncContextManager[World]:
        usual = {"max_upload_size": 100_000_000, **self.store}
        return serving(settings(self.database, self.on_disk, **(usual | more)))


@asynccontextmanager
async def site(request: pytest.FixtureRequest, database: str, path: Path) -> AsyncIterator[Site]:
    """On the store that the fixture's parameter names."""
    if request.param == "disk":
        yield Site(database, path, {})
        return
    if request.param == "proxy":
        behind = {"storage_root": path / "storage", "scratch_dir": path / "scratch"}
        async with media_proxy(behind) as client:
            told = {name: getattr(client, name) for name in ("media_proxy_url", "media_proxy_token")}
            yield Site(database, None, told)
        return
    server: S3Server = request.getfixturevalue("s3_server")
    chosen = server.bucket()
    told = {name: getattr(chosen, name) for name in ("s3_endpoint_url", "s3_access_key", "s3_secret_key", "bucket")}
    yield Site(database, None, told)


@dataclass
class Client:
    """Somebody who uploads one file in chunks."""

    world: World
    who: Somebody
    video_id: str
    body: bytes
    upload: dict[str, Any]
    single: dict[str, Any]

    @classmethod
    async def begin(cls, world: World, who: Somebody, stream_id: str, body: bytes = LONG, **more: Any) -> Client:
        made = await world.announced(who, stream_id, size=len(body), **more)
        opened = await who.post(f"/videos/{made['id']}/uploads")
        assert opened.status == 201, opened.raw
        return cls(world, who, made["id"], body, opened.json, made["upload"])

    @property
    def path(self) -> str:
        return f"/videos/{self.video_id}/uploads/{self.upload['id']}"

    @property
    def key(self) -> ObjectKey:
        return ObjectKey(self.single["key"])

    def piece(self, number: int) -> bytes:
        size = self.upload["part_size"]
        return self.body[(number - 1) * size : number * size]

    async def ask(self, parts: Sequence[Any]) -> Answer:
        """Part numbers, or what stands in their place."""
        wanted = [{"number": part} if isinstance(part, int) else part for part in parts]
        return await self.who.post(f"{self.path}/parts", {"parts": wanted})

    async def address(self, number: int, **more: Any) -> dict[str, Any]:
        answer = await self.ask([{"number": number, **more}])
        assert answer.status == 200, answer.raw
        signed: dict[str, Any] = answer.json["parts"][0]
        return signed

    async def send(self, *numbers: int) -> None:
        for number in numbers:
            sent = await self.world.send(await self.address(number), self.piece(number))
            assert sent.status == 200, sent.raw

    async def complete(self, parts: Any = None) -> Answer:
        body = None if parts is None else {"parts": parts}
        return await self.who.post(f"{self.path}/complete", body)

    async def look(self) -> dict[str, Any]:
        answer = await self.who.get(self.path)
        assert answer.status == 200, answer.raw
        shown: dict[str, Any] = answer.json
        return shown

    async def row(self) -> Any:
        (row,) = await self.world.rows("uploads", id=UUID(self.upload["id"]))
        return row

    async def ended(self) -> bool:
        """Whether the store knows nothing of it any more."""
        try:
            await self.world.store.list_parts(self.key, (await self.row())["store_id"])
        except NotFound:
            return True
        return False

    async def told(self) -> list[dict[str, Any]]:
        """The events that are to be sent."""
        return [json.loads(row["body"]) for row in await self.world.rows("outbox")]

    async def finished(self) -> Client:
        await self.send(*range(1, self.upload["part_count"] + 1))
        done = await self.complete()
        assert done.status == 200, done.raw
        return self
