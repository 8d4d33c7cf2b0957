"""Getting a clip in: announce a file and be given an address for it, or send it through in one form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Literal
from uuid import UUID, uuid4

from aiohttp import hdrs, web
from asyncpg import Record
from pydantic import BaseModel

from clipstream.common.contracts import keys
from clipstream.common.contracts.ids import VideoId
from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.errors import Conflict, NotFound, Rejected
from clipstream.common.store.objects import ObjectInfo, PresignedUpload
from clipstream.common.store.presign import ROUTE as DIRECT_ROUTE
from clipstream.common.store.presign import NotSigned, receive
from clipstream.gateway import commands
from clipstream.gateway.access import Access
from clipstream.gateway.limits import Limit
from clipstream.gateway.problems import Problem
from clipstream.gateway.projection import Status
from clipstream.gateway.repository import videos
from clipstream.gateway.routes.api import Call, RouteTable, StreamPath, VideoPath
from clipstream.gateway.uploading import (
    CHUNK,
    CONTENT_TYPES,
    Form,
    FormFile,
    NewVideo,
    UploadForm,
    bounded,
    default_title,
    extension,
    invalid,
    part_chunks,
    too_large,
)

table = RouteTable("uploads")
_ETAG = re.compile(r"[^!#-~]")


class Upload(BaseModel):
    """One HTTP request that stores the file: send every header as it stands. `expires_in` is in seconds."""

    url: str
    method: str
    headers: Mapping[str, str]
    key: str
    expires_in: int


class FreshUpload(Upload):
    """The same; `upload_url` is its `url`."""

    upload_url: str


class CreatedVideo(BaseModel):
    """A new video. The upload is missing where the file came with the request."""

    id: UUID
    processing_index: Literal[1] = 1
    upload_url: str | None = None
    upload: Upload | None = None


class VideoState(BaseModel):
    id: UUID
    status: Status
    processing_index: int


@table.route(
    "POST",
    "/streams/{stream_id}/videos",
    access=Access.CREATOR,
    status=201,
    invalid="Invalid video file",
    errors={413: "File too large"},
    form=UploadForm,
    scope="upload",
    limit=Limit.UPLOAD,
    idempotent=True,
    location="/videos/{id}",
)
async def create_video(call: Call, path: StreamPath, body: NewVideo | None) -> CreatedVideo:
    """Add a clip: as JSON to be given an upload address, as a form to send the file at once"""
    if body is None:
        return await _receive_form(call, path.stream_id)
    limit = int(call.services.settings.max_upload_size)
    if body.size > limit:
        raise too_large(limit)
    video_id = VideoId(uuid4())
    ending = extension(body.filename)
    await commands.create_video(
        call.services.pool,
        video_id,
        stream_id=path.stream_id,
        uploader_id=call.caller.id,
        title=body.title or default_title(body.filename),
        filename=body.filename,
        content_type=body.content_type or CONTENT_TYPES[ending],
        key=keys.original(video_id, ending),
        size_bytes=body.size,
        sha256=body.sha256,
        recorded_at=body.recorded_at,
        look_after=call.services.settings.announce_after,
    )
    row = await videos.by_id(call.services.pool, video_id)
    if row is None:
        raise Problem(404, "Video not found")
    upload = await _presign(call, row)
    return CreatedVideo(id=video_id, upload_url=upload.url, upload=upload)


@table.route("POST", "/videos/{video_id}/upload-url", access=Access.UPLOADER, errors={409: "Upload already complete"})
async def renew_upload(call: Call, path: VideoPath) -> FreshUpload:
    """A fresh upload address for a file that has not arrived yet"""
    row = await _row(call, path)
    if row["status"] != "uploading":
        raise Problem(409, "Upload already complete")
    upload = await _presign(call, row)
    return FreshUpload(upload_url=upload.url, **upload.model_dump())


@table.route("POST", "/videos/{video_id}/complete", access=Access.UPLOADER, errors={409: "Upload not complete"})
async def complete_upload(call: Call, path: VideoPath) -> VideoState:
    """Say that the file has arrived: processing begins. Saying it twice changes nothing"""
    row = await _row(call, path)
    if row["status"] == "uploading":
        await _announce(call, row, await _stored(call, row))
        row = await _row(call, path)
    return VideoState(id=row["id"], status=row["status"], processing_index=row["processing_index"])


@table.route(
    "PUT",
    DIRECT_ROUTE,
    access=Access.SIGNED,
    content=("text/plain",),
    errors={
        400: "Invalid video file",
        403: "Invalid upload address",
        409: "Upload already complete",
        413: "File too large",
    },
)
async def take_upload(call: Call) -> web.StreamResponse:
    """Store the file that a signed address allows (disk storage; S3 takes such uploads itself)"""
    services, request = call.services, call.request
    try:
        grant = services.uploads.verify(request.query, request.headers)
        limit = int(services.settings.max_upload_size)
        stored = await receive(services.store, grant, bounded(request.content.iter_chunked(CHUNK), limit))
    except NotSigned as error:
        raise Problem(403, "Invalid upload address", [str(error)]) from error
    except Rejected as error:
        raise invalid(str(error)) from error
    except Conflict as error:
        raise Problem(409, "Upload already complete") from error
    return web.Response(status=200, headers={hdrs.ETAG: f'"{_ETAG.sub("", stored.etag)}"'})


async def _row(call: Call, path: VideoPath) -> Record:
    row = await videos.by_id(call.services.pool, path.video_id)
    if row is None:
        raise Problem(404, "Video not found")
    return row


async def _presign(call: Call, row: Record) -> Upload:
    signed: PresignedUpload = await call.services.store.presign_put(
        ObjectKey(row["key"]),
        size_bytes=row["size_bytes"],
        content_type=row["content_type"],
        metadata=_metadata(row["stream_id"], row["uploader_id"], row["filename"]),
        expires_in=call.services.settings.upload_url_life,
        sha256=row["sha256"],
    )
    return Upload(
        url=signed.url,
        method=signed.method,
        headers=signed.headers,
        key=signed.key,
        expires_in=int(signed.expires_in / timedelta(seconds=1)),
    )


def _metadata(stream_id: UUID, user_id: UUID, filename: str) -> dict[str, str]:
    """What travels with the object, so that ingest knows it from the bucket alone."""
    return {"stream-id": str(stream_id), "user-id": str(user_id), "filename": filename}


async def _stored(call: Call, row: Record) -> ObjectInfo:
    try:
        stored = await call.services.store.head(ObjectKey(row["key"]))
    except NotFound as error:
        raise Problem(409, "Upload not complete", ["the file has not arrived in the store"]) from error
    if stored.size_bytes != row["size_bytes"]:
        detail = f"{stored.size_bytes} bytes arrived, {row['size_bytes']} were announced"
        raise Problem(409, "Upload not complete", [detail])
    return stored


async def _announce(call: Call, row: Record, stored: ObjectInfo) -> None:
    services = call.services
    async with services.pool.acquire() as connection, connection.transaction():
        await videos.set_size(connection, row["id"], stored.size_bytes)
        await commands.announce(
            connection,
            services.projector,
            stored,
            video_id=row["id"],
            stream_id=row["stream_id"],
            bucket=services.store.bucket,
            by="client",
        )
    services.projector.tell(row["id"], row["stream_id"])
    services.relay.wake()


async def _receive_form(call: Call, stream_id: UUID) -> CreatedVideo:
    form = Form(call.request, int(call.services.settings.max_upload_size))
    file = await form.next_file()
    if file is None:
        raise invalid("file is required")
    form.fields()  # refused before the file is read, where they came first
    video_id = VideoId(uuid4())
    await _create_for_form(call, stream_id, video_id, file)
    try:
        stored = await _store_form(call, stream_id, video_id, file)
        if await form.next_file() is not None:
            raise invalid("one file is taken at a time")
        fields = form.fields()
    except BaseException:
        await commands.delete_video(call.services.pool, video_id=video_id, stream_id=stream_id)
        raise
    await videos.describe(
        call.services.pool,
        video_id,
        title=fields.title or default_title(file.filename),
        recorded_at=fields.recorded_at,
    )
    row = await videos.by_id(call.services.pool, video_id)
    if row is not None:
        await _announce(call, row, stored)
    return CreatedVideo(id=video_id)


async def _create_for_form(call: Call, stream_id: UUID, video_id: VideoId, file: FormFile) -> None:
    """The sweeper shall not look for it while it is still arriving."""
    await commands.create_video(
        call.services.pool,
        video_id,
        stream_id=stream_id,
        uploader_id=call.caller.id,
        title=default_title(file.filename),
        filename=file.filename,
        content_type=file.content_type,
        key=keys.original(video_id, extension(file.filename)),
        size_bytes=0,
        sha256=None,
        recorded_at=None,
        look_after=timedelta(hours=1),
    )


async def _store_form(call: Call, stream_id: UUID, video_id: VideoId, file: FormFile) -> ObjectInfo:
    limit = int(call.services.settings.max_upload_size)
    return await call.services.store.put_stream(
        keys.original(video_id, extension(file.filename)),
        bounded(part_chunks(file.body), limit),
        content_type=file.content_type,
        metadata=_metadata(stream_id, call.caller.id, file.filename),
    )
