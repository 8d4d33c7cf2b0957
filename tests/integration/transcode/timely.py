"""What it means that pictures and sound of an output are right: each picture when it is due, the beeps beside it to the
end, and every segment a place to start from."""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Sequence
from fractions import Fraction

import av

from clipstream.transcode.cmaf.boxes import walk
from corpus import beeps
from integration.transcode.watched import Stream, Times, Watched

COPIED_S = Fraction(1, 200)
"""How far a copied picture may be off: the rounding of containers whose clock has milliseconds."""


def assert_in_time(seen: Watched, times: Times, origin: Fraction = Fraction(0)) -> None:
    """Every picture is the one that is due at its time, give or take one output frame, to the very end.

    `times[n]` is when the source shows picture n, `origin` where on that clock the output begins."""
    for stream in seen.videos:
        _assert_due(stream, times, origin, 1 / stream.rate())
    for stream in seen.copies:
        _assert_due(stream, times, origin, COPIED_S)


def _assert_due(stream: Stream, times: Times, origin: Fraction, give: Fraction) -> None:
    numbers, at = stream.numbers(), stream.shown_at()
    assert len(numbers) == len(at), f"{stream.name}: {len(at)} samples make {len(numbers)} pictures"
    for number, shown_s in zip(numbers, at, strict=True):
        assert number is not None, f"{stream.name} at {float(shown_s):.3f} s: not one whole upright picture"
        earliest, latest = (max(0, bisect_right(times, origin + shown_s + by) - 1) for by in (-give, give))
        assert earliest <= number <= latest, (
            f"{stream.name} at {float(shown_s):.3f} s: {number}, not {earliest}-{latest}"
        )
    assert at[-1] >= times[-1] - origin - give, f"{stream.name} ends at {float(at[-1]):.3f} s"


def assert_together(seen: Watched, times: Times, beeps_s: Sequence[float], origin: Fraction = Fraction(0)) -> None:
    """Sound and the last picture are as far apart as they were in the source, within one output frame."""
    heard, due = beeps.beeps(seen.sound), [at_s for at_s in beeps_s if at_s >= origin]
    assert len(heard) == len(due), f"beeps at {heard}, not at {due}"
    for stream in (*seen.videos, *seen.copies):
        numbers, at = stream.numbers(), stream.shown_at()
        last = max(number for number in numbers if number is not None)
        late_s = float(at[numbers.index(last)]) - float(times[last] - origin)
        frame_s = float(1 / seen.video.rate())
        for heard_s, due_s in zip(heard, due, strict=True):
            offset_s = heard_s - (due_s - float(origin)) - late_s
            assert abs(offset_s) <= frame_s, (
                f"the beep at {due_s} s is {offset_s:.4f} s behind {stream.name}'s pictures"
            )


def assert_playable(seen: Watched) -> None:
    """Every segment begins with an IDR picture and can be decoded, all of it, behind the init alone."""
    for stream in (*seen.videos, *seen.copies):
        assert b"elst" not in stream.init, f"{stream.name} has an edit list, which players read differently"
        assert stream.shown_at()[0] >= 0
        for number, segment in enumerate(stream.segments):
            assert first_slice_is_idr(segment), f"segment {number} of {stream.name} begins without an IDR picture"
            with av.open(io.BytesIO(stream.init + segment), "r") as container:
                frames = list(container.decode(video=0))
            samples = sum(int.from_bytes(body[4:8], "big") for kind, body in walk(segment) if kind == b"trun")
            assert len(frames) == samples, f"segment {number} of {stream.name}: {len(frames)} of {samples} pictures"
            assert not any(frame.is_corrupt for frame in frames)


def first_slice_is_idr(segment: bytes) -> bool:
    """Whether the first coded slice behind the first mdat's header is of an IDR picture (NAL unit type 5)."""
    place = segment.index(b"mdat") + 4
    while place + 5 <= len(segment):
        size, kind = int.from_bytes(segment[place : place + 4], "big"), segment[place + 4] & 0x1F
        if kind in (1, 5):
            return kind == 5
        place += 4 + size
    return False
