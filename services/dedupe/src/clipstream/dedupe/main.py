"""The dedupe service: composition root."""

from __future__ import annotations

import asyncio

from clipstream.common.db import migrations, pool
from clipstream.common.stage.runner import run_to_end, serve_stage
from clipstream.dedupe.deletions import Deletions
from clipstream.dedupe.repository import MIGRATIONS, SCHEMA, Repository
from clipstream.dedupe.settings import Settings
from clipstream.dedupe.stage import build


async def serve(settings: Settings) -> int:
    await asyncio.to_thread(migrations.migrate, str(settings.database_url), MIGRATIONS, schema=SCHEMA)
    database = await pool.connect(settings, schema=SCHEMA)
    repository = Repository(database)
    try:
        return await serve_stage(
            [build(repository, slots=settings.slots)],
            settings,
            service="dedupe",
            background=[Deletions(repository).run],
        )
    finally:
        await pool.disconnect(database)


def main() -> None:
    settings = Settings()
    run_to_end(serve(settings), settings, "dedupe")


if __name__ == "__main__":
    main()
