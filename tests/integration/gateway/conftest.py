"""A gateway for each test, and a stream with somebody in every role."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from clipstream.common.db.migrations import migrate
from clipstream.gateway.app import MIGRATIONS, SCHEMA
from fixtures.postgres import Databases
from integration.gateway.stores import Client, Site, site
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
    """A stream and one person in each relation to it. The uploader is a creator; `creator` is another one; `revoked` was
    a member once; `site_admin` runs the place and does not belong to the stream."""

    stream_id: str
    owner: Somebody
    admin: Somebody
    uploader: Somebody
    creator: Somebody
    viewer: Somebody
    outsider: Somebody
    revoked: Somebody
    site_admin: Somebody


@pytest.fixture
async def friends(world: World) -> Friends:
    return await make_friends(world)


async def make_friends(world: World) -> Friends:
    names = ("owner", "admin", "uploader", "creator", "viewer", "outsider", "revoked")
    people = {name: await world.person(name) for name in names}
    people["site_admin"] = await world.person("site_admin", admin=True)
    return Friends(await stream_of(world, people), **people)


async def stream_of(world: World, people: Mapping[str, Somebody]) -> str:
    """A stream in which everybody is what their name says."""
    stream_id = await world.stream(people["owner"])
    for name, role in (("admin", "admin"), ("uploader", "creator"), ("creator", "creator"), ("viewer", "viewer")):
        await world.join(stream_id, people[name], role)
    return stream_id


@pytest.fixture(params=["disk", "s3", "proxy"])
async def place(request: pytest.FixtureRequest, gateway_database: str, tmp_path: Path) -> AsyncIterator[Site]:
    """Where gateways can be started, on a disk, on S3 and behind a media proxy."""
    async with site(request, gateway_database, tmp_path) as made:
        yield made


@pytest.fixture
async def anywhere(place: Site) -> AsyncIterator[World]:
    """A gateway over each store."""
    async with place.gateway() as made:
        yield made


@pytest.fixture
async def client(anywhere: World) -> Client:
    """The uploader, with a chunked upload just opened, over each store."""
    friends = await make_friends(anywhere)
    return await Client.begin(anywhere, friends.uploader, friends.stream_id)
