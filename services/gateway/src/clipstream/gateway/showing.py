"""What a share shows of its clip, and where: read from the clip's rows for its page, its player and oEmbed."""

from __future__ import annotations

from aiohttp import web
from asyncpg import Pool, Record
from yarl import URL

from clipstream.gateway.pages import ShownClip, State
from clipstream.gateway.playing import playlist
from clipstream.gateway.repository import videos
from clipstream.gateway.repository.shares import Share
from clipstream.gateway.services import Services
from clipstream.gateway.views import fact

WIDE = (1280, 720)
ENDED = ("failed", "rejected", "duplicate")


async def look(pool: Pool, share: Share) -> Record | None:
    """The clip that is shared."""
    return await videos.by_id(pool, share.video_id)


def size(row: Record, most: tuple[int, int] = WIDE) -> tuple[int, int]:
    """Width and height of a frame that the clip fills, within `most`; 16:9 where the picture is not known yet."""
    picture = fact(row, "media").get("video") or {}
    width, height = picture.get("width") or WIDE[0], picture.get("height") or WIDE[1]
    scale = min(most[0] / width, most[1] / height)
    return max(round(width * scale), 1), max(round(height * scale), 1)


def shown(services: Services, request: web.Request, code: str, share: Share, row: Record, playing: Record) -> ShownClip:
    """The clip as its page shows it; `playing` is the clip whose renditions play."""
    page_url = services.api_url(request, f"/share/{code}")
    base = f"/media/{services.media.token(playing['id'], share=share.id)}/{playing['id']}"
    name = playlist(playing) if playing["status"] not in ENDED else None
    width, height = size(playing)
    return ShownClip(
        title=row["title"],
        uploader=row["uploader_name"],
        state=_state(playing, name),
        start_time=share.start_time,
        duration=round(playing["duration_s"]) if playing["duration_s"] else None,
        width=width,
        height=height,
        playlist=f"{base}/{name}" if name else None,
        captions=f"{base}/captions.vtt" if name and fact(playing, "transcript").get("segments") else None,
        picture=f"/share/{code}/thumbnail",
        picture_url=f"{page_url}/thumbnail",
        page_url=page_url,
        embed_url=f"{page_url}/embed",
        oembed_url=str(URL(services.api_url(request, "/oembed")).with_query(url=page_url, format="json")),
    )


def _state(row: Record, name: str | None) -> State:
    if name is not None:
        return "playable"
    return "processing" if row["status"] in ("uploading", "processing") else "ended"
