"""Webhooks that name addresses of our own network, in every notation: nothing connects, whatever they resolve to."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiohttp import web

from integration.gateway.conftest import Friends, make_friends
from integration.gateway.receiver import receiving
from integration.gateway.world import World, eventually, serving, settings

NOT_PUBLIC = "The receiver's address is not public."
NO_ADDRESS = "The receiver's address is none that can be called."  # aiohttp takes no IPv4 address in an old notation


class Canary:
    """A server that nothing of ours may connect to."""

    def __init__(self) -> None:
        self.port = 0
        self.connections = 0

    async def met(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        writer.close()


@pytest.fixture
async def canary() -> AsyncIterator[Canary]:
    made = Canary()
    listening = socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    server = await asyncio.start_server(made.met, sock=listening)
    async with server:
        made.port = listening.getsockname()[1]
        yield made


@pytest.fixture
def world(shared_world: World) -> World:
    return shared_world


@pytest.fixture(scope="module")
async def friends(shared_world: World) -> Friends:
    return await make_friends(shared_world)


async def _tried(world: World, friends: Friends, url: str) -> Any:
    """What came of a delivery to an address that got into the database."""
    webhook_id = uuid4()
    await world.pool.execute("DELETE FROM webhooks")
    await world.pool.execute(
        "INSERT INTO webhooks (id, stream_id, url, kind, events, created_by) "
        "VALUES ($1, $2, $3, 'standard', '{video.ready}', $4)",
        webhook_id,
        UUID(friends.stream_id),
        url,
        friends.admin.user_id,
    )
    base = f"/streams/{friends.stream_id}/webhooks/{webhook_id}"
    assert (await friends.admin.post(f"{base}/test")).status == 202

    async def tried() -> bool:
        return (await friends.admin.get(f"{base}/deliveries")).json["deliveries"][0]["error"] is not None

    async with world.running():
        await eventually(tried)
    return (await friends.admin.get(f"{base}/deliveries")).json["deliveries"][0]


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0.0.0.0",  # noqa: S104 - somebody else's wish, refused
        "0",
        "localhost",
        "LocalHost",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:ffff:127.0.0.1]",
    ],
)
async def test_loopback_in_every_notation(world: World, friends: Friends, canary: Canary, host: str) -> None:
    delivery = await _tried(world, friends, f"http://{host}:{canary.port}/")
    assert canary.connections == 0
    assert delivery["error"] in (NOT_PUBLIC, NO_ADDRESS)
    assert delivery["state"] == "pending"


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/latest/meta-data/", "http://10.0.0.1/", "http://[fd00:ec2::254]/"]
)
async def test_addresses_of_the_inside(world: World, friends: Friends, url: str) -> None:
    assert (await _tried(world, friends, url))["error"] == NOT_PUBLIC


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "gopher://127.0.0.1:70/", "unix:///run/x", "http://", "nonsense"]
)
async def test_other_schemes(world: World, friends: Friends, url: str) -> None:
    assert (await _tried(world, friends, url))["attempts"] == 1


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["::1", "127.0.0.1"], ["169.254.169.254", "::ffff:127.0.0.1"]])
async def test_a_name_is_what_it_resolves_to(
    world: World, friends: Friends, canary: Canary, monkeypatch: pytest.MonkeyPatch, addresses: list[str]
) -> None:
    """Asked at the time of connecting: a name server may say something else each time."""
    real = socket.getaddrinfo

    def rebound(host: Any, port: Any, *more: Any, **named: Any) -> Any:
        if host != "rebinding.example":
            return real(host, port, *more, **named)
        return [found for address in addresses for found in real(address, port, type=socket.SOCK_STREAM)]

    monkeypatch.setattr(socket, "getaddrinfo", rebound)
    delivery = await _tried(world, friends, f"http://rebinding.example:{canary.port}/")
    assert (delivery["error"], canary.connections) == (NOT_PUBLIC, 0)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_lead_nowhere(gateway_database: str, tmp_path: Path, canary: Canary, status: int) -> None:
    chosen = settings(gateway_database, tmp_path, webhook_allowed_hosts="127.0.0.1")
    async with serving(chosen) as world, receiving() as receiver:
        friends = await make_friends(world)
        receiver.answers = [web.Response(status=status, headers={"Location": f"http://127.0.0.1:{canary.port}/"})]
        delivery = await _tried(world, friends, receiver.url)
        assert delivery["error"] == f"The receiver answered {status}: redirects are not followed."
        assert canary.connections == 0
        assert len(receiver.heard) == 1


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/", "http://localhost/", "http://[::ffff:127.0.0.1]/", "file:///etc/passwd", "gopher://x/"]
)
async def test_such_an_address_is_refused_in_words(world: World, friends: Friends, url: str) -> None:
    answer = await friends.admin.post(f"/streams/{friends.stream_id}/webhooks", {"url": url, "events": ["video.ready"]})
    assert (answer.status, answer.error) == (400, "Invalid webhook")
    assert answer.json["details"][0].startswith("url: must ")


async def test_addresses_of_receivers_enter_no_log(
    world: World, friends: Friends, canary: Canary, capsys: pytest.CaptureFixture[str]
) -> None:
    await _tried(world, friends, f"http://127.0.0.1:{canary.port}/a-secret-in-the-path")
    printed = "".join(capsys.readouterr())
    assert "webhook_not_delivered" in printed
    assert "a-secret-in-the-path" not in printed
