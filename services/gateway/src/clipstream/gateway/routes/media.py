"""Media by signed path: playlists, segments, captions. The token in the path is good for one video, as long as whoever it
was made for may see that; its playlists' relative addresses inherit it."""

from __future__ import annotations

import re
from typing import ClassVar
from uuid import UUID

from aiohttp import web

from clipstream.common.contracts import keys
from clipstream.common.contracts.ids import VideoId
from clipstream.common.errors import NotFound, Permanent
from clipstream.gateway.access import Access
from clipstream.gateway.problems import Problem
from clipstream.gateway.routes.api import Call, Path, RouteTable
from clipstream.gateway.serving import serve_object

table = RouteTable("media")

TYPES = {
    ".m3u8": "application/vnd.apple.mpegurl",
    ".mpd": "application/dash+xml",
    ".mp4": "video/mp4",
    ".m4s": "video/iso.segment",
    ".m4a": "audio/mp4",
    ".vtt": "text/vtt; charset=utf-8",
    ".jpg": "image/jpeg",
}
# Names as the stages make them: parts of letters, digits, - _ and inner dots; no part can climb.
_NAME = re.compile(r"^(?:[A-Za-z0-9_-]+/){0,6}[A-Za-z0-9_-]+(?P<ending>\.[a-z0-9]{2,4})$")
# Below segments/ every name holds the plan and the run that made it: what is there never changes.
_FOREVER = "private, max-age=31536000, immutable"
_REVALIDATE = "private, no-cache"


class MediaPath(Path):
    missing: ClassVar[str] = "Not found"
    token: str
    video_id: UUID
    name: str


@table.route(
    "GET",
    "/media/{token}/{video_id}/{name:.+}",
    access=Access.SIGNED,
    content=tuple(kind.partition(";")[0] for kind in TYPES.values()),
    errors={403: "Invalid or expired media address", 416: "Range not satisfiable"},
)
async def get_media(call: Call, path: MediaPath) -> web.StreamResponse:
    """A playlist, segment or caption file of one video"""
    holder = call.services.media.holder(path.token, path.video_id)
    if holder is None or not await call.services.watching.allowed(holder, path.video_id):
        raise Problem(403, "Invalid or expired media address")
    match = _NAME.match(path.name)
    if match is None or match["ending"] not in TYPES:
        raise Problem(404, "Not found")
    cache = _FOREVER if path.name.startswith("segments/") else _REVALIDATE
    try:
        return await serve_object(
            call.request,
            call.services.store,
            keys.processed(VideoId(path.video_id), path.name),
            content_type=TYPES[match["ending"]],
            cache_control=cache,
        )
    except (NotFound, Permanent) as error:
        raise Problem(404, "Not found") from error
