"""A gateway, people who use it through the client, and the command line as a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from clipstream.client import Client, Patience
from integration.gateway.conftest import gateway_database, world
from integration.gateway.world import World

__all__ = ["gateway_database", "world"]

PROGRAM = Path(sys.executable).parent / "clipstream"
QUICK = Patience(tries=4, first_s=0.01, longest_s=2.0)


@pytest.fixture
async def ann(world: World) -> AsyncIterator[Client]:
    """Ann, signed in."""
    async with Client.connect(world.base, patience=QUICK) as client:
        await client.sign_in_for_development("Ann")
        yield client


@pytest.fixture
async def friday(ann: Client) -> UUID:
    """Ann's stream."""
    return (await ann.streams.create("Friday")).id


@dataclass
class Outcome:
    """What a command ended with."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class CommandLine:
    """`clipstream`, with a home of its own."""

    home: Path
    server: str

    @property
    def credentials(self) -> Path:
        return self.home / "config" / "clipstream" / "credentials.json"

    @property
    def bookmarks(self) -> list[Path]:
        return list((self.home / "state" / "clipstream" / "uploads").glob("*"))

    async def start(self, *arguments: str | Path, **more: Any) -> asyncio.subprocess.Process:
        environment = {
            "PATH": os.environ["PATH"],  # noqa: TID251 - a child gets little more
            "HOME": str(self.home),
            "XDG_CONFIG_HOME": str(self.home / "config"),
            "XDG_STATE_HOME": str(self.home / "state"),
            "CLIPSTREAM_SERVER": self.server,
        }
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            PROGRAM, *map(str, arguments), env=environment, stdin=pipe, stdout=pipe, stderr=pipe, **more
        )

    async def run(self, *arguments: str | Path, given: str = "") -> Outcome:
        process = await self.start(*arguments)
        return await ended(process, given)


async def ended(process: asyncio.subprocess.Process, given: str = "") -> Outcome:
    """No command shows a traceback, whatever happens."""
    out, err = await process.communicate(given.encode())
    assert b"Traceback" not in err, err.decode()
    assert process.returncode is not None
    return Outcome(process.returncode, out.decode(), err.decode())


@pytest.fixture
def command(world: World, tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path / "home", str(world.base))
