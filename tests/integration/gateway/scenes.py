"""One of each thing that a route's path can name, so that the access matrix can be walked."""

from __future__ import annotations

from integration.gateway.conftest import Friends, stream_of
from integration.gateway.world import World

# A name that never resolves (RFC 6761): nothing is really sent.
WEBHOOK = {"url": "https://receiver.invalid/hook", "events": ["video.ready"]}


async def scene(world: World, friends: Friends, *, fresh: bool = False) -> dict[str, str]:
    """Ids by the names that paths give them. `fresh`: in a stream made for this one request."""
    stream_id = await stream_of(world, vars(friends)) if fresh else friends.stream_id
    video_id = await world.ready(friends.uploader, stream_id)
    share = await friends.uploader.post(f"/videos/{video_id}/share", {})
    webhook = await friends.owner.post(f"/streams/{stream_id}/webhooks", WEBHOOK)
    webhook_id = webhook.json["id"]
    delivery = await friends.owner.post(f"/streams/{stream_id}/webhooks/{webhook_id}/test")
    return {
        "stream_id": stream_id,
        "video_id": str(video_id),
        "share_code": share.json["code"],
        "webhook_id": webhook_id,
        "delivery_id": delivery.json["id"],
    }
