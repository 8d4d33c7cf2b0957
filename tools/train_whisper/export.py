"""Write a checkpoint as the folder faster-whisper loads: int8 weights, tokenizer, checksums and the model's label.

python -m train_whisper.export /tmp/train/full.pt models/demo-whisper-tts-227w
"""

import argparse
import hashlib
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any, cast

import numpy as np
from ctranslate2.specs import whisper_spec
from torch import Tensor, nn

from train_whisper import vocabulary as vocabulary_module
from train_whisper.model import Attention, Block, TinyWhisper
from train_whisper.train import load
from train_whisper.vocabulary import vocabulary

VERSION = "1"
_WEIGHT_FILES = ("model.bin", "config.json", "vocabulary.json")

# ctranslate2 ships no types: the spec objects below are `Any`
Spec = Any


def _array(tensor: Tensor) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.ascontiguousarray(tensor.detach().float().numpy())


def _affine(spec: Spec, module: nn.Linear | nn.Conv1d) -> None:
    spec.weight, spec.bias = _array(module.weight), None if module.bias is None else _array(module.bias)


def _norm(spec: Spec, module: nn.LayerNorm) -> None:
    spec.gamma, spec.beta = _array(module.weight), _array(module.bias)


def _stacked(spec: Spec, modules: tuple[nn.Linear, ...]) -> None:
    """Several projections as one; a missing bias (the key's) becomes zeros."""
    spec.weight = np.concatenate([_array(module.weight) for module in modules])
    biases = (np.zeros(m.out_features, np.float32) if m.bias is None else _array(m.bias) for m in modules)
    spec.bias = np.concatenate(list(biases))


def _block(spec: Spec, block: Block) -> None:
    own: Attention = block.attention
    _norm(spec.self_attention.layer_norm, block.attention_norm)
    _stacked(spec.self_attention.linear[0], (own.query, own.key, own.value))
    _affine(spec.self_attention.linear[1], own.out)
    if block.cross is not None and block.cross_norm is not None:
        _norm(spec.attention.layer_norm, block.cross_norm)
        _affine(spec.attention.linear[0], block.cross.query)
        _stacked(spec.attention.linear[1], (block.cross.key, block.cross.value))
        _affine(spec.attention.linear[2], block.cross.out)
    _norm(spec.ffn.layer_norm, block.mlp_norm)
    _affine(spec.ffn.linear_0, block.mlp_in)
    _affine(spec.ffn.linear_1, block.mlp_out)


def _blocks(specs: list[Spec], blocks: nn.ModuleList) -> None:
    for spec, block in zip(specs, blocks, strict=True):
        _block(spec, cast("Block", block))


def ctranslate2_spec(model: TinyWhisper) -> Spec:
    """The model as CTranslate2 describes Whisper; the training-only heads are left out."""
    shape, encoder, decoder = model.shape, model.encoder, model.decoder
    spec = whisper_spec.WhisperSpec(shape.encoder_layers, shape.heads, shape.decoder_layers, shape.heads)
    _affine(spec.encoder.conv1, encoder.conv1)
    _affine(spec.encoder.conv2, encoder.conv2)
    spec.encoder.position_encodings.encodings = _array(encoder.positions)
    _norm(spec.encoder.layer_norm, encoder.norm)
    _blocks(spec.encoder.layer, encoder.blocks)
    spec.decoder.embeddings.weight = _array(decoder.embedding.weight)
    spec.decoder.position_encodings.encodings = _array(decoder.positions)
    _norm(spec.decoder.layer_norm, decoder.norm)
    _blocks(spec.decoder.layer, decoder.blocks)
    spec.decoder.projection.weight = _array(decoder.embedding.weight)
    return spec


def export(model: TinyWhisper, folder: Path, quantization: str = "int8") -> None:
    """Write every file of the model folder except its card."""
    layout = vocabulary()
    spec = ctranslate2_spec(model)
    spec.register_vocabulary(list(layout.tokens))
    spec.config.suppress_ids = []
    spec.config.suppress_ids_begin = [layout.space, layout.end]
    spec.config.lang_ids = []
    spec.config.alignment_heads = [
        [model.shape.decoder_layers - 1, head] for head in range(model.shape.alignment_heads)
    ]
    spec.validate()
    spec.optimize(quantization=quantization)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        spec.save(scratch)
        for name in _WEIGHT_FILES:
            shutil.copyfile(Path(scratch) / name, folder / name)
    vocabulary_module.write(folder)
    _label(folder)


def _label(folder: Path) -> None:
    label = {"name": folder.name, "version": VERSION, "kind": "demo", "sha256": _sha256(folder / "model.bin")}
    (folder / "model.json").write_text(json.dumps(label, indent=2) + "\n")
    files = sorted(path for path in folder.glob("*") if path.suffix in (".bin", ".json"))
    (folder / "SHA256SUMS").write_text("".join(f"{_sha256(path)}  {path.name}\n" for path in files))


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> None:
    """Command line entry."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    export(load(options.checkpoint), options.folder)
    sizes = {path.name: path.stat().st_size for path in sorted(options.folder.iterdir())}
    print(f"{options.folder}: {sizes}, {sum(sizes.values()) / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
