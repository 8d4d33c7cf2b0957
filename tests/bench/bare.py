"""Bare aiohttp servers: what there is to be measured against.

`python -m bench.bare <directory> <port> <database url> <video id>`: GET /static/{name} answers the content of the file of
that name, and GET /read/{name} does so after verifying a JWT and reading the video's row, with nothing around it.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import asyncpg
import jwt
from aiohttp import hdrs, web

KEY = b"a key of thirty-two bytes or more"
TOKEN = jwt.encode({"sub": "bench", "iss": "bench", "aud": "bench"}, KEY, algorithm="HS256")
_ROW = "SELECT * FROM gateway.videos v JOIN gateway.users u ON u.id = v.uploader_id WHERE v.id = $1"


def main() -> None:
    directory, port, url, video_id = sys.argv[1:]
    payloads = {path.name: path.read_bytes() for path in Path(directory).iterdir()}
    wanted = UUID(video_id)
    pool: asyncpg.Pool

    async def connected(_: web.Application) -> AsyncIterator[None]:
        nonlocal pool
        async with asyncpg.create_pool(url) as pool:
            yield

    async def static(request: web.Request) -> web.Response:
        return web.Response(body=payloads[request.match_info["name"]], content_type="application/json")

    async def read(request: web.Request) -> web.Response:
        token = request.headers[hdrs.AUTHORIZATION].removeprefix("Bearer ")
        jwt.decode(token, KEY, algorithms=["HS256"], issuer="bench", audience="bench")
        assert await pool.fetchrow(_ROW, wanted) is not None
        return web.Response(body=payloads[request.match_info["name"]], content_type="application/json")

    application = web.Application()
    application.cleanup_ctx.append(connected)
    application.router.add_get("/static/{name}", static)
    application.router.add_get("/read/{name}", read)
    web.run_app(application, host="127.0.0.1", port=int(port), print=None, access_log=None)


if __name__ == "__main__":
    main()
