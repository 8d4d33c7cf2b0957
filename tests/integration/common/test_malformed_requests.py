"""What is no HTTP: refused, and nothing of it logged."""

from __future__ import annotations

import asyncio
import json
import logging as stdlib_logging
from collections.abc import Iterator

import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import TestServer

from clipstream.common.obs import logging

MALFORMED = [
    "GET /media/a-secret\0 HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.1\r\nAuthorization: Bearer a-secret\0\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: here\r\nHost: there\r\nX: a-secret\r\nContent-Length: one\r\n\r\n",
]


@pytest.fixture
def restored_logging() -> Iterator[None]:
    root = stdlib_logging.getLogger()
    handlers, level, configured = root.handlers[:], root.level, structlog.get_config()
    yield
    root.handlers[:], root.level = handlers, level
    structlog.configure(**configured)


@pytest.mark.usefixtures("restored_logging")
@pytest.mark.parametrize("request_", MALFORMED)
async def test_what_it_held_is_not_logged(request_: str, capsys: pytest.CaptureFixture[str]) -> None:
    logging.configure("gateway", "INFO")
    async with TestServer(web.Application()) as server:
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(request_.encode())
        assert b" 400 Bad Request" in await reader.read()
        writer.close()
    lines = capsys.readouterr().out.splitlines()
    assert "a-secret" not in "".join(lines)
    assert [json.loads(line)["level"] for line in lines if "malformed_request" in line] == ["info"]
