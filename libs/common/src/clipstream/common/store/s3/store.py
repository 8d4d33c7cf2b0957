"""The object store on an S3 API: MinIO, AWS and others. Only what the S3 API promises is used."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.errors import NotFound, Outage, Permanent
from clipstream.common.settings import BackingStoreSettings
from clipstream.common.store.files import read_file
from clipstream.common.store.names import check_key, check_prefix, decode_metadata, encode_metadata
from clipstream.common.store.objects import ObjectInfo, PresignedUpload
from clipstream.common.store.parts import part_size_for
from clipstream.common.store.s3.client import Clients, open_clients
from clipstream.common.store.s3.errors import code_of, translated
from clipstream.common.store.s3.multipart import MultipartUpload, in_parts
from clipstream.common.store.s3.parts import ClientParts
from clipstream.common.store.s3.signing import presigned_put

_DELETE_AT_ONCE = 1000  # S3's bound


class S3Store(ClientParts):
    """Implements `ObjectStore`. One per process: its clients hold the connections."""

    def __init__(self, bucket: str, clients: Clients, stack: AsyncExitStack) -> None:
        super().__init__(bucket, clients)
        self._stack = stack

    @classmethod
    async def open(cls, settings: BackingStoreSettings) -> S3Store:
        stack = AsyncExitStack()
        try:
            return cls(settings.bucket, await open_clients(settings, stack), stack)
        except BaseException:
            await stack.aclose()
            raise

    async def create_bucket(self, region: str) -> None:
        """Create the bucket where it is missing."""
        with translated(f"bucket {self.bucket}"):
            try:
                await self._client.head_bucket(Bucket=self.bucket)
            except ClientError as error:
                if code_of(error) not in {"404", "NoSuchBucket", "NotFound"}:
                    raise
                where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
                with suppress(self._client.exceptions.BucketAlreadyOwnedByYou):
                    await self._client.create_bucket(Bucket=self.bucket, **where)

    async def head(self, key: ObjectKey) -> ObjectInfo:
        check_key(key)
        with translated(key):
            return _info(key, await self._client.head_object(**self._at(key), ChecksumMode="ENABLED"))

    async def get(self, key: ObjectKey, *, limit: int = 16 << 20) -> bytes:
        check_key(key)
        with translated(key):
            answer = await self._client.get_object(**self._at(key))
            async with answer["Body"]:
                if answer["ContentLength"] > limit:
                    answer["Body"].close()
                    raise Permanent(f"The object {key} has {answer['ContentLength']} bytes; {limit} are read at most.")
                return bytes(await answer["Body"].read())

    async def read_range(self, key: ObjectKey, offset: int, length: int, *, etag: str | None = None) -> bytes:
        return b"".join([chunk async for chunk in self._ranged(key, offset, length, 1 << 20, etag)])

    async def stream(
        self,
        key: ObjectKey,
        *,
        offset: int = 0,
        length: int | None = None,
        chunk: int = 1 << 20,
        etag: str | None = None,
    ) -> AsyncIterator[bytes]:
        async for piece in self._ranged(key, offset, length, chunk, etag):
            yield piece

    async def _ranged(
        self, key: ObjectKey, offset: int, length: int | None, chunk: int, etag: str | None
    ) -> AsyncIterator[bytes]:
        check_key(key)
        conditions: dict[str, str] = {"IfMatch": f'"{etag}"'} if etag else {}
        if length == 0:
            with translated(key):
                await self._client.head_object(**self._at(key), **conditions)
            return
        if offset or length is not None:
            conditions["Range"] = f"bytes={offset}-{'' if length is None else offset + length - 1}"
        with translated(key):
            try:
                answer = await self._client.get_object(**self._at(key), **conditions)
            except ClientError as error:
                if code_of(error) in {"InvalidRange", "416"}:  # past the end
                    return
                raise
            async with answer["Body"]:
                async for piece in answer["Body"].iter_chunks(chunk):
                    yield piece

    async def put(
        self,
        key: ObjectKey,
        body: bytes,
        *,
        content_type: str,
        metadata: Mapping[str, str] | None = None,
        if_absent: bool = False,
    ) -> ObjectInfo:
        check_key(key)
        digest = await asyncio.to_thread(lambda: hashlib.sha256(body).digest())
        with translated(key):
            answer = await self._client.put_object(
                **self._at(key),
                **_headers(content_type, metadata, if_absent),
                Body=body,
                ContentLength=len(body),
                ChecksumAlgorithm="SHA256",
                ChecksumSHA256=base64.b64encode(digest).decode(),
            )
        return ObjectInfo(
            key, len(body), _etag(answer), datetime.now(UTC), content_type, digest.hex(), dict(metadata or {})
        )

    async def put_file(
        self,
        key: ObjectKey,
        path: Path,
        *,
        content_type: str,
        metadata: Mapping[str, str] | None = None,
        if_absent: bool = False,
    ) -> ObjectInfo:
        size = (await asyncio.to_thread(path.stat)).st_size
        body = read_file(path)
        return await self._put_parts(key, body, part_size_for(size), content_type, metadata, if_absent)

    async def put_stream(
        self,
        key: ObjectKey,
        body: AsyncIterator[bytes],
        *,
        content_type: str,
        metadata: Mapping[str, str] | None = None,
        if_absent: bool = False,
    ) -> ObjectInfo:
        return await self._put_parts(key, body, part_size_for(None), content_type, metadata, if_absent)

    async def _put_parts(
        self,
        key: ObjectKey,
        body: AsyncIterator[bytes],
        part_size: int,
        content_type: str,
        metadata: Mapping[str, str] | None,
        if_absent: bool,
    ) -> ObjectInfo:
        check_key(key)
        headers = _headers(content_type, metadata, if_absent)
        conditions = {"IfNoneMatch": headers.pop("IfNoneMatch")} if if_absent else {}
        parts = in_parts(body, part_size)
        first, second = await anext(parts), await anext(parts, None)
        if second is None:
            return await self.put(key, first, content_type=content_type, metadata=metadata, if_absent=if_absent)
        upload = await MultipartUpload.create(self._client, self._at(key), **headers)
        try:
            await upload.send(_chain([first, second], parts))
            await upload.finish(**conditions)
        except BaseException:
            await asyncio.shield(upload.abort())
            raise
        return await self.head(key)

    async def delete(self, key: ObjectKey) -> None:
        check_key(key)
        with translated(key):
            await self._client.delete_object(**self._at(key))

    async def delete_prefix(self, prefix: str) -> int:
        removed = 0
        batch: list[dict[str, str]] = []
        async for found in self.list(prefix):
            batch.append({"Key": found.key})
            if len(batch) == _DELETE_AT_ONCE:
                removed += await self._delete_batch(prefix, batch)
                batch = []
        return removed + await self._delete_batch(prefix, batch)

    async def _delete_batch(self, prefix: str, batch: list[dict[str, str]]) -> int:
        if not batch:
            return 0
        with translated(prefix):
            answer = await self._client.delete_objects(Bucket=self.bucket, Delete={"Objects": batch, "Quiet": True})
        if refused := answer.get("Errors"):
            raise Outage(f"The object store could not delete {refused[0]['Key']} ({refused[0].get('Message')}).")
        return len(batch)

    async def list(self, prefix: str, *, start_after: str = "") -> AsyncIterator[ObjectInfo]:
        check_prefix(prefix)
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=prefix, StartAfter=start_after
        )
        with translated(prefix):
            async for page in pages:
                for item in page.get("Contents", ()):
                    yield ObjectInfo(ObjectKey(item["Key"]), item["Size"], _etag(item), item["LastModified"])

    async def presign_put(
        self,
        key: ObjectKey,
        *,
        size_bytes: int,
        content_type: str,
        metadata: Mapping[str, str],
        expires_in: timedelta,
        sha256: str | None = None,
    ) -> PresignedUpload:
        check_key(key)
        return await presigned_put(
            self._clients.put_signer,
            self.bucket,
            key,
            size_bytes=size_bytes,
            content_type=content_type,
            metadata=encode_metadata(metadata),
            expires_in=expires_in,
            sha256=sha256,
        )

    async def presign_get(self, key: ObjectKey, *, expires_in: timedelta) -> str | None:
        check_key(key)
        url: str = await self._clients.get_signer.generate_presigned_url(
            "get_object", Params=self._at(key), ExpiresIn=int(expires_in.total_seconds())
        )
        return url

    async def space(self) -> None:
        """S3 has no such question."""

    async def check(self) -> None:
        try:
            with translated(f"bucket {self.bucket}"):
                await self._client.head_bucket(Bucket=self.bucket)
        except NotFound:
            raise Outage(f"The bucket {self.bucket} does not exist; it is created when a service starts.") from None

    async def close(self) -> None:
        await self._stack.aclose()


def _headers(content_type: str, metadata: Mapping[str, str] | None, if_absent: bool) -> dict[str, Any]:
    headers: dict[str, Any] = {"ContentType": content_type, "Metadata": encode_metadata(metadata)}
    return headers | ({"IfNoneMatch": "*"} if if_absent else {})


def _etag(answer: Mapping[str, Any]) -> str:
    return str(answer["ETag"]).strip('"')


def _info(key: ObjectKey, answer: Mapping[str, Any]) -> ObjectInfo:
    checksum = answer.get("ChecksumSHA256", "")
    whole = checksum and "-" not in checksum  # "…-N" is the checksum of N parts' checksums
    return ObjectInfo(
        key,
        answer["ContentLength"],
        _etag(answer),
        answer["LastModified"],
        answer.get("ContentType", "application/octet-stream"),
        base64.b64decode(checksum).hex() if whole else None,
        decode_metadata(answer.get("Metadata", {})),
    )


async def _chain(start: list[bytes], rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    while start:
        yield start.pop(0)
    async for part in rest:
        yield part
