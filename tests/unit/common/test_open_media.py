"""The safe opening alone, without sniffing and without a cage: each of its controls holds by itself."""

from __future__ import annotations

from pathlib import Path

import av
import pytest
from av.error import FFmpegError

from clipstream.common.errors import Rejected
from clipstream.common.media.open import OpenLimits, open_media, tracks
from corpus import broken, tiny

TEXTS = [name for name in broken.CASES if name.startswith(("hls", "ffconcat", "sdp", "mpd", "srt", "text"))]


@pytest.mark.parametrize("name", TEXTS)
def test_a_playlist_is_no_container(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lure lies where a relative reference would find it; libav left to itself plays it for some of these."""
    monkeypatch.chdir(tmp_path)
    lure = broken.Lure(file=tmp_path / "victim.ts")
    broken.victim(lure.file)
    upload = tmp_path / broken.CASES[name].filename
    broken.CASES[name].build(upload, lure)
    with upload.open("rb") as file, pytest.raises(Rejected, match="not a media file"):
        open_media(file)


def test_libav_left_to_itself_does_read_a_neighbour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards the test above: were this to stop working, it would prove nothing any more."""
    monkeypatch.chdir(tmp_path)
    lure = broken.Lure(file=tmp_path / "victim.ts")
    broken.victim(lure.file)
    upload = tmp_path / "cat.mp4"
    broken.CASES["ffconcat_relative_file"].build(upload, lure)
    with av.open(str(upload)) as container:
        assert next(container.decode(video=0)).width == 320


@pytest.mark.parametrize("name", ["bomb", "bomb_hidden"])
def test_a_picture_too_large_is_never_decoded(name: str, tmp_path: Path) -> None:
    upload = tmp_path / "bomb.avi"
    broken.CASES[name].build(upload, broken.Lure())
    with upload.open("rb") as file, open_media(file) as container:
        with pytest.raises(Rejected, match="larger than 8K"):
            tracks(container)
        with pytest.raises(FFmpegError):
            next(container.decode(container.streams.video[0]))


def test_pixels_are_bounded_in_the_decoder_too(tmp_path: Path) -> None:
    tiny.write(tmp_path / "clip.mp4", audio=None)
    with (tmp_path / "clip.mp4").open("rb") as file, open_media(file, OpenLimits(max_pixels=1000)) as container:
        with pytest.raises(Rejected, match="320 × 240 pixels"):
            tracks(container, OpenLimits(max_pixels=1000))
        with pytest.raises(FFmpegError):
            next(container.decode(container.streams.video[0]))


@pytest.mark.parametrize("name", ["sixty_tracks", "sixty_tracks_mp4"])
def test_tracks_are_bounded(name: str, tmp_path: Path) -> None:
    upload = tmp_path / broken.CASES[name].filename
    broken.CASES[name].build(upload, broken.Lure())
    with upload.open("rb") as file, pytest.raises(Rejected, match="more than 32 tracks"):
        open_media(file)


def test_a_decoder_off_the_list_is_not_used(tmp_path: Path) -> None:
    upload = tmp_path / "magic.avi"
    broken.CASES["unsupported_codec"].build(upload, broken.Lure())
    with upload.open("rb") as file, open_media(file) as container:
        assert (
            container.streams.video[0].codec_context.width == 320 or container.streams.video[0].codec_context.width == 0
        )
        with pytest.raises(Rejected, match="magicyuv"):
            tracks(container)


def test_a_file_is_opened_without_its_name(tmp_path: Path) -> None:
    tiny.write(tmp_path / "clip.mp4", audio=None)
    with (tmp_path / "clip.mp4").open("rb") as file, open_media(file) as container:
        assert "clip" not in container.name


def test_the_shown_picture_and_all_sound_are_found(tmp_path: Path) -> None:
    tiny.write(tmp_path / "obs.mkv", audio_tracks=3)
    with (tmp_path / "obs.mkv").open("rb") as file, open_media(file) as container:
        found = tracks(container)
        assert found.video is not None
        assert found.video.index == 0
        assert [track.index for track in found.audio] == [1, 2, 3]
