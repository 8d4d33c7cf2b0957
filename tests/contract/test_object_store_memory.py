"""A large file passes through the store without passing through memory."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from clipstream.common.settings import StoreSettings
from contract.stores import Opened

_SIZE = 400 << 20
_COPY = """
import asyncio, json, resource, sys
from pathlib import Path
from clipstream.common.settings import StoreSettings
from clipstream.common.store import open_store

async def main():
    store = await open_store(StoreSettings())
    await store.put("small", b"x", content_type="text/plain")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    await store.put_file("large", Path(sys.argv[1]), content_type="video/mp4")
    size = 0
    async for piece in store.stream("large"):
        size += len(piece)
    await store.close()
    print(json.dumps([size, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10]))

asyncio.run(main())
"""


def environment(settings: StoreSettings) -> dict[str, str]:
    """The names that a service reads them from."""
    if settings.storage_root is not None:
        return {"STORAGE_ROOT": str(settings.storage_root)}
    if settings.media_proxy_url is not None:
        assert settings.media_proxy_token
        token = settings.media_proxy_token.get_secret_value()
        return {"MEDIA_PROXY_URL": settings.media_proxy_url, "MEDIA_PROXY_TOKEN": token}
    assert settings.s3_access_key
    assert settings.s3_secret_key
    return {
        "S3_ENDPOINT_URL": settings.s3_endpoint_url or "",
        "MINIO_ACCESS_KEY": settings.s3_access_key.get_secret_value(),
        "MINIO_SECRET_KEY": settings.s3_secret_key.get_secret_value(),
        "MINIO_BUCKET": settings.bucket,
    }


async def test_memory_stays_bounded(opened: Opened, tmp_path: Path) -> None:
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(_SIZE)
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _COPY, str(large), env=environment(opened.settings), stdout=asyncio.subprocess.PIPE
    )
    answer, _ = await child.communicate()
    size, grown = json.loads(answer)
    assert size == _SIZE
    assert grown < 160 << 20  # three parts of 16 MiB on their way, one being filled, and the sockets' copies
