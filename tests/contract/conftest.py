"""Every implementation of a port, one after the other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from clipstream.common.store import ObjectStore
from contract.stores import Opened, open_behind_proxy, open_on_disk, open_on_s3
from fixtures.minio import S3Server


@pytest.fixture(params=["disk", "s3", "proxy over disk", "proxy over s3"])
async def opened(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Opened]:
    if request.param == "disk":
        async with open_on_disk(tmp_path / "storage") as disk:
            yield disk
    elif request.param == "proxy over disk":
        async with open_behind_proxy(tmp_path) as proxy:
            yield proxy
    else:
        server: S3Server = request.getfixturevalue("s3_server")
        over_s3 = open_on_s3(server) if request.param == "s3" else open_behind_proxy(tmp_path, server)
        async with over_s3 as s3:
            yield s3


@pytest.fixture
def store(opened: Opened) -> ObjectStore:
    return opened.store
