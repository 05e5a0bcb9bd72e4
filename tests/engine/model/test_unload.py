"""Memory is given back: models loaded, used and unloaded leave nothing behind, nor do failed loads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from engine.generation.decode import generate
from engine.generation.lanes import Lane
from engine.generation.sampling import Sampling
from engine.model.chat_template import Message
from engine.model.loading import load
from tests.models import tiny

# In a process of its own: what other tests hold, or let go, is none of its business.
CYCLES = """
import gc, sys
import psutil
from engine.errors import ModelError
from engine.generation.decode import generate
from engine.generation.lanes import Lane
from engine.generation.sampling import Sampling
from engine.model.chat_template import Message
from engine.model.loading import load
from tests.models import tiny

def resident():
    gc.collect()
    return psutil.Process().memory_info().rss

def cycle():
    for source in ("pocket", sys.argv[1]):
        model = load(source, device="cpu")
        lane = Lane([Message("user", "Hi there")], heads=[tiny.head(model)])
        assert generate(model, [lane], Sampling(max_tokens=4))[0].trace.coefficients.any()
        model.unload()
    for bad in sys.argv[2:]:
        try:
            load(bad, device="cpu")
        except ModelError:
            continue
        raise SystemExit("a damaged model was loaded")

for _ in range(3):
    cycle()  # libraries are imported, arenas have grown
before = resident()
peak = before
for _ in range(10):
    cycle()
    peak = max(peak, resident())
print(before, peak)
"""


@pytest.mark.slow
def test_ten_cycles_of_loading_and_unloading_stay_within_5_percent(tmp_path: Path) -> None:
    big = tiny.model("qwen2", hidden_size=512, intermediate_size=1024, num_hidden_layers=3)
    assert big.bytes > 25_000_000  # one that stayed would be seen
    sound = tiny.save(big, tmp_path / "sound")
    endless = tmp_path / "endless"
    with_nan = big.network.model.layers[2].mlp.down_proj.weight
    with_nan[0, 0] = float("nan")
    tiny.save(big, endless)
    unfinished = tiny.save(tiny.model("qwen2", hidden_size=512), tmp_path / "short")
    config = unfinished / "config.json"
    config.write_text(config.read_text().replace('"num_hidden_layers": 3', '"num_hidden_layers": 4'))
    command = [sys.executable, "-c", CYCLES, str(sound), str(endless), str(unfinished)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    before, peak = map(int, done.stdout.split())
    assert peak < 1.05 * before, f"{before / 1e6:.0f} MB grew to {peak / 1e6:.0f} MB"


def test_an_unloaded_model_keeps_only_its_facts(tmp_path: Path) -> None:
    model = load(str(tiny.save(tiny.model(), tmp_path)), device="cpu")
    run = generate(model, [Lane([Message("user", "Hi")])], Sampling(max_tokens=2))[0]
    model.unload()
    assert not model.loaded and model.blocks == [] and model.width == 32
    assert len(run.trace) == 2  # what it said stays
