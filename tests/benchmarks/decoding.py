"""Steered decoding beside transformers' generate and other libraries, on Pocket and on a 0.5 B shape."""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch

from engine.generation.compiled_step import CompiledStep
from engine.generation.decode import generate
from engine.generation.lanes import Lane
from engine.generation.prefix_cache import PrefixCache
from engine.generation.sampling import Sampling
from engine.heads.head import BlockHead, Head, HeadInfo
from engine.model.chat_template import Message, encode
from engine.model.language_model import LanguageModel, wrap
from engine.model.loading import load
from tests.benchmarks import peers, shares
from tests.benchmarks.speed import compare
from tests.benchmarks.table import Bar, print_bars

SHAPES = ("pocket", "half-billion")
_TOKENS = {"pocket": 200, "half-billion": 64}
_ROUNDS = {"pocket": 9, "half-billion": 3}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", choices=SHAPES, action="append", help="only this one")
    parser.add_argument("--no-compile", action="store_true", help="leave the compiled step out")


def run(options: argparse.Namespace) -> int:
    bars: list[Bar] = []
    for shape in options.model or SHAPES:
        print(f"\n== {shape}", flush=True)
        bars += measure(shape, with_compiled=not options.no_compile)
    print("\n== bars")
    print_bars(bars)
    return 0 if all(bar.passed for bar in bars) else 1


def measure(shape: str, *, with_compiled: bool) -> list[Bar]:
    model = load() if shape == "pocket" else half_billion()
    tokens = _TOKENS[shape]
    # Every run has the same length; what is said past the answer's end is no matter.
    model.eos_ids = frozenset()
    model.network.generation_config.eos_token_id = None
    messages = [Message("user", "Tell me about the harbour.")]
    ids = torch.tensor([encode(model, messages).ids], device=model.device)
    gated, constant = gates(model), constants(model)
    vectors = {index: part.z[0] * part.b[0] for index, part in constant.blocks.items()}
    sampling = Sampling(max_tokens=tokens)

    def ours(heads: list[Head], lanes: int = 1, steps: list[CompiledStep] | None = None) -> None:
        several = [Lane(messages, heads=heads)] * lanes
        made = generate(model, several, sampling, prefix_cache=PrefixCache(), compiled=steps or [])
        assert made[0].compiled == bool(steps)

    loops = {
        "transformers generate": lambda: peers.generate(model.network, ids, tokens),
        "ours, unsteered": lambda: ours([]),
        "ours, A-PSR with trace": lambda: ours([gated]),
        "ours, constant with trace": lambda: ours([constant]),
        "ours, A-PSR, 4 lanes": lambda: ours([gated], lanes=4),
    }
    if with_compiled:
        start = time.perf_counter()
        steps = [CompiledStep(model, columns=1, max_positions=512).prepare()]
        print(f"compiled in {time.perf_counter() - start:.0f} s", flush=True)
        loops["ours, A-PSR, compiled"] = lambda: ours([gated], steps=steps)
    others = peers.peers(model.network, model.tokenizer, vectors, ids, tokens)
    loops |= {f"{name}, constant": loop for name, loop in others.items()}
    paces = compare(loops, tokens, _ROUNDS[shape])
    paces.show("transformers generate")
    print()
    shares.show({name: loops[name] for name in loops if name.startswith("ours")}, tokens, _ROUNDS[shape])
    roof = bandwidth(model.device) / model.bytes
    print(f"roofline: {roof:.0f} tokens/s ({model.bytes / 1e6:.0f} MB of weights, read once per token)")
    return [
        Bar(
            f"{shape}: A-PSR with trace / unsteered",
            paces.ratio("ours, A-PSR with trace", "ours, unsteered"),
            0.90 if shape == "pocket" else 0.97,
        ),
        *[
            Bar(
                f"{shape}: A-PSR with trace / {name}",
                paces.ratio("ours, A-PSR with trace", f"{name}, constant"),
                1.0,
            )
            for name in others
        ],
        *(
            [
                Bar(
                    "pocket: compiled A-PSR / generate",
                    paces.ratio("ours, A-PSR, compiled", "transformers generate"),
                    1.7,
                )
            ]
            if with_compiled and shape == "pocket"
            else []
        ),
        *(
            [
                Bar(
                    "half-billion: time of 4 lanes / of 1",
                    paces.ratio("ours, A-PSR with trace", "ours, A-PSR, 4 lanes"),
                    1.3,
                    least=False,
                )
            ]
            if shape == "half-billion"
            else []
        ),
    ]


def half_billion() -> LanguageModel:
    """Random bfloat16 weights in the shape of Qwen2.5-0.5B, with Pocket's tokenizer: speed needs no sense."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    config = Qwen2Config(
        vocab_size=151_936,
        hidden_size=896,
        intermediate_size=4864,
        num_hidden_layers=24,
        num_attention_heads=14,
        num_key_value_heads=2,
        max_position_embeddings=32_768,
        tie_word_embeddings=True,
        dtype=torch.bfloat16,
    )
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    try:
        network = Qwen2ForCausalLM(config)
    finally:
        torch.set_default_dtype(torch.float32)
    pocket = load()
    return wrap(network.to(pocket.device), pocket.tokenizer, source="half-billion")


def gates(model: LanguageModel) -> Head:
    """A rank-1 head with learned-looking gates on every block: about half of them fire."""
    return _head(model, gate=0.1)


def constants(model: LanguageModel) -> Head:
    return _head(model, gate=0.0)


def bandwidth(device: torch.device) -> float:
    """Bytes per second that it reads from its memory, as a sum over far more than its caches."""
    block = torch.ones(2**27, device=device)
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        block.sum().item()
        best = min(best, time.perf_counter() - start)
    return block.numel() * 4 / best


def _head(model: LanguageModel, gate: float) -> Head:
    random = np.random.default_rng(0)
    parts = {}
    for index in range(len(model.blocks)):
        w, z = random.standard_normal((2, 1, model.width)).astype(np.float32)
        parts[index] = BlockHead(gate * w, np.full(1, 0.1, np.float32), z / np.linalg.norm(z))
    return Head(parts, "relu", HeadInfo(name="bench", method="a-psr", prompt="", model=model.identity))
