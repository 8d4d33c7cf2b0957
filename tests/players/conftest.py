"""An output, a browser, and a server between them. `make test-players` brings what is needed."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pytest
from aiohttp import web
from aiohttp.test_utils import BaseTestServer, TestServer
from fetch_players import PLAYERS
from playwright.async_api import Browser, Page, async_playwright

from players.expected import Expected, expected
from players.outputs import KINDS, write
from validators.finding import faults, read_directory
from validators.output import check_output

_ROOT = Path(__file__).parents[2]
_FLAGS = ("--autoplay-policy=no-user-gesture-required", "--disable-gpu", "--no-sandbox")
"""Headless, and in containers whose one user is root."""

_NAMES = ("chromium", "google-chrome")

PATIENCE_S = 60
"""What anything in the browser may take before it counts as stuck."""


@pytest.fixture(scope="session", params=KINDS)
def output(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with `master.m3u8`, `manifest.mpd` and all they name: several sizes and sounds, and captions."""
    directory = write(tmp_path_factory.mktemp("output"), KINDS[request.param])
    assert faults(check_output(read_directory(directory))) == []
    return directory


@pytest.fixture(scope="session")
def there(output: Path) -> Expected:
    """What players have to find."""
    return expected(output)


@dataclass
class Shelf:
    """The running server; `asked` are the names in the output that were fetched, in order."""

    server: BaseTestServer
    asked: list[str] = field(default_factory=list)

    def address(self, path: str) -> str:
        return str(self.server.make_url(path))


@pytest.fixture(scope="session")
async def shelf(output: Path) -> AsyncIterator[Shelf]:
    """The output, the players and their page, with byte ranges."""
    asked: list[str] = []

    @web.middleware
    async def noted(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        asked.append(request.path.removeprefix("/output/"))
        return await handler(request)

    application = web.Application(middlewares=[noted])
    application.router.add_static("/output", output)
    application.router.add_static("/players", _ROOT / ".tools" / "players")
    application.router.add_static("/page", Path(__file__).parent / "page")
    async with TestServer(application) as server:
        yield Shelf(server, asked)


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Chromium as the system brings it: the builds that the driver would fetch cannot decode H.264."""
    chosen = os.environ.get("CLIPSTREAM_CHROMIUM")  # noqa: TID251 - this tier's one knob
    found = next((path for name in ([chosen] if chosen else _NAMES) if (path := shutil.which(name))), None)
    assert found, "no Chromium: install it (Debian: apt-get install chromium) or set CLIPSTREAM_CHROMIUM to one"
    async with async_playwright() as driver:
        opened = await driver.chromium.launch(executable_path=found, args=list(_FLAGS))
        yield opened
        await opened.close()


@dataclass
class Player:
    """A player in a page of its own, with the output open."""

    page: Page
    shelf: Shelf

    async def run(self, script: str, argument: Any = None) -> Any:
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self.page.evaluate(script, argument)
        except TimeoutError:
            pytest.fail(f"{script} took more than {PATIENCE_S} s; the page says {await self.errors()}")

    async def wait(self, script: str, argument: Any = None) -> None:
        """Until the expression is true."""
        await self.page.wait_for_function(script, arg=argument, timeout=1000 * PATIENCE_S)

    async def errors(self) -> list[str]:
        found: list[str] = await self.page.evaluate("errors")
        return found


class Open(Protocol):
    """Opens one of the output's manifests in a player, with captions where they are wanted."""

    async def __call__(self, script: str, manifest: str, *, captions: bool = False) -> Player: ...


@pytest.fixture
async def opened(browser: Browser, shelf: Shelf) -> AsyncIterator[Open]:
    """Open one of the output's manifests in a player."""
    async with AsyncExitStack() as pages:

        async def run(script: str, manifest: str, *, captions: bool = False) -> Player:
            page = await browser.new_page()
            pages.push_async_callback(page.close)
            shelf.asked.clear()
            await page.goto(shelf.address("/page/player.html"))
            for source in (f"/players/{PLAYERS[script].file_name}", f"/page/{script}.js"):
                await page.evaluate("(source) => load(source)", source)
            player = Player(page, shelf)
            address = shelf.address(f"/output/{manifest}")
            await player.run("([address, captions]) => player.open(address, captions)", [address, captions])
            await player.run("firstPicture")
            return player

        yield run
