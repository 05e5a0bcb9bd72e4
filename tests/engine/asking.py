"""What the tests of the decode loop ask, and the shortest way to ask it."""

from __future__ import annotations

from typing import Any

from engine.generation.decode import generate
from engine.generation.lanes import Lane
from engine.generation.result import Generation
from engine.generation.sampling import Sampling
from engine.model.chat_template import Message
from engine.model.language_model import LanguageModel

ASK = [Message("user", "Tell me about the garden!")]
LONG = [*ASK, Message("assistant", "The harbour is old."), Message("user", "What else? And who are you?")]


def run(model: LanguageModel, lane: Lane, *, tokens: int = 16, **rules: Any) -> Generation:
    return generate(model, [lane], Sampling(max_tokens=tokens, **rules))[0]
