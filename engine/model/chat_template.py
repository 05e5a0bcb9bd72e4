"""Conversations as tokens: the model's chat template, and where each message lies in the result."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, NamedTuple, Protocol, TypedDict

from engine.errors import InputError, ModelError
from engine.model.language_model import LanguageModel

Role = Literal["user", "assistant", "system"]
Place = Literal["system", "before"]
"""Where a steering prompt goes: a system message, or before the first question in the same turn."""

PLACES: tuple[Place, ...] = ("system", "before")


class TokenIds(Protocol):
    """The exact tokens of a turn that this model said itself."""

    @property
    def ids(self) -> Sequence[int]: ...


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation; tokens: its own tokens when the model generated it, for text alone could be
    cut into tokens in another way."""

    role: Role
    text: str
    tokens: TokenIds | None = None


@dataclass(frozen=True, slots=True)
class TokenSpan:
    """The tokens [start, stop) that hold a message's text, without the template's own marks; tokens: whatever
    the message carried under that name."""

    role: Role
    start: int
    stop: int
    tokens: TokenIds | None = None


@dataclass(frozen=True, slots=True)
class Prompt:
    """A conversation ready to be answered: its text, its token ids and the span of every message in them."""

    text: str
    ids: list[int]
    spans: list[TokenSpan]


class PlacedPrompt(TypedDict):
    """The arguments of `encode` and `Lane` that hold a steering prompt."""

    system: str | None
    lead: str | None


def placed(prompt: str | None, place: Place) -> PlacedPrompt:
    """A steering prompt in its place; None for no prompt."""
    return {"system": prompt, "lead": None} if place == "system" else {"system": None, "lead": prompt}


def encode(
    model: LanguageModel,
    messages: Sequence[Message],
    system: str | None = None,
    lead: str | None = None,
) -> Prompt:
    """The conversation in the model's chat template, up to where the answer begins.

    Args:
        messages: the turns; one that carries what the model said has those very tokens.
        system: a system message, the steering prompt for instance. Where the template knows no such role it
            is put before the first user message with a blank line between.
        lead: a text before the first user message, in the same turn, with a blank line between.

    Returns: text, token ids, and the span of every message whose text is not empty; `system` and `lead` have
        spans of the role system. A model without a template gets plain "User: ...", "Assistant:" lines.

    Raises: ModelError when the template refuses the conversation or leaves a message out, InputError when it
        holds what is no text.
    """
    _require_text([*(message.text for message in messages), system or "", lead or ""])
    turns = [_Turn(message.role, message.text, tokens=message.tokens) for message in messages]
    if lead:
        turns = _fold([_Turn("system", lead), *turns])
    if system:
        turns.insert(0, _Turn("system", system))
    template = getattr(model.tokenizer, "chat_template", None)
    pieces = _templated(model, turns) if template else _plain(turns)
    text = "".join(piece for piece, _ in pieces)
    if not template and getattr(model.tokenizer, "bos_token", None) and model.tokenizer("").input_ids:
        pieces = [(model.tokenizer.bos_token, None), *pieces]
        text = model.tokenizer.bos_token + text
    return _tokens(model, text, pieces)


def written_ids(model: LanguageModel, text: str) -> list[int]:
    """The tokens of what a person wrote in an answer's place."""
    plain = not getattr(model.tokenizer, "chat_template", None)
    text = f" {text}" if plain and not text[:1].isspace() else text
    return list(model.tokenizer.encode(text, add_special_tokens=False, verbose=False))


def _require_text(texts: Sequence[str]) -> None:
    """Bytes that are no UTF-8 come from a command line as halves of characters; no vocabulary knows them."""
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        raise InputError(
            "The conversation cannot be read", "It holds bytes that are not UTF-8 text.", "Type them again."
        ) from None


class _Mark(NamedTuple):
    role: Role
    tokens: TokenIds | None = None


_Pieces = list[tuple[str, _Mark | None]]  # the text in order; a mark says whose message it is


@dataclass(frozen=True, slots=True)
class _Turn:
    """A message as the template gets it, with the system text that was put before it, if any."""

    role: Role
    text: str
    system: str = ""
    tokens: TokenIds | None = None

    @property
    def mark(self) -> _Mark:
        return _Mark(self.role, self.tokens)

    @property
    def whole(self) -> str:
        return f"{self.system}\n\n{self.text}" if self.system else self.text

    def pieces(self, shown: str) -> _Pieces:
        """The template's rendering of this turn, cut where the system text ends."""
        if not self.system:
            return [(shown, self.mark)]
        at = min(shown.index(self.system.strip()) + len(self.system.strip()), len(shown))
        gap = len(shown) - at - len(shown[at:].lstrip())
        return [(shown[:at], _Mark("system")), (shown[at : at + gap], None), (shown[at + gap :], self.mark)]


def _plain(turns: Sequence[_Turn]) -> _Pieces:
    pieces: _Pieces = []
    for turn in turns:
        head = "" if turn.role == "system" else f"{turn.role.capitalize()}:"
        text = turn.text
        if turn.tokens is not None:
            # Its own tokens stand right behind the colon, where they were said.
            text = text if text[:1].isspace() else f" {text}"
        elif head:
            head += " "
        pieces += [(head, None), (text, turn.mark), ("\n", None)]
    return [*pieces, ("Assistant:", None)]


def _templated(model: LanguageModel, turns: Sequence[_Turn]) -> _Pieces:
    """As it is; else with contents as lists of parts, as templates of models that see pictures want them;
    else with the system message before the first question."""
    refusals = []
    folded = _fold(turns)
    for wanted in (turns, folded) if folded != list(turns) else (turns,):
        for parts in (False, True):
            try:
                return _render(model, wanted, parts)
            except ModelError as error:
                refusals.append(error)
    raise refusals[0]


def _render(model: LanguageModel, turns: Sequence[_Turn], parts: bool) -> _Pieces:
    """The template's output, cut at the borders of the messages.

    The scaffold is found by rendering marks in the messages' stead, so that a message that repeats a word
    of the template is never mistaken for it. Templates that look into the text are searched instead.
    """
    text = _apply(model, [turn.whole for turn in turns], turns, parts)
    marks = [f"\ue000{index}\ue001" for index in range(len(turns))]
    cut = re.split("\ue000(\\d+)\ue001", _apply(model, marks, turns, parts))
    if [int(index) for index in cut[1::2]] != list(range(len(turns))):
        return _search(text, turns)
    pieces: _Pieces = [(cut[0], None)]
    for index, after in zip(cut[1::2], cut[2::2], strict=True):
        turn = turns[int(index)]
        verbatim = text.startswith(turn.whole, _length(pieces))
        pieces += [*turn.pieces(turn.whole if verbatim else turn.whole.strip()), (after, None)]
    return pieces if "".join(piece for piece, _ in pieces) == text else _search(text, turns)


def _search(text: str, turns: Sequence[_Turn]) -> _Pieces:
    """Each message's text looked for in order.

    Of an earlier answer a template may leave the thinking out; then what follows it is looked for. A message
    that is not found at all would vanish without a word: the conversation is refused.
    """
    pieces: _Pieces = []
    for turn in turns:
        rest = text[_length(pieces) :]
        shown = turn.whole.strip()
        if turn.role == "assistant" and shown not in rest:
            shown = shown.rpartition("</think>")[2].strip()
        at = rest.find(shown)
        if at < 0:
            raise _refused(f"it leaves the {turn.role} message out")
        pieces += [(rest[:at], None), *turn.pieces(shown)]
    return [*pieces, (text[_length(pieces) :], None)]


def _length(pieces: _Pieces) -> int:
    return sum(len(piece) for piece, _ in pieces)


def _apply(model: LanguageModel, texts: Sequence[str], turns: Sequence[_Turn], parts: bool) -> str:
    conversation = [
        {"role": turn.role, "content": [{"type": "text", "text": text}] if parts else text}
        for turn, text in zip(turns, texts, strict=True)
    ]
    try:
        text = model.tokenizer.apply_chat_template(conversation, tokenize=False, add_generation_prompt=True)
    except Exception as error:  # a template may raise anything; jinja's errors have no narrower family
        words = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise _refused(words.rstrip(".")) from error
    if parts and "'type': 'text'" in text:  # it prints the list itself
        raise _refused("it takes no contents in parts")
    return str(text)


def _refused(why: str) -> ModelError:
    return ModelError(
        "The conversation does not fit the model",
        f"Its chat template says: {why}.",
        "Let user and assistant take turns, the user first.",
    )


def _fold(turns: Sequence[_Turn]) -> list[_Turn]:
    """System messages joined to the user message that follows, or to an empty one at the end."""
    folded: list[_Turn] = []
    waiting: list[str] = []
    for turn in turns:
        if turn.role == "system":
            waiting.append(turn.text)
        elif turn.role == "user" and waiting:
            folded.append(_Turn("user", turn.text, "\n\n".join([*waiting, *filter(None, [turn.system])])))
            waiting = []
        else:
            folded.append(turn)
    return [*folded, _Turn("user", "", "\n\n".join(waiting))] if waiting else folded


def _tokens(model: LanguageModel, text: str, pieces: _Pieces) -> Prompt:
    """Token ids of the text, the pieces' borders turned from characters to tokens."""
    ids, offsets = _cut(model.tokenizer, text)
    whole: list[int] = []
    spans: list[TokenSpan] = []
    at = done = 0
    for piece, mark in pieces:
        if mark is not None and piece:
            inside = _inside(offsets, done, at, at + len(piece))
            if inside:
                whole += ids[done : inside[0]]
                own = ids[inside[0] : inside[-1] + 1] if mark.tokens is None else list(mark.tokens.ids)
                spans.append(TokenSpan(mark.role, len(whole), len(whole) + len(own), mark.tokens))
                whole += own
                done = inside[-1] + 1
        at += len(piece)
    return Prompt(text, whole + ids[done:], spans)


def _inside(offsets: Sequence[tuple[int, int]], first: int, start: int, stop: int) -> list[int]:
    """The tokens from `first` on that hold any of the characters [start, stop)."""
    inside = []
    for index in range(first, len(offsets)):
        begins, ends = offsets[index]
        if begins >= stop:
            break
        if ends > start:
            inside.append(index)
    return inside


def _cut(tokenizer: Any, text: str) -> tuple[list[int], list[tuple[int, int]]]:
    """Ids, and the characters [start, stop) of each."""
    if getattr(tokenizer, "is_fast", False):
        # Not verbose: how long a text may be is said by those who know what it is for.
        encoding = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        return list(encoding["input_ids"]), list(encoding["offset_mapping"])
    ids = list(tokenizer(text, add_special_tokens=False)["input_ids"])
    lengths = [len(tokenizer.decode(ids[:stop])) for stop in range(len(ids) + 1)]
    return ids, list(pairwise(lengths))
