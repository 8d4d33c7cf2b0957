"""The media proxy over a directory, and sessions that talk to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from clipstream.common.stage.scratch import Scratch
from clipstream.common.store import ObjectStore
from clipstream.common.store.open import open_backing_store
from clipstream.mediaproxy.app import application
from clipstream.mediaproxy.settings import Settings
from fixtures.mediaproxy import TOKEN

WEB = "https://clips.example"


@dataclass(frozen=True)
class Proxy:
    """A running proxy: its address, the store behind it, and that store's directory."""

    url: str
    store: ObjectStore
    root: Path


@pytest.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[Proxy]:
    root = tmp_path / "storage"
    settings = Settings.model_validate(
        {
            "storage_root": root,
            "media_proxy_token": TOKEN,
            "scratch_dir": tmp_path / "scratch",
            "max_upload_size": 1_000_000,
            "public_web_url": f"{WEB}/app",
        }
    )
    store = await open_backing_store(settings)
    with closing(Scratch.open(settings.scratch_dir, "mediaproxy")) as scratch:
        async with TestServer(application(settings, store, scratch)) as server:
            yield Proxy(f"http://{server.host}:{server.port}", store, root)
    await store.close()


@pytest.fixture
async def http(proxy: Proxy) -> AsyncIterator[aiohttp.ClientSession]:
    """With the token."""
    async with aiohttp.ClientSession(proxy.url, headers={"Authorization": f"Bearer {TOKEN}"}) as session:
        yield session


@pytest.fixture
async def stranger(proxy: Proxy) -> AsyncIterator[aiohttp.ClientSession]:
    """Without it."""
    async with aiohttp.ClientSession(proxy.url) as session:
        yield session
