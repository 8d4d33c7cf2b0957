"""Builds models/frame-descriptor-v1: what a frame looks like, as a vector, by a fixed function written as an ONNX graph.

Nothing is learned and nothing is downloaded; the same script gives the same bytes. Input `frames`: uint8 [n, 64, 64, 3],
RGB. Output `vectors`: float32 [n, 169] of unit length, for the inner product. Three parts, each of unit length before they
are weighted:

- edges (128): strength along 8 directions in a 4x4 grid (after Dalal and Triggs, CVPR 2005), root-compressed and centred;
- layout (20) and colour (20): the lowest DCT coefficients of an 8x8 thumbnail in YCbCr (after MPEG-7's Color Layout
  Descriptor); brightness itself is left out;
- one constant, so that a black frame has a direction, too.
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, NodeProto, TensorProto, checker, helper, numpy_helper

NAME, VERSION = "frame-descriptor", "1"
SIDE = 64
DIRECTIONS, CELLS, THUMB = 8, 4, 8
LAYOUT = [(u, v) for u in range(6) for v in range(6) if 0 < u + v <= 5]
COLOUR = [(u, v) for u in range(4) for v in range(4) if u + v <= 3]
WEIGHTS = {"edges": 1.0, "layout": 0.7, "colour": 0.8}
FLOOR = 0.02
DIMENSION = DIRECTIONS * CELLS * CELLS + len(LAYOUT) + 2 * len(COLOUR) + 1
OPSET, IR = 17, 9

Array = npt.NDArray[np.float32]


def constants() -> dict[str, npt.NDArray[np.float32] | npt.NDArray[np.int64]]:
    """Every number of the graph, rounded, so that no machine's cosine changes a byte."""
    rgb_to_ycbcr = [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]]
    angles = [2 * math.pi * k / DIRECTIONS for k in range(DIRECTIONS)]
    sobel_x = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 4
    along = [math.cos(a) * sobel_x + math.sin(a) * sobel_x.T for a in angles]
    return {
        "scale": _rounded(1 / 255),
        "to_ycbcr": _rounded(np.array(rgb_to_ycbcr).reshape(3, 3, 1, 1)),
        "along": _rounded(np.array(along).reshape(DIRECTIONS, 1, 3, 3)),
        "layout_basis": _rounded(_basis(LAYOUT)),
        "colour_basis": _rounded(_basis(COLOUR)),
        "small": _rounded(1e-4),
        "floor": _rounded(FLOOR),
        "flat": np.array([0, -1], np.int64),
        "thumbs": np.array([0, 3, THUMB * THUMB], np.int64),
        "first": np.array([0], np.int64),
        "second": np.array([1], np.int64),
        "third": np.array([3], np.int64),
        "channels": np.array([1], np.int64),
        **{f"weight_{part}": _rounded(weight) for part, weight in WEIGHTS.items()},
    }


def _rounded(values: object) -> Array:
    return np.round(np.asarray(values, np.float64), 6).astype(np.float32)


def _basis(frequencies: list[tuple[int, int]]) -> npt.NDArray[np.float64]:
    """Columns that give the wanted coefficients of a flattened thumbnail's two-dimensional DCT-II."""
    place = np.arange(THUMB) + 0.5

    def wave(u: int) -> npt.NDArray[np.float64]:
        scale = math.sqrt((1 if u == 0 else 2) / THUMB)
        return np.array([scale * math.cos(math.pi * u * x / THUMB) for x in place])

    return np.stack([np.outer(wave(u), wave(v)).ravel() for u, v in frequencies], axis=1)


def nodes() -> list[NodeProto]:
    make = helper.make_node
    cell, thumb = SIDE // CELLS, SIDE // THUMB
    return [
        make("Cast", ["frames"], ["as_float"], to=TensorProto.FLOAT),
        make("Mul", ["as_float", "scale"], ["unit"]),
        make("Transpose", ["unit"], ["rgb"], perm=[0, 3, 1, 2]),
        make("Conv", ["rgb", "to_ycbcr"], ["ycbcr"]),
        make("Slice", ["ycbcr", "first", "second", "channels"], ["luma"]),
        make("Conv", ["luma", "along"], ["slopes"], pads=[1, 1, 1, 1]),
        make("Relu", ["slopes"], ["uphill"]),
        make("AveragePool", ["uphill"], ["pooled"], kernel_shape=[cell, cell], strides=[cell, cell]),
        make("Sqrt", ["pooled"], ["compressed"]),
        make("Reshape", ["compressed", "flat"], ["edges_flat"]),
        make("ReduceMean", ["edges_flat"], ["edges_mean"], axes=[1], keepdims=1),
        make("Sub", ["edges_flat", "edges_mean"], ["edges"]),
        make("AveragePool", ["ycbcr"], ["thumbnail"], kernel_shape=[thumb, thumb], strides=[thumb, thumb]),
        make("Reshape", ["thumbnail", "thumbs"], ["thumb_flat"]),
        make("Slice", ["thumb_flat", "first", "second", "channels"], ["thumb_luma"]),
        make("Slice", ["thumb_flat", "second", "third", "channels"], ["thumb_chroma"]),
        make("MatMul", ["thumb_luma", "layout_basis"], ["layout_boxed"]),
        make("Reshape", ["layout_boxed", "flat"], ["layout"]),
        make("MatMul", ["thumb_chroma", "colour_basis"], ["colour_boxed"]),
        make("Reshape", ["colour_boxed", "flat"], ["colour"]),
        *(node for part in WEIGHTS for node in _weighted(part)),
        make("ReduceMean", ["edges_mean"], ["any_mean"], axes=[1], keepdims=1),
        make("Mul", ["any_mean", "nothing"], ["zero"]),
        make("Add", ["zero", "floor"], ["constant"]),
        make("Concat", [*(f"{part}_weighted" for part in WEIGHTS), "constant"], ["joined"], axis=1),
        make("ReduceL2", ["joined"], ["length"], axes=[1], keepdims=1),
        make("Div", ["joined", "length"], ["vectors"]),
    ]


def _weighted(part: str) -> list[NodeProto]:
    make = helper.make_node
    return [
        make("ReduceL2", [part], [f"{part}_length"], axes=[1], keepdims=1),
        make("Add", [f"{part}_length", "small"], [f"{part}_bounded"]),
        make("Div", [part, f"{part}_bounded"], [f"{part}_unit"]),
        make("Mul", [f"{part}_unit", f"weight_{part}"], [f"{part}_weighted"]),
    ]


def build() -> bytes:
    """The model file's bytes."""
    values = {**constants(), "nothing": _rounded(0.0)}
    graph = helper.make_graph(
        nodes(),
        NAME,
        [helper.make_tensor_value_info("frames", TensorProto.UINT8, ["n", SIDE, SIDE, 3])],
        [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["n", DIMENSION])],
        [numpy_helper.from_array(value, name) for name, value in values.items()],
    )
    model: ModelProto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
    model.producer_name, model.producer_version = "clipstream tools/build_frame_model.py", VERSION
    checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def card(model: bytes) -> str:
    """`model.json`: what travels with the vectors, and what the file must be."""
    facts = {
        "name": NAME,
        "version": VERSION,
        "dimension": DIMENSION,
        "input": {"width": SIDE, "height": SIDE, "layout": "NHWC", "type": "uint8", "colour": "RGB"},
        "sha256": hashlib.sha256(model).hexdigest(),
        "made_by": "tools/build_frame_model.py: a fixed function, nothing learned",
    }
    return json.dumps(facts, indent=2) + "\n"


def main() -> None:
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "models" / f"{NAME}-v{VERSION}"
    directory.mkdir(parents=True, exist_ok=True)
    model = build()
    (directory / "model.onnx").write_bytes(model)
    (directory / "model.json").write_text(card(model))


if __name__ == "__main__":
    main()
