"""What is indexed, and how moments fold into similar clips."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from clipstream.common.contracts.documents import Embeddings, FrameVector, Segment, SpeechEngine, Transcript
from clipstream.search.processor import (
    collection_name,
    completions,
    fold_similar,
    frame_points,
    sample_evenly,
    spoken_rows,
)
from clipstream.search.query import runs

A, B, C = UUID(int=1), UUID(int=2), UUID(int=3)


def test_empty_and_unstorable_text_is_not_indexed() -> None:
    texts = ["push left", "   ", "be\0hind you", ""]
    segments = tuple(Segment(id=i, track=0, start_s=i, end_s=i + 1, text=t) for i, t in enumerate(texts))
    engine = SpeechEngine(name="e", version="1", model="m")
    rows = spoken_rows(Transcript(video_id=uuid4(), engine=engine, duration_s=9, segments=segments))
    assert [(row.number, row.text) for row in rows] == [(0, "push left"), (2, "behind you")]


def test_points_are_named_the_same_when_indexed_again() -> None:
    embeddings = Embeddings(
        video_id=A, model="m", version="1", dimension=2, frames=(FrameVector(t=0.5, vector=(1.0, 0.0)),) * 2
    )
    first, again = frame_points(embeddings), frame_points(embeddings)
    assert [p.id for p in first] == [p.id for p in again]
    assert len({p.id for p in first}) == 2
    assert frame_points(embeddings.model_copy(update={"version": "2"}))[0].id != first[0].id


def test_a_moment_counts_once_per_video_by_its_best_hit() -> None:
    folded = fold_similar([[(A, 0.9), (A, 0.8), (B, 0.5)], [(A, 0.7)]], limit=10)
    assert [(v.video_id, v.similarity) for v in folded] == [(A, 0.8), (B, 0.25)]


def test_ties_are_stable_and_the_limit_holds() -> None:
    assert [v.video_id for v in fold_similar([[(C, 0.5), (B, 0.5), (A, 0.5)]], limit=2)] == [A, B]


def test_sampling_keeps_both_ends() -> None:
    vectors = [(float(i),) for i in range(100)]
    sampled = sample_evenly(vectors, 5)
    assert len(sampled) == 5
    assert (sampled[0], sampled[-1]) == ((0.0,), (99.0,))


@pytest.mark.parametrize(
    ("model", "version", "name"),
    [("Frame-Descriptor", "1", "frames_frame_descriptor_1"), ("a/b", "v1.0", "frames_a_b_v1_0")],
)
def test_collections_are_named_by_model_and_version(model: str, version: str, name: str) -> None:
    assert collection_name(model, version) == name


def test_marked_text_is_cut_into_runs() -> None:
    assert runs("push \ue000left\ue001 side") == ["push ", "left", " side"]


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("br", ["bring", "bring it", "bridge", "push the bridge"]),
        ("push the br", ["push the bridge"]),
        ("Push  THE, br", ["push the bridge"]),
        ("bring it", ["bring it"]),
        ("don't", ["don't", "they don't see us"]),
        ("the push", []),
        ("ridge", []),
        ("", []),
        ("...", []),
        ("long", ["long"]),
    ],
)
def test_what_is_typed_becomes_what_was_said(typed: str, offered: list[str]) -> None:
    texts = [
        "Push the bridge!",
        "Bring it.",
        "bring it",
        "They don't see us",
        "a long one that nobody would ever type out",
    ]
    assert completions(texts, typed, 10) == offered


def test_completions_are_bounded() -> None:
    assert len(completions([f"word{n}" for n in range(50)], "word", 10)) == 10
