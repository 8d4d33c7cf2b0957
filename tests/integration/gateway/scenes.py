"""One of each thing that a route's path can name, so that the access matrix can be walked."""

from __future__ import annotations

from uuid import uuid4

from integration.gateway.conftest import Friends, stream_of
from integration.gateway.world import World


async def scene(world: World, friends: Friends, *, fresh: bool = False) -> dict[str, str]:
    """Ids by the names that paths give them. `fresh`: in a stream made for this one request."""
    stream_id = await stream_of(world, vars(friends)) if fresh else friends.stream_id
    video_id = await world.ready(friends.uploader, stream_id)
    invite = await friends.owner.post(f"/streams/{stream_id}/invites", {"role": "viewer"})
    return {
        "stream_id": stream_id,
        "video_id": str(video_id),
        "user_id": str(friends.viewer.user_id),
        "code": invite.json["code"],
        "key_id": await _key(world, friends),
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
