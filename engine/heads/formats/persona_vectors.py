"""persona_vectors: `<trait>_{prompt_avg,prompt_last,response_avg}_diff.pt`, float32 [n_layers + 1, d].

Row 0 is the embeddings, row L the output of block L - 1. Their own steering uses one of the rows.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.heads.formats.constant_vectors import constant_head, constant_vectors
from engine.heads.formats.format import (
    Format,
    ImportedHead,
    ImportOptions,
    Losses,
    ModelProvider,
    refuse_without_option,
)
from engine.heads.formats.pickles import read_tensor, write_tensor
from engine.heads.head import Head

_KINDS = ("_prompt_avg_diff", "_prompt_last_diff", "_response_avg_diff")


def _matches_name(path: Path) -> bool:
    return path.suffix == ".pt" and path.stem.endswith(_KINDS)


def _read(path: Path, model: ModelProvider, options: ImportOptions) -> ImportedHead:
    table = read_tensor(path)
    if table.ndim != 2 or table.shape[0] < 2:
        refuse_without_option(
            path, f"Its shape is {list(table.shape)}, not [blocks + 1, width].", "Give its --from."
        )
    identity = model()
    if len(table) != identity.blocks + 1:
        refuse_without_option(
            path,
            f"It has rows for {len(table) - 1} blocks and {identity.id} has {identity.blocks}.",
            "Name its own model with --model.",
        )
    losses = ["Its row 0, of the embeddings, was left out."] if table[0].any() else []
    if options.block is None:
        losses.append("All of its blocks steer at once; persona_vectors itself uses one block.")
    vectors = dict(enumerate(table[1:]))
    return constant_head(path, vectors, model, options, losses, origin="persona_vectors", name=_trait(path))


def _trait(path: Path) -> str:
    for kind in _KINDS:
        if path.stem.endswith(kind):
            return path.stem.removesuffix(kind)
    return path.stem


def _write(head: Head, path: Path, options: ImportOptions) -> Losses:
    constant = constant_vectors(head)
    table = np.zeros((head.info.model.blocks + 1, head.info.model.width), np.float32)
    for block, vector in constant.vectors.items():
        table[block + 1] = vector
    write_tensor(path, table)
    return constant.losses


FORMAT = Format(
    "persona_vectors",
    "a table [blocks + 1, width] of persona_vectors",
    _matches_name,
    _matches_name,
    _read,
    _write,
)
