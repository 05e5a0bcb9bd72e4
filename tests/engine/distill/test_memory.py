"""Long responses under a large vocabulary: a distillation takes little beside the model itself."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SCRIPT = """
import resource, sys
import torch
from engine.distill import Request, distill
from tests.models import tiny

torch.manual_seed(0)
model = tiny.model("llama", vocab_size=150_000, hidden_size=64, max_position_embeddings=1024)
model.eos_ids = frozenset()
recipe = sys.argv[1]
objective = None if recipe == "instant" else "ll"
how = {"recipe": recipe, "objective": objective, "anyway": True}
distill(model, Request("Be kind.", responses=2, max_tokens=8, **how))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
distill(model, Request("Be kind.", responses=16, max_tokens=160, **how))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def peak(recipe: str) -> int:
    """Bytes by which distilling 16 responses of 160 tokens raises the process's greatest memory."""
    # Large blocks go back to the system when they are freed: what is measured is held, not fragmented.
    allocator = {"MALLOC_MMAP_THRESHOLD_": str(1 << 20)}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, recipe],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **allocator},
    )
    return int(done.stdout) * 1024


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["instant", "refine"])
def test_logits_of_all_responses_are_never_held(recipe: str) -> None:
    """They would be 16 x 161 x 150,000 x 4 bytes, 1.5 GB, with and again without the prompt."""
    assert peak(recipe) < 1 << 30
