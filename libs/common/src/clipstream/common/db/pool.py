"""Connections to PostgreSQL, each within the schema of the service that owns it."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta

import asyncpg
import structlog

from clipstream.common.db.errors import map_database_errors
from clipstream.common.errors import Outage
from clipstream.common.settings import DatabaseSettings

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
PATIENCE = timedelta(seconds=60)
CLOSING_PATIENCE = timedelta(seconds=5)


async def connect(settings: DatabaseSettings, *, schema: str, patience: timedelta = PATIENCE) -> asyncpg.Pool:
    """A pool whose statements find the tables of `schema` without naming it. Waits for a server that is starting, then
    raises `Outage`."""
    check_schema(schema)
    deadline = asyncio.get_running_loop().time() + patience.total_seconds()
    while True:
        try:
            with map_database_errors():
                return await asyncpg.create_pool(
                    plain_url(str(settings.database_url)),
                    min_size=1,
                    max_size=settings.database_pool_size,
                    command_timeout=60,  # a server that is gone without a word is noticed
                    reset=_reset,
                    server_settings={"search_path": schema, "application_name": f"clipstream-{schema}"},
                )
        except Outage as error:
            if asyncio.get_running_loop().time() > deadline:
                raise
            structlog.get_logger(__name__).info("database_awaited", reason=str(error))
            await asyncio.sleep(0.5)


async def _reset(connection: asyncpg.Connection) -> None:
    """asyncpg's own reset is a round trip after every statement. Nothing here changes a session (settings are `SET LOCAL`,
    locks belong to transactions), so there is something to reset only where a transaction was left open."""
    if connection.is_in_transaction():
        await connection.reset()


async def disconnect(pool: asyncpg.Pool, *, patience: timedelta = CLOSING_PATIENCE) -> None:
    """Close the pool; cut connections whose server no longer answers."""
    try:
        async with asyncio.timeout(patience.total_seconds()):
            await pool.close()
    except TimeoutError:
        pool.terminate()


def plain_url(url: str) -> str:
    """The URL without the driver that other libraries want in its scheme."""
    scheme, rest = url.split("://", 1)
    return f"{scheme.partition('+')[0]}://{rest}"


def check_schema(schema: str) -> None:
    """Schema names stand in statements where no parameter can; they are ours, and stay simple."""
    if not _NAME.fullmatch(schema):
        raise ValueError(f"{schema!r} is no schema name: lowercase letters, digits and underscores")
