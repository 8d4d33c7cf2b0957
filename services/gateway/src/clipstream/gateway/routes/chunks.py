"""Uploads in chunks, which can be resumed. The ids are ours; the store's never leave."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.store.objects import Part
from clipstream.gateway import chunked
from clipstream.gateway.access import Access
from clipstream.gateway.chunked import Claim, Layout
from clipstream.gateway.clip import Status
from clipstream.gateway.fields import Sha256
from clipstream.gateway.limits import Limit
from clipstream.gateway.problems import Problem
from clipstream.gateway.repository import uploads, videos
from clipstream.gateway.repository.uploads import Upload, UploadState
from clipstream.gateway.routes.api import Body, Call, Reply, RouteTable, VideoPath

table = RouteTable("uploads")
SIGNED_AT_ONCE = 100
_INVALID = "Invalid upload parts"

PartNumber = Annotated[int, Field(ge=1, le=10_000, strict=True)]
ETag = Annotated[str, StringConstraints(pattern=r'^"?[!#-~]{1,128}"?$')]


class UploadPath(VideoPath):
    missing: ClassVar[str] = "Upload not found"
    upload_id: UUID


class ReceivedPart(BaseModel):
    """A part that has arrived whole. `sha256` is known where the store knows it."""

    number: int
    size: int
    etag: str
    sha256: str | None


class ChunkedUpload(BaseModel):
    """An upload in parts: number n has `part_size` bytes from (n - 1) * `part_size` on, the last one what is left. It lives
    for as long as something is heard of it, and ends at `expires_at` otherwise. `bytes` is how many have arrived."""

    id: UUID
    video_id: UUID
    state: UploadState
    size: int
    part_size: int
    part_count: int
    bytes: int
    received: list[ReceivedPart]
    missing: list[int]
    expires_at: datetime


class WantedPart(Body):
    """A part that is going to be sent. All parts of an upload are announced with their checksums, or none is."""

    number: PartNumber
    sha256: Sha256 | None = None


class WantedParts(Body):
    parts: Annotated[list[WantedPart], Field(min_length=1, max_length=SIGNED_AT_ONCE)]


class PartRequest(BaseModel):
    """The HTTP request that stores one part: send every header as it stands. It may be repeated. `expires_in` is in seconds."""

    number: int
    method: str
    url: str
    headers: Mapping[str, str]
    expires_in: int


class PartRequests(BaseModel):
    parts: list[PartRequest]


class SentPart(Body):
    """A part as its sender knows it; what is said is compared with what the store has."""

    number: PartNumber
    etag: ETag | None = None
    size: Annotated[int, Field(ge=0, strict=True)] | None = None
    sha256: Sha256 | None = None


class SentParts(Body):
    parts: Annotated[list[SentPart], Field(min_length=1, max_length=10_000)] | None = None


class UploadedVideo(BaseModel):
    """The video whose file has arrived."""

    id: UUID
    status: Status
    processing_index: int


@table.route(
    "POST",
    "/videos/{video_id}/uploads",
    access=Access.UPLOADER,
    status=201,
    also={200: ChunkedUpload},
    errors={409: "Upload already complete"},
    scope="upload",
    limit=Limit.UPLOAD,
    idempotent=True,
    location="/videos/{video_id}/uploads/{id}",
)
async def open_upload(call: Call, path: VideoPath) -> ChunkedUpload | Reply:
    """Open a chunked upload; 200 with what has arrived where one is open already"""
    video = call.found
    upload, fresh = await chunked.open_for(call.services, video)
    shown = await _shown(call, video, upload)
    return shown if fresh else Reply(shown, status=200)


@table.route("GET", "/videos/{video_id}/uploads/{upload_id}", access=Access.UPLOADER, scope="upload")
async def get_upload(call: Call, path: UploadPath) -> ChunkedUpload:
    """What has arrived of a chunked upload, and what is missing"""
    video = call.found
    upload = await chunked.find(call.services, path.upload_id, path.video_id)
    await uploads.seen(call.services.pool, upload.id)
    return await _shown(call, video, upload)


@table.route(
    "POST",
    "/videos/{video_id}/uploads/{upload_id}/parts",
    access=Access.UPLOADER,
    errors={409: "Upload already complete"},
    invalid=_INVALID,
    scope="upload",
    limit=Limit.UPLOAD,
)
async def sign_parts(call: Call, path: UploadPath, body: WantedParts) -> PartRequests:
    """Addresses for up to 100 parts; ask again where they have expired"""
    services = call.services
    video = call.found
    upload = await chunked.find(services, path.upload_id, path.video_id)
    plan = chunked.layout(upload)
    checksums = _checked(body.parts, plan)
    upload = await chunked.prepare(services, video, upload, checksums=checksums)
    if upload.checksums != checksums:
        words = (
            "every part of this upload needs its sha256" if upload.checksums else "no part of this upload has a sha256"
        )
        raise Problem(400, _INVALID, [words])
    return PartRequests(parts=[await _signed(call, upload, plan, part) for part in body.parts])


@table.route(
    "POST",
    "/videos/{video_id}/uploads/{upload_id}/complete",
    access=Access.UPLOADER,
    errors={409: "Upload not complete"},
    invalid=_INVALID,
    scope="upload",
)
async def finish_upload(call: Call, path: UploadPath, body: SentParts | None) -> UploadedVideo:
    """Make the file of the parts that have arrived: processing begins. Saying it twice changes nothing"""
    video = call.found
    upload = await chunked.find(call.services, path.upload_id, path.video_id)
    await chunked.finish(call.services, video, upload, _claims(body))
    done = await videos.by_id(call.services.pool, path.video_id)
    if done is None:
        raise Problem(404, "Video not found")
    return UploadedVideo(id=done["id"], status=done["status"], processing_index=done["processing_index"])


@table.route(
    "DELETE",
    "/videos/{video_id}/uploads/{upload_id}",
    access=Access.UPLOADER,
    status=204,
    errors={409: "Upload already complete"},
    scope="upload",
)
async def abort_upload(call: Call, path: UploadPath) -> None:
    """Give up a chunked upload and what has arrived of it; the video still waits for its file"""
    await chunked.abort(call.services, await chunked.find(call.services, path.upload_id, path.video_id))


async def _shown(call: Call, video: Mapping[str, Any], upload: Upload) -> ChunkedUpload:
    parts: Sequence[Part] = ()
    if upload.state == "open":
        found = await chunked.arrived(call.services, video, upload)
        if found is None:
            upload = await chunked.find(call.services, upload.id, video["id"])
        parts = found or ()
    plan = chunked.layout(upload)
    whole = [part for part in parts if not plan.fault(part)]
    complete = upload.state == "complete"
    return ChunkedUpload(
        id=upload.id,
        video_id=video["id"],
        state=upload.state,
        size=upload.size_bytes,
        part_size=upload.part_size,
        part_count=plan.count,
        bytes=upload.size_bytes if complete else sum(part.size_bytes for part in whole),
        received=[ReceivedPart(number=p.number, size=p.size_bytes, etag=p.etag, sha256=p.sha256) for p in whole],
        missing=[] if complete else plan.missing(parts),
        expires_at=upload.seen_at + call.services.settings.abandon_after,
    )


def _checked(parts: Sequence[WantedPart], plan: Layout) -> bool:
    """Whether they come with checksums; 400 where they do not fit together or into the file."""
    numbers = [part.number for part in parts]
    if len(set(numbers)) < len(numbers):
        raise Problem(400, _INVALID, ["a part is named twice"])
    if beyond := [number for number in numbers if number > plan.count]:
        raise Problem(400, _INVALID, [f"part {beyond[0]} is none of the {plan.count} parts of this file"])
    told = {part.sha256 is not None for part in parts}
    if len(told) > 1:
        raise Problem(400, _INVALID, ["every part of an upload has a sha256, or none has"])
    return told.pop()


async def _signed(call: Call, upload: Upload, plan: Layout, part: WantedPart) -> PartRequest:
    signed = await call.services.store.presign_part(
        ObjectKey(upload.key),
        upload.store_id or "",
        part.number,
        size_bytes=plan.length(part.number),
        expires_in=call.services.settings.upload_url_life,
        sha256=part.sha256,
    )
    await asyncio.sleep(0)  # a hundred signatures take a while: others get their turn in between
    return PartRequest(
        number=part.number,
        method=signed.method,
        url=signed.url,
        headers=signed.headers,
        expires_in=int(signed.expires_in / timedelta(seconds=1)),
    )


def _claims(body: SentParts | None) -> list[Claim] | None:
    if body is None or body.parts is None:
        return None
    return [Claim(p.number, p.etag and p.etag.strip('"'), p.size, p.sha256) for p in body.parts]
