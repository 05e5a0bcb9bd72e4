"""Conversations and comparisons as Markdown, and how an answer was made, in words for a file."""

from __future__ import annotations

from studio.state.compare_round import LETTERS, CompareRound
from studio.state.conversation import Answer, Turn, steered_by
from studio.state.sampling_settings import SamplingSettings


def told_how(answer: Answer) -> str:
    """Lane, heads and seed, for a file; or that a person wrote it; and what the model did not read."""
    turn = answer.turn
    told = f"{answer.lane}: {steered_by(answer)}; seed {turn.settings.seed}"
    if answer.asked is not None and answer.asked.precision:
        told += f"; {answer.asked.precision}"
    if answer.edited:
        told = f"{answer.lane}: edited by hand, not steered"
    if answer.cut:
        told += f"; first {answer.cut} messages left out to fit the context"
    return told


def sampled_how(turn: Turn) -> str:
    """Model and sampling, for a file."""
    s = turn.settings
    told = [turn.model, f"temperature {s.temperature:g}"]
    if s.top_k != SamplingSettings.top_k:
        told.append(f"top-k {s.top_k}")
    if s.top_p != SamplingSettings.top_p:
        told.append(f"top-p {s.top_p:g}")
    if s.repetition_penalty != SamplingSettings.repetition_penalty:
        told.append(f"repetition penalty {s.repetition_penalty:g}")
    return ", ".join([*told, f"at most {s.max_tokens} tokens"])


def as_markdown(turns: tuple[Turn, ...]) -> str:
    """The conversation for others: each answer with its heads and seed, each turn with model and sampling."""
    parts = []
    for turn in turns:
        parts.append(f"**You:** {turn.question}")
        for answer in turn.answers:
            parts.append(f"**Model** ({told_how(answer)}): {answer.text}")
        parts.append(f"*{sampled_how(turn)}*")
    return "\n\n".join(parts) + "\n"


def round_as_markdown(at: CompareRound) -> str:
    """For a file: each answer with its name, heads and seed; of a blind one before the vote, with none."""
    parts = [f"**You:** {at.question}"]
    for place, answer in enumerate(at.answers):
        how = [
            at.names[place],
            steered_by(answer),
            f"seed {answer.turn.settings.seed}",
            *(["the vote"] if at.choice == place else []),
        ]
        who = f"Answer {LETTERS[place]}" if at.blind else "; ".join(word for word in how if word)
        parts.append(f"**{who}:** {answer.text}")
    return "\n\n".join(parts) + "\n"
