"""Uploads in parts that clients send themselves, to addresses which we sign. The store keeps all state."""

from __future__ import annotations

import base64
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.errors import Conflict, NotFound, Rejected
from clipstream.common.store.names import check_key, encode_metadata
from clipstream.common.store.objects import ObjectInfo, Part, PresignedUpload
from clipstream.common.store.s3.client import Clients
from clipstream.common.store.s3.errors import code_of, translated
from clipstream.common.store.s3.multipart import multipart_etag
from clipstream.common.store.s3.signing import presigned_part

MOST_HELD = 256 << 20
_OTHER_PARTS = {"InvalidPart", "InvalidPartOrder", "EntityTooSmall", "MalformedXML"}
_ENDED = {"NoSuchUpload", "PreconditionFailed", "412", "ConditionalRequestConflict"}


class ClientParts(ABC):
    """The multipart half of `S3Store`."""

    def __init__(self, bucket: str, clients: Clients) -> None:
        self.bucket = bucket
        self._clients = clients
        self._client = clients.work

    @abstractmethod
    async def head(self, key: ObjectKey) -> ObjectInfo: ...

    async def open_multipart(
        self,
        key: ObjectKey,
        *,
        content_type: str,
        metadata: Mapping[str, str] | None = None,
        checksums: bool = False,
    ) -> str:
        check_key(key)
        more = {"ChecksumAlgorithm": "SHA256"} if checksums else {}
        with translated(key):
            answer = await self._client.create_multipart_upload(
                **self._at(key), ContentType=content_type, Metadata=encode_metadata(metadata), **more
            )
        return str(answer["UploadId"])

    async def presign_part(
        self,
        key: ObjectKey,
        store_id: str,
        number: int,
        *,
        size_bytes: int,
        expires_in: timedelta,
        sha256: str | None = None,
    ) -> PresignedUpload:
        check_key(key)
        return await presigned_part(
            self._clients.put_signer,
            self.bucket,
            key,
            store_id,
            number,
            size_bytes=size_bytes,
            expires_in=expires_in,
            sha256=sha256,
        )

    async def put_part(
        self, key: ObjectKey, store_id: str, number: int, body: AsyncIterator[bytes], *, sha256: str | None = None
    ) -> Part:
        """Implements `TakesParts`, for the media proxy. The part is held in memory: S3 wants its length and checksum
        first, and a try that failed is repeated."""
        check_key(key)
        whole = bytearray()
        async for piece in body:
            whole += piece
            if len(whole) > MOST_HELD:
                raise Rejected(f"A part of more than {MOST_HELD >> 20} MiB cannot be sent through the media proxy.")
        checksum = {} if sha256 is None else {"ChecksumSHA256": base64.b64encode(bytes.fromhex(sha256)).decode()}
        with translated(key):
            answer = await self._client.upload_part(
                **self._at(key),
                UploadId=store_id,
                PartNumber=number,
                Body=bytes(whole),
                ContentLength=len(whole),
                **checksum,
            )
        return Part(number, len(whole), str(answer["ETag"]).strip('"'), datetime.now(UTC), sha256)

    async def list_parts(self, key: ObjectKey, store_id: str) -> Sequence[Part]:
        _check(key, store_id)
        found: list[Part] = []
        with translated(key):
            try:
                async for page in self._client.get_paginator("list_parts").paginate(**self._at(key), UploadId=store_id):
                    found += map(_part, page.get("Parts", ()))
            except ClientError as error:
                if code_of(error) != "NoSuchUpload":
                    raise
                raise NotFound(f"The upload of {key} has ended.") from error
        return found

    async def complete_multipart(
        self, key: ObjectKey, store_id: str, parts: Sequence[Part], *, if_absent: bool = True
    ) -> ObjectInfo:
        _check(key, store_id)
        if not parts:
            raise Rejected(f"The upload of {key} has no parts.")
        conditions = {"IfNoneMatch": "*"} if if_absent else {}
        with translated(key):
            try:
                await self._client.complete_multipart_upload(
                    **self._at(key),
                    UploadId=store_id,
                    MultipartUpload={"Parts": [_listed(part) for part in parts]},
                    **conditions,
                )
            except ClientError as error:
                if code_of(error) in _OTHER_PARTS:
                    raise Rejected(f"The parts of {key} have changed, or some are missing.") from error
                if code_of(error) not in _ENDED:
                    raise
                return await self._made_before(key, store_id, parts)
        return await self.head(key)

    async def _made_before(self, key: ObjectKey, store_id: str, parts: Sequence[Part]) -> ObjectInfo:
        """The object, where an answer got lost on the way and the call was repeated: its ETag tells its parts'."""
        try:
            info = await self.head(key)
        except NotFound:
            raise NotFound(f"The upload of {key} has ended, and no object came of it.") from None
        if info.etag != multipart_etag([part.etag for part in parts]):
            raise Conflict(f"The object {key} exists already.")
        await self.abort_multipart(key, store_id)
        return info

    async def abort_multipart(self, key: ObjectKey, store_id: str) -> None:
        _check(key, store_id)
        with translated(key), suppress(self._client.exceptions.NoSuchUpload):
            await self._client.abort_multipart_upload(**self._at(key), UploadId=store_id)

    def _at(self, key: str) -> dict[str, str]:
        return {"Bucket": self.bucket, "Key": key}


def _check(key: ObjectKey, store_id: str) -> None:
    check_key(key)
    if not store_id:  # MinIO would not answer at all
        raise NotFound(f"The upload of {key} has ended.")


def _part(answer: Mapping[str, Any]) -> Part:
    checksum = answer.get("ChecksumSHA256")
    return Part(
        answer["PartNumber"],
        answer["Size"],
        str(answer["ETag"]).strip('"'),
        answer["LastModified"],
        base64.b64decode(checksum).hex() if checksum else None,
    )


def _listed(part: Part) -> dict[str, Any]:
    """S3 asks for the checksums of an upload that was opened with them, once more."""
    listed: dict[str, Any] = {"PartNumber": part.number, "ETag": part.etag}
    if part.sha256 is not None:
        listed["ChecksumSHA256"] = base64.b64encode(bytes.fromhex(part.sha256)).decode()
    return listed
