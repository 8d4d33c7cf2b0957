"""Drivers of graphics cards, as a trial of an encoder meets them. Each function runs in a caged child in the trial's place."""

from __future__ import annotations

import ctypes
import time

from clipstream.common.errors import EncoderFailed
from clipstream.transcode.encoding.trial import try_encoder


def drive_well(*, encoder: str) -> int:
    """The trial of x264, under a card's name."""
    return try_encoder(encoder="libx264") if encoder != "libx264" else 0


def drive_badly(*, encoder: str) -> int:
    """What a driver does to the process that loads it, by the name of the encoder."""
    if encoder == "h264_qsv":
        time.sleep(600)
    if encoder == "h264_amf":
        ctypes.string_at(0)
    raise EncoderFailed("The pictures are green.")
