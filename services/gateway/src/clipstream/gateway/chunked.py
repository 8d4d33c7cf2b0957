"""Uploads in chunks: the rows say which there are, the store alone says what has arrived. So an upload survives the tab, the
sleep of the device and the restart of every server; an address for a part may be asked for as often as it is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.errors import Conflict, NotFound, Rejected
from clipstream.common.store.objects import Part
from clipstream.common.store.parts import part_count, part_length, part_size_for
from clipstream.gateway import arrivals
from clipstream.gateway.arrivals import already_complete, incomplete
from clipstream.gateway.problems import Problem
from clipstream.gateway.repository import uploads, videos
from clipstream.gateway.repository.uploads import Upload
from clipstream.gateway.services import Services

Video = Mapping[str, Any]  # a row of the videos
_NAMED = 20  # parts that a refusal names one by one


@dataclass(frozen=True, slots=True)
class Layout:
    """How the file is cut."""

    size_bytes: int
    part_size: int

    @property
    def count(self) -> int:
        return part_count(self.size_bytes, self.part_size)

    def length(self, number: int) -> int:
        return part_length(number, self.size_bytes, self.part_size)

    def missing(self, parts: Sequence[Part]) -> list[int]:
        """Numbers of parts that have not arrived as long as they have to be."""
        whole = {part.number for part in parts if not self.fault(part)}
        return [number for number in range(1, self.count + 1) if number not in whole]

    def fault(self, part: Part) -> str | None:
        if part.number > self.count:
            return f"part {part.number} is none of the {self.count} parts of this file"
        if part.size_bytes != self.length(part.number):
            return f"part {part.number} has {part.size_bytes} bytes, {self.length(part.number)} were announced"
        return None

    def faults(self, parts: Sequence[Part]) -> list[str]:
        """Why these parts are not the file; nothing where they are."""
        found = [fault for part in parts if (fault := self.fault(part))]
        arrived = {part.number for part in parts}
        absent = [number for number in range(1, self.count + 1) if number not in arrived]
        if absent:
            named = ", ".join(map(str, absent[:_NAMED])) + (", …" if len(absent) > _NAMED else "")
            found.append(f"{len(absent)} of {self.count} parts have not arrived: {named}")
        return found[:_NAMED]


def layout(upload: Upload) -> Layout:
    return Layout(upload.size_bytes, upload.part_size)


async def open_for(services: Services, video: Video) -> tuple[Upload, bool]:
    """The open upload of this video, and whether it was made just now."""
    size = video["size_bytes"]
    while video["status"] == "uploading":
        wanted = uuid4()
        upload = await uploads.open_one(
            services.pool, wanted, video["id"], key=video["key"], size_bytes=size, part_size=part_size_for(size)
        )
        if upload.id == wanted or await arrived(services, video, upload) is not None:
            return upload, upload.id == wanted
        video = await videos.by_id(services.pool, video["id"]) or {"status": "deleted"}
    raise already_complete()


async def find(services: Services, upload_id: UUID, video_id: UUID) -> Upload:
    upload = await uploads.by_id(services.pool, upload_id, video_id)
    if upload is None:
        raise Problem(404, "Upload not found")
    return upload


async def arrived(services: Services, video: Video, upload: Upload) -> Sequence[Part] | None:
    """What the store has of an open upload. None where the store has ended it: then so have we."""
    if upload.store_id is None:
        return ()
    try:
        return await services.store.list_parts(ObjectKey(upload.key), upload.store_id)
    except NotFound:
        await _settle(services, video, upload)
        return None


async def _settle(services: Services, video: Video, upload: Upload) -> None:
    """The store knows the upload no more: it has become the file, and nobody could be told; or it is lost."""
    try:
        stored = await arrivals.stored_file(services, video)
    except Problem:
        await uploads.end(services.pool, upload.id, "aborted")
    else:
        await arrivals.announce(services, video, stored, upload_id=upload.id)


async def prepare(services: Services, video: Video, upload: Upload, *, checksums: bool) -> Upload:
    """The upload, begun in the store: whether its parts come with checksums is decided with the first of them."""
    require_open(upload, video)
    async with services.pool.acquire() as connection, connection.transaction():
        held = await uploads.lock(connection, upload.id)
        if held is None:
            raise Problem(404, "Upload not found")
        require_open(held, video)
        if held.store_id is None:
            store_id = await services.store.open_multipart(
                ObjectKey(held.key),
                content_type=video["content_type"],
                metadata=arrivals.metadata(video["stream_id"], video["uploader_id"], video["filename"]),
                checksums=checksums,
            )
            await uploads.began(connection, held.id, store_id, checksums=checksums)
        await uploads.seen(connection, held.id)
        begun = await uploads.lock(connection, held.id)
    assert begun is not None  # noqa: S101 - its row is locked
    return begun


def require_open(upload: Upload, video: Video) -> None:
    if upload.state == "complete" or video["status"] != "uploading":
        raise already_complete()
    require_not_aborted(upload)


def require_not_aborted(upload: Upload) -> None:
    if upload.state == "aborted":
        raise Problem(409, "Upload aborted", ["open a new one"])


async def finish(services: Services, video: Video, upload: Upload, claims: Sequence[Claim] | None) -> None:
    """Put the parts together, exactly as many bytes as were announced, and begin to process them. Where it cannot be done,
    nothing is lost: the upload can be gone on with. Saying it again is fine."""
    if upload.state == "complete":
        return
    require_not_aborted(upload)
    await uploads.seen(services.pool, upload.id)
    parts = await arrived(services, video, upload)
    if parts is None:
        await _require_complete(services, upload)
        return
    require_open(upload, video)
    if faults := layout(upload).faults(parts):
        raise incomplete(*faults)
    if claims is not None and (lies := lies_in(claims, parts)):
        raise Problem(400, "Invalid upload parts", lies)
    try:
        assert upload.store_id is not None  # noqa: S101 - no parts without it
        stored = await services.store.complete_multipart(ObjectKey(upload.key), upload.store_id, parts)
    except Rejected as error:
        raise incomplete("the parts changed while they were put together; complete it again") from error
    except Conflict as error:
        raise already_complete() from error
    except NotFound as error:
        raise incomplete("the upload was aborted; open a new one") from error
    await arrivals.announce(services, video, stored, upload_id=upload.id)


async def _require_complete(services: Services, upload: Upload) -> None:
    """The store has ended it: because it became the file?"""
    found = await uploads.by_id(services.pool, upload.id, upload.video_id) if upload.video_id else None
    if found is None or found.state != "complete":
        raise incomplete("the store has lost what had arrived; open a new upload")


@dataclass(frozen=True, slots=True)
class Claim:
    """What a client believes to have sent."""

    number: int
    etag: str | None
    size_bytes: int | None
    sha256: str | None


def lies_in(claims: Sequence[Claim], parts: Sequence[Part]) -> list[str]:
    """Where the client's list differs from the store's, which decides."""
    there = {part.number: part for part in parts}
    numbers = [claim.number for claim in claims]
    if sorted(numbers) != sorted(there):
        return [f"the list has {len(numbers)} parts and is not that of the {len(there)} that have arrived"]
    return [
        f"part {claim.number} is not what has arrived" for claim in claims if not _true(claim, there[claim.number])
    ][:_NAMED]


def _true(claim: Claim, part: Part) -> bool:
    return (
        claim.etag in (None, part.etag)
        and claim.size_bytes in (None, part.size_bytes)
        and (claim.sha256 is None or part.sha256 is None or claim.sha256 == part.sha256)
    )


async def abort(services: Services, upload: Upload) -> None:
    """Give back what has arrived. Aborting twice is fine; what has become the video's file stays."""
    async with services.pool.acquire() as connection, connection.transaction():
        held = await uploads.lock(connection, upload.id)
        if held is None or held.state == "aborted":
            return
        if held.state == "complete":
            raise already_complete()
        if held.store_id is not None:
            await services.store.abort_multipart(ObjectKey(held.key), held.store_id)
        await uploads.end(connection, held.id, "aborted")
