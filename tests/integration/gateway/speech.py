"""The real search service beside a gateway under test: its own tables, its own HTTP, and what was said in its videos."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import PostgresDsn, SecretStr

from clipstream.common.db import migrations, pool
from clipstream.common.settings import DatabaseSettings, VectorSettings
from clipstream.common.vectors import open_index
from clipstream.gateway.search import SearchClient
from clipstream.search.processor import SpokenRow
from clipstream.search.query import Queries, routes
from clipstream.search.repository import MIGRATIONS, SCHEMA, Repository
from fixtures.postgres import Databases
from integration.gateway.world import INTERNAL_TOKEN, World


class Speech:
    """What was said, as the search service knows it."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    async def say(self, video_id: UUID, stream_id: str, *phrases: str, start_s: float = 0.0) -> None:
        """Phrases ten seconds apart."""
        rows = [SpokenRow(n, 1, start_s + 10.0 * n, start_s + 10.0 * n + 2, text) for n, text in enumerate(phrases)]
        assert await self._repository.replace_text(video_id, UUID(stream_id), rows)


@asynccontextmanager
async def speaking(world: World, databases: Databases, home: Path) -> AsyncIterator[Speech]:
    """The gateway of `world` asks a search service of its own. Pictures are not asked for: no vector process runs."""
    url = await asyncio.to_thread(
        databases.create_like, SCHEMA, lambda fresh: migrations.migrate(fresh, MIGRATIONS, schema=SCHEMA)
    )
    connected = await pool.connect(DatabaseSettings(database_url=PostgresDsn(url)), schema=SCHEMA)
    index = await open_index(VectorSettings(vectors_url=f"unix:{home}/none.sock"))
    repository = Repository(connected)
    application = web.Application()
    application.add_routes(routes(Queries(repository, index), INTERNAL_TOKEN))
    before = world.gateway.services.search
    async with TestServer(application) as server:
        world.gateway.services.search = SearchClient(world.session, str(server.make_url("")), SecretStr(INTERNAL_TOKEN))
        try:
            yield Speech(repository)
        finally:
            world.gateway.services.search = before
            await index.close()
            await connected.close()
            await asyncio.to_thread(databases.drop, url)
