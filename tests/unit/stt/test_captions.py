"""WebVTT: cues that can be read, times that sort, text that cannot break out of its cue."""

from __future__ import annotations

from clipstream.common.contracts.documents import Segment, Word
from clipstream.stt.captions import MAX_CHARACTERS, MAX_SECONDS, to_webvtt


def segment(*words: str, start: float = 0.0, step: float = 0.4) -> Segment:
    timed = tuple(
        Word(text=f" {word}", start_s=start + i * step, end_s=start + (i + 1) * step, probability=0.9)
        for i, word in enumerate(words)
    )
    return Segment(id=0, track=1, start_s=start, end_s=timed[-1].end_s, text=" ".join(words), words=timed)


def cues(text: str) -> list[tuple[str, str]]:
    blocks = text.strip().split("\n\n")[1:]
    return [(block.splitlines()[0], "\n".join(block.splitlines()[1:])) for block in blocks]


def test_nothing_said_is_a_valid_file_without_cues() -> None:
    assert to_webvtt([]) == "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n"


def test_players_are_told_that_cues_count_from_the_beginning_of_the_clip() -> None:
    assert to_webvtt([segment("go")]).split("\n\n")[0] == "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000"


def test_a_segment_becomes_a_cue_with_its_times() -> None:
    assert cues(to_webvtt([segment("push", "left", start=3661.5)])) == [("01:01:01.500 --> 01:01:02.300", "push left")]


def test_long_speech_is_cut_between_words() -> None:
    found = cues(to_webvtt([segment(*["grenade"] * 40)]))
    assert len(found) > 2
    assert " ".join(text for _, text in found).split() == ["grenade"] * 40
    assert all(len(text) <= MAX_CHARACTERS for _, text in found)


def test_slow_speech_is_cut_by_time() -> None:
    found = cues(to_webvtt([segment("a", "b", "c", "d", step=MAX_SECONDS / 2)]))
    assert [text for _, text in found] == ["a b", "c d"]


def test_markup_is_escaped() -> None:
    spoken = Segment(id=0, track=0, start_s=0, end_s=1, text="<b>go</b> & hide -->")
    assert cues(to_webvtt([spoken]))[0][1] == "&lt;b&gt;go&lt;/b&gt; &amp; hide --&gt;"
