"""The few calls of the HTTP API that the demo needs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

Answer = dict[str, Any]


class ApiError(Exception):
    """The gateway answered something else than the demo needs."""


class Client:
    """One signed-in user."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    @classmethod
    @asynccontextmanager
    async def signed_in(cls, base_url: str, name: str) -> AsyncIterator[Client]:
        async with aiohttp.ClientSession(base_url) as session:
            client = cls(session)
            answer = await client.call("POST", "/auth/dev", {"name": name})
            session.headers["Authorization"] = f"Bearer {answer['app_token']}"
            yield client

    async def call(
        self, method: str, path: str, body: Mapping[str, object] | None = None, *, also: tuple[int, ...] = ()
    ) -> Answer:
        """The JSON answer of a 2xx status, or of one in `also`; anything else raises `ApiError`."""
        async with self._session.request(method, path, json=body) as response:
            answer: Answer = await response.json() if response.content_type == "application/json" else {}
            if not response.ok and response.status not in also:
                raise ApiError(f"{method} {path} answered {response.status}: {answer.get('error', response.reason)}")
            return answer | {"status_code": response.status}

    async def upload(self, stream_id: str, path: Path, title: str) -> str:
        """Create a video and send its file by the presigned request; the video's id."""
        facts = {
            "filename": path.name,
            "size": path.stat().st_size,  # noqa: ASYNC240 - likewise
            "title": title,
            "content_type": "video/mp4",
        }
        made = await self.call("POST", f"/streams/{stream_id}/videos", facts)
        request = made["upload"]
        with path.open("rb") as file:
            async with (
                aiohttp.ClientSession() as bare,
                bare.request(
                    request["method"], URL(request["url"], encoded=True), headers=request["headers"], data=file
                ) as response,
            ):
                if not response.ok:
                    raise ApiError(f"uploading {path.name} answered {response.status}: {await response.text()}")
        return str(made["id"])

    async def fetch(self, url: str) -> bytes:
        """The bytes of a media URL, without any credentials but the URL's own."""
        async with aiohttp.ClientSession() as bare, bare.get(URL(url, encoded=True)) as response:
            if not response.ok:
                raise ApiError(f"{url} answered {response.status}")
            return await response.read()
