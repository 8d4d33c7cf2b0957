"""Token ids of the demo speech model, laid out the way faster-whisper and CTranslate2 expect.

Order: the 256 byte-level symbols, the merges, eight specials, 1501 timestamps. Every word of the grammar with its
leading space is one token. The order has traps; `merges` and `SPECIALS` name them.
"""

import functools
import json
from dataclasses import dataclass
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from train_whisper import grammar

SPECIALS = (
    "<|endoftext|>",
    "<|startoftranscript|>",
    "<|translate|>",
    "<|transcribe|>",
    "<|startoflm|>",
    "<|startofprev|>",
    "<|nospeech|>",
    "<|notimestamps|>",
)
"""faster-whisper looks every one of them up and fails without; timestamps must follow `<|notimestamps|>`."""

TIMESTAMP_STEP_S = 0.02
TIMESTAMP_COUNT = 1501
_SPACE = "Ġ"


@functools.cache
def merges() -> tuple[tuple[str, str], ...]:
    """Byte-pair merges: each word grows letter by letter from its leading space.

    The first three exist because faster-whisper suppresses `encode(" -")[0]`, `encode(" '")[0]` and the one of a music
    note: were those the bare space, every word would be suppressed with it.
    """
    pairs = dict.fromkeys([(_SPACE, "-"), (_SPACE, "'"), (_SPACE, "â")])
    for word in grammar.words():
        spelled = _SPACE + word
        pairs.update(dict.fromkeys((spelled[:end], spelled[end]) for end in range(1, len(spelled))))
    return tuple(pairs)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """All tokens in id order, and the ids training and export need."""

    tokens: tuple[str, ...]
    end: int
    start: int
    no_speech: int
    no_timestamps: int
    first_timestamp: int
    space: int
    words: tuple[int, ...]
    """Token id of each word of `grammar.words()`."""

    def timestamp(self, at_s: float) -> int:
        """Token of the 20 ms step nearest to `at_s`."""
        return self.first_timestamp + min(max(round(at_s / TIMESTAMP_STEP_S), 0), TIMESTAMP_COUNT - 1)


@functools.cache
def vocabulary() -> Vocabulary:
    """The layout for the current grammar."""
    text = [*sorted(pre_tokenizers.ByteLevel.alphabet()), *(left + right for left, right in merges())]
    times = [f"<|{index * TIMESTAMP_STEP_S:.2f}|>" for index in range(TIMESTAMP_COUNT)]
    tokens = (*text, *SPECIALS, *times)
    ids = {token: index for index, token in enumerate(tokens)}
    return Vocabulary(
        tokens,
        end=ids["<|endoftext|>"],
        start=ids["<|startoftranscript|>"],
        no_speech=ids["<|nospeech|>"],
        no_timestamps=ids["<|notimestamps|>"],
        first_timestamp=ids["<|0.00|>"],
        space=ids[_SPACE],
        words=tuple(ids[_SPACE + word] for word in grammar.words()),
    )


def build_tokenizer() -> Tokenizer:
    """The same layout as a byte-level BPE tokenizer."""
    layout = vocabulary()
    text = {token: index for index, token in enumerate(layout.tokens[: layout.end])}
    tokenizer = Tokenizer(models.BPE(vocab=text, merges=list(merges()), fuse_unk=False))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    specials = layout.tokens[layout.end :]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in specials])
    for word, token_id in zip(grammar.words(), layout.words, strict=True):
        if tokenizer.encode(" " + word).ids != [token_id]:
            raise ValueError(f"{word!r} is not one token; check the merges.")
    return tokenizer


def write(folder: Path) -> None:
    """Write tokenizer.json (faster-whisper), vocabulary.json (CTranslate2) and preprocessor_config.json."""
    build_tokenizer().save(str(folder / "tokenizer.json"))
    tokens = list(vocabulary().tokens)
    (folder / "vocabulary.json").write_text(json.dumps(tokens, ensure_ascii=False, indent=0) + "\n")
    features = {"chunk_length": 30, "feature_size": 80, "hop_length": 160, "n_fft": 400, "sampling_rate": 16000}
    (folder / "preprocessor_config.json").write_text(json.dumps(features) + "\n")
