"""A gateway for each test, and a stream with somebody in every role."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from clipstream.common.db.migrations import migrate
from clipstream.gateway.app import MIGRATIONS, SCHEMA
from fixtures.postgres import Databases
from integration.gateway.world import Somebody, World, serving, settings


@pytest.fixture
def gateway_database(databases: Databases) -> Iterator[str]:
    """A database with the gateway's tables, empty."""
    url = databases.create_like("gateway", lambda new: migrate(new, MIGRATIONS, schema=SCHEMA))
    yield url
    databases.drop(url)


@pytest.fixture(scope="module")
async def shared_world(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """One gateway for all tests of a module whose tests do not count what others left."""
    url = databases.create_like("gateway", lambda new: migrate(new, MIGRATIONS, schema=SCHEMA))
    async with serving(settings(url, tmp_path_factory.mktemp("store"))) as made:
        yield made
    databases.drop(url)


@pytest.fixture
async def world(gateway_database: str, tmp_path: Path) -> AsyncIterator[World]:
    async with serving(settings(gateway_database, tmp_path)) as made:
        yield made


@dataclass
class Friends:
    """A stream and one person in each relation to it. The uploader is a creator; `creator` is another one."""

    stream_id: str
    admin: Somebody
    uploader: Somebody
    creator: Somebody
    viewer: Somebody
    outsider: Somebody


@pytest.fixture
async def friends(world: World) -> Friends:
    return await make_friends(world)


async def make_friends(world: World) -> Friends:
    names = ("admin", "uploader", "creator", "viewer", "outsider")
    people = {name: await world.person(name) for name in names}
    stream_id = await world.stream(people["admin"], creator=people["creator"], viewer=people["viewer"])
    await world.join(stream_id, people["uploader"], "creator")
    return Friends(stream_id, **people)
