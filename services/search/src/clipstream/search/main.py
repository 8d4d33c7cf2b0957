"""The search service: composition root."""

from __future__ import annotations

import asyncio

from clipstream.common.db import migrations, pool
from clipstream.common.stage.runner import run_to_end, serve_stage
from clipstream.common.vectors import open_index
from clipstream.search.deletions import Deletions
from clipstream.search.query import Queries, routes
from clipstream.search.repository import MIGRATIONS, SCHEMA, Repository
from clipstream.search.settings import Settings
from clipstream.search.stage import text_stage, vector_stage


async def serve(settings: Settings) -> int:
    await asyncio.to_thread(migrations.migrate, str(settings.database_url), MIGRATIONS, schema=SCHEMA)
    database = await pool.connect(settings, schema=SCHEMA)
    index = await open_index(settings)
    repository = Repository(database)
    try:
        return await serve_stage(
            [text_stage(repository), vector_stage(repository, index)],
            settings,
            service="search",
            routes=routes(Queries(repository, index), settings.internal_token.get_secret_value()),
            background=[Deletions(repository, index).run],
            checks={"database": repository.check, "vectors": index.check},
        )
    finally:
        await index.close()
        await pool.disconnect(database)


def main() -> None:
    settings = Settings()
    run_to_end(serve(settings), settings, "search")


if __name__ == "__main__":
    main()
