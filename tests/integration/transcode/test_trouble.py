"""Media that is too long or no media at all, and encoders that fail. test_damage has what can partly be seen."""

from __future__ import annotations

import io
from functools import partial
from pathlib import Path

import pytest

from clipstream.common.errors import Permanent, Rejected
from clipstream.transcode.encoding.chunk import encode_chunk
from clipstream.transcode.encoding.rendition import VideoLane
from corpus.gameplay import render_clip
from integration.transcode.conftest import Transcode
from integration.transcode.whole import one_chunk, planned

small_clip = partial(render_clip, width=320, height=180)


def test_a_clip_that_goes_on_past_its_promise_ends_in_words(tmp_path: Path) -> None:
    clip = small_clip(tmp_path / "clip.mp4", seed=1, duration_s=3)
    plan = planned(clip, max_duration_s=2.0)
    with clip.open("rb") as media, pytest.raises(Permanent, match="longest clip"):
        one_chunk(media, plan, 1, tmp_path)


def test_what_is_no_media_is_refused(tmp_path: Path) -> None:
    plan = planned(small_clip(tmp_path / "clip.mp4", seed=1, duration_s=1))
    with pytest.raises(Rejected):
        one_chunk(io.BytesIO(b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1/a.ts\n" * 50), plan, 1, tmp_path)


def test_progress_rises_to_the_end(tmp_path: Path) -> None:
    clip = small_clip(tmp_path / "clip.mkv", seed=1, duration_s=4, first_s=500.0)
    plan = planned(clip)
    told: list[float] = []
    with clip.open("rb") as media:
        encode_chunk(media, scratch=tmp_path, plan=plan, number=1, emit=lambda _: None, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_an_encoder_that_fails_ends_the_work(
    tmp_path: Path, transcoded: Transcode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not with a deadlock: the other threads wait on bounded queues."""

    def fail(self: VideoLane, item: object) -> None:
        raise RuntimeError("the encoder broke")

    monkeypatch.setattr(VideoLane, "_take", fail)
    clip = small_clip(tmp_path / "clip.mp4", seed=1, duration_s=2)
    with pytest.raises(RuntimeError, match="the encoder broke"):
        transcoded(clip)
