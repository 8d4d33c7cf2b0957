"""What the engine says on gunfire, music and silence is often invented. These rules drop it, and say why."""

from __future__ import annotations

from collections import Counter

from clipstream.common.contracts.documents import Segment

MAX_COMPRESSION_RATIO = 2.4
MIN_LOG_PROBABILITY = -1.0
MAX_NO_SPEECH = 0.6
MAX_REPEATS = 4


def reason_to_drop(segment: Segment, duration_s: float) -> str | None:
    """Why this segment is not kept, or None. Thresholds are Whisper's own (OpenAI, whisper/transcribe.py) where it has one."""
    if segment.no_speech_probability > MAX_NO_SPEECH and segment.mean_log_probability < MIN_LOG_PROBABILITY:
        return "probably no speech"
    if segment.compression_ratio > MAX_COMPRESSION_RATIO:
        return "repeats itself"
    if segment.end_s <= segment.start_s or segment.start_s >= duration_s:
        return "lies outside the clip"
    if _loops(segment.text):
        return "repeats itself"
    return None


def _loops(text: str) -> bool:
    words = text.lower().split()
    for size in range(2, 5):
        grams = Counter(tuple(words[i : i + size]) for i in range(len(words) - size + 1))
        if grams and max(grams.values()) >= MAX_REPEATS:
            return True
    return False
