"""Words from the gateway to whoever works now. They are no facts: nobody stores them, and whoever does not hear one loses
only time."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from clipstream.common.contracts.events import Stage
from clipstream.common.contracts.ids import EventId, VideoId


class StopOrder(BaseModel):
    """Stop working on a video, or on one stage of it.

    `chains` are the correlation ids of the work that is no longer wanted. Work that is begun anew later has another one,
    so that an order which is remembered for long never stops it.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    video_id: VideoId
    stage: Stage | None = None
    chains: tuple[EventId, ...]
