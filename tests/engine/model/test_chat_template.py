"""Chat templates: no message vanishes, and the template's own end of a turn ends an answer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.distill import Request, distill
from engine.errors import ModelError
from engine.generation.lanes import Lane
from engine.model.chat_template import Message, encode
from engine.model.language_model import LanguageModel
from engine.model.turn_end import turn_ends
from tests.engine.asking import ASK, run
from tests.models import tiny

PARTS = (
    "{% for m in messages %}<|{{ m.role }}|>{% for part in m.content %}{% if part.type == 'text' %}"
    "{{ part.text }}{% endif %}{% endfor %}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
USER_ONLY = (
    "{% for m in messages %}{% if m.role == 'user' %}<|user|>{{ m.content }}<|end|>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
FIRST_ONLY = "<|user|>{{ messages[0].content }}<|end|>{% if add_generation_prompt %}<|assistant|>{% endif %}"
HEADINGS = (
    "{% for m in messages %}### {{ m.role }}:\n{{ m.content }}\n\n{% endfor %}"
    "{% if add_generation_prompt %}### assistant:\n{% endif %}"
)


def test_a_template_that_wants_parts_gets_parts() -> None:
    model = tiny.model(template=PARTS)
    prompt = encode(model, [Message("user", "Where is the fox?")], "Be brief.")
    assert prompt.text == "<|system|>Be brief.<|end|><|user|>Where is the fox?<|end|><|assistant|>"
    assert [span.role for span in prompt.spans] == ["system", "user"]


def test_a_system_message_that_the_template_ignores_goes_before_the_question() -> None:
    prompt = encode(tiny.model(template=USER_ONLY), [Message("user", "Where is the fox?")], "Be brief.")
    assert prompt.text == "<|user|>Be brief.\n\nWhere is the fox?<|end|><|assistant|>"


def test_a_message_that_would_vanish_is_refused() -> None:
    model = tiny.model(template=FIRST_ONLY)
    talk = [Message("user", "One?"), Message("assistant", "Two."), Message("user", "Three?")]
    with pytest.raises(ModelError, match="leaves the assistant message out"):
        encode(model, talk)


def test_thinking_that_a_template_leaves_out_of_earlier_answers_is_no_loss() -> None:
    template = tiny.TEMPLATE.replace("m.content", "m.content.split('</think>')[-1]")
    talk = [
        Message("user", "One?"),
        Message("assistant", "<think>Hm.</think>Two."),
        Message("user", "Three?"),
    ]
    prompt = encode(tiny.model(template=template), talk)
    assert "Hm." not in prompt.text and "Two." in prompt.text and len(prompt.spans) == 3


def test_a_leading_text_stands_before_the_first_question_with_a_span_of_its_own() -> None:
    model = tiny.model()
    talk = [Message("user", "One?"), Message("assistant", "Two."), Message("user", "Three?")]
    prompt = encode(model, talk, "Be kind.", "Be brief.")
    assert prompt.text.startswith("<|system|>Be kind.<|end|><|user|>Be brief.\n\nOne?<|end|>")
    assert [span.role for span in prompt.spans] == ["system", "system", "user", "assistant", "user"]


def test_the_token_with_which_the_template_ends_a_turn_ends_an_answer_whatever_eos_says() -> None:
    made = tiny.model(eos_token_id=0)
    made.tokenizer.eos_token = "<|pad|>"
    try:
        again = tiny.model(eos_token_id=0)
    finally:
        made.tokenizer.eos_token = "<|end|>"
    assert made.tokenizer.convert_tokens_to_ids("<|end|>") in again.eos_ids


def test_a_template_without_an_end_token_ends_where_the_next_question_would_begin() -> None:
    assert turn_ends(tiny.tokenizer(HEADINGS)) == (frozenset(), ("\n\n### user:",))


def test_without_a_template_an_answer_stops_where_it_goes_on_as_the_user() -> None:
    model = tiny.model(template=None)
    assert model.stops == ("\nUser:",)
    text = run(model, Lane(ASK)).text
    model.stops = (text[4:7],)
    answer = run(model, Lane(ASK))
    assert (answer.stopped, answer.text) == ("stop", text[: text.index(text[4:7])])


def test_training_learns_the_end_that_was_sampled_whatever_else_ends_an_answer(pocket: LanguageModel) -> None:
    wanted = Request(
        "Answer in one short sentence.",
        "s-psr",
        objective="ll",
        recipe="refine",
        block=3,
        responses=8,
        max_tokens=48,
    )
    alone = distill(pocket, wanted)
    [end] = pocket.eos_ids
    unused = next(index for index in range(pocket.vocabulary) if index < end)
    several = replace(pocket, eos_ids=frozenset({unused, end}))
    again = distill(several, wanted)
    assert again.loss == alone.loss and again.strength_range == alone.strength_range
