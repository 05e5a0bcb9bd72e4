"""Every architecture: blocks, steering with and without a cache, lanes, distillation, by structure alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.distill import Request, distill, gradient
from engine.generation.decode import generate
from engine.generation.lanes import Lane
from engine.generation.live_strengths import LiveStrengths
from engine.generation.prefix_cache import PrefixCache
from engine.generation.result import Generation
from engine.generation.sampling import Sampling
from engine.heads.head import Head
from engine.heads.mix import Mix
from engine.heads.steering import Steering
from engine.model.chat_template import Message, encode
from engine.model.language_model import LanguageModel, wrap
from tests.models import tiny

SHORT = [Message("user", "Hi there")]
LONG = [Message("user", "Tell me about the garden, the river and the mountain. " * 3)]
WINDOW = 16  # no tiny model has a longer one
NO_SYSTEM = (
    "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    "[{{ m.role }}]{{ m.content | trim }}{% endfor %}[assistant]"
)


def answer(model: LanguageModel, *lanes: Lane, tokens: int = 12) -> list[Generation]:
    return generate(model, lanes, Sampling(max_tokens=tokens))


def head_of(model: LanguageModel) -> Head:
    return tiny.head(model, gate="identity")  # never exactly 0, so that a coefficient left out would show


def uncached(model: LanguageModel, lane: Lane, ids: list[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logprobs of the ids [n], coefficients [n, L] and those of the last prompt token [L], in one forward."""
    prompt = encode(model, lane.messages, lane.system).ids
    mix = Mix(lane.heads, model)
    with torch.inference_mode(), Steering(model, mix) as steering:
        marks = torch.zeros(1, len(prompt) + len(ids), 1)
        marks[:, len(prompt) - 1 :] = 1.0
        steering.strengths = marks
        logits = model.network(torch.tensor([[*prompt, *ids]]), use_cache=False).logits[0].float()
        coefficients = torch.cat([part[0] for part in steering.coefficients()], 1).numpy()
    said = logits.log_softmax(-1)[len(prompt) - 1 : -1].gather(1, torch.tensor(ids)[:, None])[:, 0]
    return said.numpy(), coefficients[len(prompt) :], coefficients[len(prompt) - 1]


def test_its_blocks_are_found_by_structure(any_model: LanguageModel) -> None:
    assert [type(block) for block in any_model.blocks] == [type(any_model.blocks[0])] * 3
    assert (any_model.width, any_model.vocabulary, any_model.eos_ids) == (32, 400, {1})


def test_strength_0_is_the_model_itself(any_model: LanguageModel) -> None:
    idle = Lane(LONG, heads=[head_of(any_model)], strengths=LiveStrengths([0.0]))
    plain, steered = answer(any_model, Lane(LONG))[0], answer(any_model, idle)[0]
    assert steered.trace.ids.tolist() == plain.trace.ids.tolist()
    assert np.array_equal(steered.trace.logprobs, plain.trace.logprobs)
    assert not steered.trace.coefficients.any()


@pytest.mark.parametrize("messages", [SHORT, LONG], ids=["short", "past the window"])
def test_cached_decoding_is_the_whole_run_at_once(any_model: LanguageModel, messages: list[Message]) -> None:
    lane = Lane(messages, heads=[head_of(any_model)])
    run = answer(any_model, lane)[0]
    assert messages is SHORT or run.prompt_tokens > 2 * WINDOW
    assert len(run.trace) and run.trace.coefficients.shape == (len(run.trace), 3)
    logprobs, coefficients, before = uncached(any_model, lane, run.trace.ids.tolist())
    assert np.allclose(run.trace.logprobs, logprobs, atol=1e-3)
    assert np.allclose(run.trace.coefficients, coefficients, atol=1e-3)
    assert np.allclose(run.prompt_coefficients, before, atol=1e-3)
    assert (run.trace.coefficients != 0).all() and (run.prompt_coefficients != 0).all()


def test_the_last_prompt_token_is_steered_in_the_prefill(any_model: LanguageModel) -> None:
    head = head_of(any_model)
    strong = Lane(SHORT, heads=[head], strengths=LiveStrengths([4.0]))
    steered, plain = answer(any_model, strong, tokens=1)[0], answer(any_model, Lane(SHORT), tokens=1)[0]
    assert (steered.prompt_coefficients != 0).all()
    same = steered.trace.ids.tolist() == plain.trace.ids.tolist()
    assert not same or not np.allclose(steered.trace.logprobs, plain.trace.logprobs, atol=1e-3)


def test_a_padded_lane_says_what_it_says_alone(any_model: LanguageModel) -> None:
    lanes = [Lane(SHORT, heads=[head_of(any_model)]), Lane(LONG)]
    for alone, together in zip([answer(any_model, lane)[0] for lane in lanes], answer(any_model, *lanes)):
        assert together.trace.ids.tolist() == alone.trace.ids.tolist()
        assert np.allclose(together.trace.logprobs, alone.trace.logprobs, atol=1e-3)
        assert np.allclose(together.trace.coefficients, alone.trace.coefficients, atol=1e-3)


def test_a_lane_that_ends_early_leaves_the_others_as_they_are(any_model: LanguageModel) -> None:
    brief = Lane(LONG, forced=[20, 21, 22])
    lane = Lane(SHORT, heads=[head_of(any_model)], forced=list(range(30, 54)))
    alone, (first, together) = answer(any_model, lane)[0], answer(any_model, brief, lane)
    assert (len(first.trace), len(together.trace)) == (3, 24)
    assert np.allclose(together.trace.logprobs, alone.trace.logprobs, atol=1e-3)
    assert np.allclose(together.trace.coefficients, alone.trace.coefficients, atol=1e-3)


@pytest.mark.parametrize("lanes", [1, 2])
def test_a_kept_cache_gives_the_second_turn_that_a_rebuilt_one_gives(
    any_model: LanguageModel, lanes: int
) -> None:
    head, memory, sampling = head_of(any_model), PrefixCache(), Sampling(max_tokens=10)
    begun = [Lane(messages, heads=[head]) for messages in (SHORT, LONG)[:lanes]]
    first = generate(any_model, begun, sampling, prefix_cache=memory)
    turns = [
        Lane([*lane.messages, Message("assistant", said.text, said.tokens), *SHORT], heads=[head])
        for lane, said in zip(begun, first, strict=True)
    ]
    kept = generate(any_model, turns, sampling, prefix_cache=memory)
    for cached, rebuilt in zip(kept, generate(any_model, turns, sampling), strict=True):
        assert cached.trace.ids.tolist() == rebuilt.trace.ids.tolist()
        assert np.allclose(cached.trace.logprobs, rebuilt.trace.logprobs, atol=1e-3)
        assert np.allclose(cached.trace.coefficients, rebuilt.trace.coefficients, atol=1e-3)


def test_the_truth_of_a_prompt_streams_beside_the_head(any_model: LanguageModel) -> None:
    lane = Lane(SHORT, heads=[head_of(any_model)], reference_prompt="Talk like a pirate.")
    trace = answer(any_model, lane)[0].trace
    assert trace.prompt_effect.shape == trace.distance_to_prompt.shape == trace.coefficients.shape
    assert (trace.prompt_effect > 0).all() and np.isfinite(trace.distance_to_prompt).all()


def test_bfloat16_steers_with_float32_coefficients(half_model: LanguageModel) -> None:
    lane = Lane(LONG, heads=[head_of(half_model)])
    run = answer(half_model, lane)[0]
    assert half_model.dtype is torch.bfloat16 and run.trace.coefficients.dtype == np.float32
    assert np.isfinite(run.trace.coefficients).all() and (run.trace.coefficients != 0).all()
    logprobs, coefficients, _ = uncached(half_model, lane, run.trace.ids.tolist())
    spread = np.abs(coefficients).mean()
    assert np.abs(run.trace.coefficients - coefficients).mean() < 0.05 * spread
    assert np.abs(run.trace.logprobs - logprobs).mean() < 0.5
    idle = Lane(LONG, heads=lane.heads, strengths=LiveStrengths([0.0]))
    assert (
        answer(half_model, idle)[0].trace.ids.tolist() == answer(half_model, Lane(LONG))[0].trace.ids.tolist()
    )


def test_distillation_lowers_the_loss(any_model: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        gradient.PAPER, "mse", replace(gradient.PAPER["mse"], rate=0.03)
    )  # few steps, from noise
    result = distill(
        any_model, Request("Talk like a pirate.", anyway=True, recipe="paper", responses=6, max_tokens=10)
    )
    assert result.blocks == (0, 1, 2)
    assert np.mean(result.loss[-3:]) < 0.9 * result.loss[0]
    assert result.faithfulness[2] < 1


@pytest.mark.parametrize("architecture", ["llama", "gemma2", "mixtral"])
def test_a_bfloat16_model_distills(architecture: str) -> None:
    model = wrap(tiny.network(architecture).bfloat16(), tiny.tokenizer(), source="half")
    result = distill(model, Request("Talk like a pirate.", anyway=True, responses=6, max_tokens=10))
    assert result.faithfulness[2] < 1


@pytest.mark.parametrize("tied", [True, False])
def test_a_tied_and_an_untied_output_layer_work(tied: bool) -> None:
    model = tiny.model("qwen2", tie_word_embeddings=tied)
    shared = model.network.get_output_embeddings().weight is model.network.get_input_embeddings().weight
    assert shared is tied
    lane = Lane(SHORT, heads=[head_of(model)])
    run = answer(model, lane)[0]
    assert np.allclose(run.trace.logprobs, uncached(model, lane, run.trace.ids.tolist())[0], atol=1e-3)


@pytest.mark.parametrize("template", [None, NO_SYSTEM], ids=["no template", "no system role"])
def test_models_without_a_template_or_a_system_role_distill(template: str | None) -> None:
    model = tiny.model("llama", template)
    result = distill(model, Request("Talk like a pirate.", anyway=True, responses=6, max_tokens=10))
    run = answer(model, Lane(SHORT, heads=[result.head]))[0]
    assert (run.trace.coefficients != 0).any()


def test_a_tokenizer_without_special_tokens_works() -> None:
    tokenizer = tiny.tokenizer(None)
    from transformers import PreTrainedTokenizerFast

    bare = PreTrainedTokenizerFast(tokenizer_object=tokenizer.backend_tokenizer)
    assert bare.pad_token_id is None and bare.eos_token_id is None and bare.bos_token_id is None
    network = tiny.network("llama", pad_token_id=None, eos_token_id=None)
    model = wrap(network, bare, source="bare")
    assert not model.eos_ids
    runs = answer(model, Lane(SHORT, heads=[head_of(model)]), Lane(LONG))
    assert [run.stopped for run in runs] == ["length", "length"]
    assert (
        distill(model, Request("Talk like a pirate.", anyway=True, responses=6, max_tokens=10)).faithfulness[
            2
        ]
        < 1
    )


def test_blocks_that_return_tuples_are_steered() -> None:
    model = tiny.model()

    class Tupled(torch.nn.Module):
        """A block as earlier versions of the library wrote them: (hidden, something else)."""

        def __init__(self, block: torch.nn.Module) -> None:
            super().__init__()
            self.block = block

        def forward(self, hidden: torch.Tensor, **named: object) -> tuple[torch.Tensor, None]:
            return self.block(hidden, **named), None

    class Unpacked(torch.nn.Module):
        """Takes the pair apart again, as the network around such blocks did."""

        def __init__(self, block: Tupled) -> None:
            super().__init__()
            self.inner = block

        def forward(self, hidden: torch.Tensor, **named: object) -> torch.Tensor:
            return self.inner(hidden, **named)[0]

    lane = Lane(SHORT, heads=[head_of(model)])
    expected = answer(model, lane)[0]
    tupled = [Tupled(block) for block in model.blocks]
    trunk = model.network.model
    trunk.layers = torch.nn.ModuleList(Unpacked(block) for block in tupled)
    model.blocks = list(tupled)
    run = answer(model, lane)[0]
    assert run.trace.ids.tolist() == expected.trace.ids.tolist()
    assert np.allclose(run.trace.coefficients, expected.trace.coefficients, atol=1e-5)
