"""Which files are the same clip: hashes over real remuxes."""

from __future__ import annotations

import hashlib
import io
from functools import partial
from pathlib import Path

import av
import pytest

from clipstream.dedupe.processor import Fingerprint, fingerprint
from corpus.gameplay import cut, remux, render_audio, render_clip

small_clip = partial(render_clip, width=320, height=180, duration_s=2)


def prints(path: Path) -> Fingerprint:
    with path.open("rb") as media:
        return fingerprint(media, content_hash=None)


def packets(path: Path) -> str:
    return prints(path).packet_hash


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return small_clip(tmp_path / "clip.mp4", seed=1, gop=30, b_frames=2)


def test_the_content_hash_is_that_of_the_whole_file(clip: Path) -> None:
    assert prints(clip).content_hash == f"sha256:{hashlib.sha256(clip.read_bytes()).hexdigest()}"


def test_a_content_hash_that_is_known_is_kept(clip: Path) -> None:
    with clip.open("rb") as media:
        assert fingerprint(media, content_hash="sha256:abc").content_hash == "sha256:abc"


def test_a_well_laid_file_is_read_once(tmp_path: Path) -> None:
    clip = small_clip(tmp_path / "clip.mp4", seed=1, container_options={"movflags": "faststart"})
    body = clip.read_bytes()

    class Counting(io.BytesIO):
        total = 0

        def read(self, size: int | None = -1) -> bytes:
            data = super().read(size)
            Counting.total += len(data)
            return data

    made = fingerprint(Counting(body), content_hash=None)
    assert made.content_hash == f"sha256:{hashlib.sha256(body).hexdigest()}"
    assert Counting.total < 1.5 * len(body) + (1 << 20)


@pytest.mark.parametrize("chain", [[".mkv"], [".mkv", ".mp4"], [".mov"], [".flv"], [".flv", ".mkv", ".mov", ".mp4"]])
def test_a_remuxed_copy_has_the_same_packets(tmp_path: Path, clip: Path, chain: list[str]) -> None:
    copy = clip
    for number, suffix in enumerate(chain):
        copy = remux(copy, tmp_path / f"copy{number}{suffix}")
    assert prints(copy).content_hash != prints(clip).content_hash
    assert packets(copy) == packets(clip)


def test_start_codes_and_lengths_are_the_same_clip(tmp_path: Path) -> None:
    annex_b = small_clip(tmp_path / "clip.avi", seed=1, video_codec="libx264")
    with av.open(str(annex_b)) as container:
        assert (container.streams.video[0].codec_context.extradata or b"").startswith(b"\0\0")
    assert packets(remux(annex_b, tmp_path / "copy.mp4")) == packets(annex_b)


def test_hevc_and_ten_bits(tmp_path: Path) -> None:
    clip = small_clip(tmp_path / "clip.mp4", seed=1, video_codec="libx265", pixel_format="yuv420p10le")
    assert packets(remux(clip, tmp_path / "copy.mkv")) == packets(clip)


def test_vp9_and_opus(tmp_path: Path) -> None:
    clip = small_clip(tmp_path / "clip.webm", seed=1)
    assert packets(remux(clip, tmp_path / "copy.mkv")) == packets(clip)


def test_sound_with_and_without_adts(tmp_path: Path) -> None:
    bare = render_audio(tmp_path / "voice.m4a", seed=1, duration_s=2)
    assert packets(remux(bare, tmp_path / "voice.aac")) == packets(bare)


@pytest.mark.parametrize(("start_s", "end_s"), [(0.0, 1.0), (1.0, 2.0)])
def test_a_part_is_another_clip(tmp_path: Path, clip: Path, start_s: float, end_s: float) -> None:
    part = cut(clip, tmp_path / "part.mp4", start_s=start_s, end_s=end_s)
    assert packets(part) != packets(clip)


def test_other_pictures_sound_or_coding_are_another_clip(tmp_path: Path, clip: Path) -> None:
    others = [
        small_clip(tmp_path / "seed.mp4", seed=2, gop=30, b_frames=2),
        small_clip(tmp_path / "silent.mp4", seed=1, gop=30, b_frames=2, audio=False),
        small_clip(tmp_path / "gop.mp4", seed=1, gop=20, b_frames=2),
    ]
    assert len({packets(clip), *map(packets, others)}) == 4


def test_one_changed_picture_is_another_clip(tmp_path: Path, clip: Path) -> None:
    with av.open(str(clip)) as container:
        spot = [(p.pos, p.size) for p in container.demux(video=0) if p.pos is not None and p.size > 60][20]
    body = bytearray(clip.read_bytes())
    body[spot[0] + spot[1] // 2] ^= 1
    changed = tmp_path / "changed.mp4"
    changed.write_bytes(body)
    assert packets(changed) != packets(clip)


def test_other_metadata_are_the_same_clip(tmp_path: Path, clip: Path) -> None:
    with av.open(str(clip)) as reader, av.open(str(tmp_path / "tagged.mp4"), "w") as writer:
        writer.metadata["title"] = "best clip ever"
        copies = {s.index: writer.add_stream_from_template(s) for s in reader.streams}
        for packet in reader.demux():
            if packet.size:
                packet.stream = copies[packet.stream_index]
                writer.mux(packet)
    assert packets(tmp_path / "tagged.mp4") == packets(clip)
