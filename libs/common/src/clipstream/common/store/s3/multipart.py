"""Uploads in parts that we send ourselves, with a bounded number of them in memory."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from clipstream.common.errors import ClipstreamError, Transient
from clipstream.common.store.s3.errors import code_of, translated

_PARTS_AT_ONCE = 3


async def in_parts(body: AsyncIterator[bytes], part_size: int) -> AsyncIterator[bytes]:
    """The same bytes cut at multiples of `part_size`; at least one part, which may be empty."""
    buffer = bytearray()
    cut = 0
    async for chunk in body:
        buffer += chunk
        while len(buffer) > part_size:  # a full buffer waits: it may be the last part
            yield bytes(memoryview(buffer)[:part_size])
            del buffer[:part_size]
            cut += 1
    if buffer or not cut:
        yield bytes(buffer)


@dataclass
class MultipartUpload:
    """One upload in parts: nothing is visible before `finish`; who leaves early calls `abort`."""

    client: Any
    target: dict[str, str]  # Bucket and Key
    upload_id: str
    etags: dict[int, str] = field(default_factory=dict)

    @classmethod
    async def create(cls, client: Any, target: dict[str, str], **headers: Any) -> MultipartUpload:
        with translated(target["Key"]):
            answer = await client.create_multipart_upload(**target, **headers)
        return cls(client, target, str(answer["UploadId"]))

    async def send(self, parts: AsyncIterator[bytes]) -> None:
        """Upload all parts, a few at once. The next part is not read before there is room for it."""
        room = asyncio.Semaphore(_PARTS_AT_ONCE)
        number = 0
        try:
            async with asyncio.TaskGroup() as tasks:
                await room.acquire()
                async for part in parts:
                    number += 1
                    tasks.create_task(self._send_one(number, part, room))
                    del part  # the task's reference is to be the only one
                    await room.acquire()
        except BaseExceptionGroup as group:
            raise _first_cause(group) from group

    async def _send_one(self, number: int, part: bytes, room: asyncio.Semaphore) -> None:
        try:
            with translated(self.target["Key"]):
                answer = await self.client.upload_part(
                    **self.target, UploadId=self.upload_id, PartNumber=number, Body=part, ContentLength=len(part)
                )
            self.etags[number] = str(answer["ETag"]).strip('"')
        finally:
            room.release()

    async def finish(self, **conditions: Any) -> None:
        """Make the object visible. Where the first answer was lost on the way, the repeated call finds no upload any
        more, but the object."""
        parts = [{"PartNumber": number, "ETag": etag} for number, etag in sorted(self.etags.items())]
        with translated(self.target["Key"]):
            try:
                await self.client.complete_multipart_upload(
                    **self.target, UploadId=self.upload_id, MultipartUpload={"Parts": parts}, **conditions
                )
            except ClientError as error:
                if code_of(error) != "NoSuchUpload":
                    raise
                if not await self._is_there():
                    raise Transient(f"The store lost the parts of {self.target['Key']} before the end.") from error

    async def _is_there(self) -> bool:
        try:
            found = await self.client.head_object(**self.target)
        except ClientError:
            return False
        return str(found["ETag"]).strip('"') == multipart_etag([etag for _, etag in sorted(self.etags.items())])

    async def abort(self) -> None:
        """Give back what the parts occupy. A store that is away now expires them by itself later."""
        with suppress(ClipstreamError), translated(self.target["Key"]):
            await self.client.abort_multipart_upload(**self.target, UploadId=self.upload_id)


def multipart_etag(part_etags: Sequence[str]) -> str | None:
    """S3's ETag of an object in parts: the MD5 of the parts' MD5s, and how many; None where parts are not named by MD5."""
    try:
        digests = b"".join(bytes.fromhex(etag) for etag in part_etags)
    except ValueError:
        return None
    return f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(part_etags)}"


def _first_cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that ended a task group, out of its wrapping."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
