"""One of each thing that a route's path can name, so that the access matrix can be walked."""

from __future__ import annotations

from uuid import uuid4

from clipstream.common.contracts.ids import VideoId
from integration.gateway.conftest import Friends, stream_of
from integration.gateway.world import World

# A name that never resolves (RFC 6761): nothing is really sent.
WEBHOOK = {"url": "https://receiver.invalid/hook", "events": ["video.ready"]}


async def scene(world: World, friends: Friends, *, fresh: bool = False) -> dict[str, str]:
    """Ids by the names that paths give them. `fresh`: in a stream made for this one request."""
    stream_id = await stream_of(world, vars(friends)) if fresh else friends.stream_id
    video_id = await world.ready(friends.uploader, stream_id)
    share = await friends.uploader.post(f"/videos/{video_id}/share", {})
    webhook_id = (await friends.owner.post(f"/streams/{stream_id}/webhooks", WEBHOOK)).json["id"]
    delivery = await friends.owner.post(f"/streams/{stream_id}/webhooks/{webhook_id}/test")
    invite = await friends.owner.post(f"/streams/{stream_id}/invites", {"role": "viewer"})
    return {
        "stream_id": stream_id,
        "video_id": str(video_id),
        "user_id": str(friends.viewer.user_id),
        "code": invite.json["code"],
        "share_code": share.json["code"],
        "webhook_id": webhook_id,
        "delivery_id": delivery.json["id"],
        "key_id": await _key(world, friends),
        "upload_id": await _upload(world, video_id),
    }


async def _key(world: World, friends: Friends) -> str:
    """An API key of the uploader's. It is too old to be used, so that of all these none counts as one of theirs."""
    return str(
        await world.pool.fetchval(
            "INSERT INTO api_keys (id, user_id, name, hint, hash, scopes, expires_at) "
            "VALUES ($1, $2, 'a script', 'csk_', $3, '{read}', now()) RETURNING id",
            uuid4(),
            friends.uploader.user_id,
            uuid4().bytes,
        )
    )


async def _upload(world: World, video_id: VideoId) -> str:
    """A chunked upload that was given up."""
    return str(
        await world.pool.fetchval(
            "INSERT INTO uploads (id, video_id, key, size_bytes, part_size, state) "
            "SELECT gen_random_uuid(), id, key, size_bytes, 1, 'aborted' FROM videos WHERE id = $1 RETURNING id",
            video_id,
        )
    )
