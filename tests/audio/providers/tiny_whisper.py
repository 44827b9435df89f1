"""A Whisper model of our own, made in a second at test time: it says one sentence, whatever it hears.

It has the format and the special tokens of the real ones, so that all of faster-whisper's loading and
decoding code runs, 32 dimensions instead of 768, and no vocabulary but its sentence and the alphabet.
CTranslate2 takes it for an English-only model, so the choice of language is the one thing not exercised.

Its weights are chosen, not trained: attention and feed-forward add nothing, so what remains of the
decoder is "after this token, that token", written into the embedding and the projection.
"""

import itertools
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tokenizers
from ctranslate2.specs.whisper_spec import WhisperSpec  # type: ignore[import-untyped]  # ships no types
from tokenizers.pre_tokenizers import ByteLevel

SPECIAL = (
    "<|endoftext|>",
    "<|startoftranscript|>",
    "<|en|>",
    "<|fr|>",
    "<|translate|>",
    "<|transcribe|>",
    "<|startoflm|>",
    "<|startofprev|>",
    "<|nospeech|>",
    "<|notimestamps|>",
)
WIDTH = 32
MEL_BANDS = 80


def make(folder: Path, says: Sequence[str]) -> Path:
    """Write the model into ``folder``, and return that; ``says`` are its words, each one once."""
    letters = ByteLevel(add_prefix_space=False, use_regex=False)
    words = [letters.pre_tokenize_str(word if at == 0 else f" {word}")[0][0] for at, word in enumerate(says)]
    timestamps = [f"<|{number * 0.02:.2f}|>" for number in range(1501)]
    # The order matters: from <|startoftranscript|> to <|notimestamps|> without a gap, then the timestamps.
    tokens = [*sorted(ByteLevel.alphabet()), *words, *SPECIAL, *timestamps]
    number_of = {token: number for number, token in enumerate(tokens)}

    chain = ["<|notimestamps|>", *words, "<|endoftext|>"]
    after = dict(itertools.pairwise(chain))
    after["<|startoftranscript|>"] = "<|fr|>"  # and so not <|nospeech|>
    embedding = np.zeros((len(tokens), WIDTH), dtype=np.float32)
    projection = np.zeros((len(tokens), WIDTH), dtype=np.float32)
    for axis, (token, following) in enumerate(after.items()):
        embedding[number_of[token], axis] = 1.0
        projection[number_of[following], axis] = 6.0

    model = WhisperSpec(num_encoder_layers=1, num_encoder_heads=2, num_decoder_layers=1, num_decoder_heads=2)
    _fill(model.encoder, frames=1500)
    model.encoder.conv1.weight = np.zeros((WIDTH, MEL_BANDS, 3), dtype=np.float32)
    model.encoder.conv2.weight = np.zeros((WIDTH, WIDTH, 3), dtype=np.float32)
    _fill(model.decoder, frames=448)
    model.decoder.embeddings.weight = embedding
    model.decoder.projection.weight = projection
    model.config.suppress_ids, model.config.suppress_ids_begin = [], []
    model.config.lang_ids = [number_of["<|en|>"], number_of["<|fr|>"]]
    model.config.alignment_heads = [(0, 0)]
    model.register_vocabulary(tokens)
    model.validate()
    folder.mkdir(parents=True, exist_ok=True)
    model.save(str(folder))

    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=number_of, merges=[]))
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    tokenizer.add_special_tokens([*SPECIAL, *timestamps])
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "preprocessor_config.json").write_text(
        json.dumps({"feature_size": MEL_BANDS, "sampling_rate": 16000, "hop_length": 160, "chunk_length": 30})
    )
    return folder


def _fill(side, frames: int) -> None:  # type: ignore[no-untyped-def]  # CTranslate2's specs are untyped
    """Weights with which ``side`` of the model hands on what it is given."""
    zeros = np.zeros
    side.position_encodings.encodings = zeros((frames, WIDTH), dtype=np.float32)
    _level(side.layer_norm)
    for layer in side.layer:
        blocks = [layer.self_attention] + ([layer.attention] if hasattr(layer, "attention") else [])
        for block in blocks:
            _level(block.layer_norm)
            for number, linear in enumerate(block.linear):
                # queries, keys and values are one matrix in self-attention; keys and values in the other
                parts = {3: (1, 2, 1), 2: (3, 1)}[len(block.linear)][number]
                linear.weight = zeros((parts * WIDTH, WIDTH), dtype=np.float32)
                linear.bias = zeros(parts * WIDTH, dtype=np.float32)
        _level(layer.ffn.layer_norm)
        for linear in (layer.ffn.linear_0, layer.ffn.linear_1):
            linear.weight = zeros((WIDTH, WIDTH), dtype=np.float32)
            linear.bias = zeros(WIDTH, dtype=np.float32)


def _level(norm) -> None:  # type: ignore[no-untyped-def]
    norm.gamma = np.ones(WIDTH, dtype=np.float32)
    norm.beta = np.zeros(WIDTH, dtype=np.float32)
