"""Chooses the encoder when a worker starts: hardware where a trial of it succeeds in time, else x264."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import structlog

from clipstream.common.errors import ClipstreamError
from clipstream.common.stage.context import Limits
from clipstream.common.stage.isolate import isolate
from clipstream.transcode.encoding.encoders import HARDWARE, devices
from clipstream.transcode.encoding.trial import try_encoder
from clipstream.transcode.planned import SOFTWARE

AUTO = "auto"
TRIAL_LIMIT = timedelta(seconds=20)
"""A card that has slept takes some seconds to wake; a driver that hangs never answers."""

_log = structlog.get_logger()


async def working_encoder(
    wanted: str, scratch: Path, *, trial: Callable[..., int] = try_encoder, limit: timedelta = TRIAL_LIMIT
) -> str:
    """The encoder that a setting leads to on this machine. `auto` tries what there is a device for, NVENC first; one that
    is named is tried in any case. Never raises for an encoder's sake: there is always x264, and the log says why."""
    if wanted == SOFTWARE:
        return SOFTWARE
    named = wanted != AUTO
    for encoder in (wanted,) if named else tuple(each for each in HARDWARE if devices(each)):
        limits = Limits(wall=limit, cpu=limit, memory_bytes=2 << 30, file_bytes=64 << 20, devices=devices(encoder))
        try:
            await isolate(trial, scratch=scratch, limits=limits, encoder=encoder)
        except ClipstreamError as error:
            _log.warning(
                "encoder_refused", encoder=encoder, reason=str(error), effect="the next one is tried, x264 last"
            )
        else:
            _log.info("encoder_chosen", encoder=encoder)
            return encoder
    _log.info("encoder_chosen", encoder=SOFTWARE)
    return SOFTWARE
