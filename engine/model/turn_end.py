"""Where a template ends an assistant's turn: the tokens and strings that end an answer."""

from __future__ import annotations

import re
from typing import Any

PLAIN_STOP = "\nUser:"  # what a model without a template writes when it goes on as the user


def turn_ends(tokenizer: Any) -> tuple[frozenset[int], tuple[str, ...]]:
    """What ends an answer besides the end tokens that the settings name, which are often wrong or incomplete.

    The template is rendered with an answer in the middle of a conversation. What it writes between that
    answer and the next question begins with the token that ends a turn, for instance <|im_end|>; where that
    is no single special token, its text is a stop string.

    Args:
        tokenizer: of transformers; one without a chat template gives the "User:" of plain conversations.

    Returns: ids of end tokens, and stop strings; both empty where the template writes nothing but white
        space there, or refuses such a conversation.
    """
    if not getattr(tokenizer, "chat_template", None):
        return frozenset(), (PLAIN_STOP,)
    between = _between(tokenizer)
    if between is None or not between.strip():
        return frozenset(), ()
    special = {token.content: index for index, token in tokenizer.added_tokens_decoder.items()}
    longest_first = sorted(special, key=len, reverse=True)
    first = next((text for text in longest_first if between.lstrip().startswith(text)), None)
    if first is not None:
        return frozenset({special[first]}), ()
    return frozenset(), (between.rstrip(),)


def _between(tokenizer: Any) -> str | None:
    """The text from the end of an answer to the begin of the next question; None where it cannot be known."""
    from jinja2 import TemplateError  # as late as transformers imports it

    marks = [f"\ue000{index}\ue001" for index in range(3)]
    for parts in (False, True):
        conversation = [
            {"role": role, "content": [{"type": "text", "text": mark}] if parts else mark}
            for role, mark in zip(("user", "assistant", "user"), marks, strict=True)
        ]
        try:
            text = tokenizer.apply_chat_template(conversation, tokenize=False)
        except (TemplateError, TypeError, ValueError, LookupError, AttributeError):
            # Refused here, as by templates for one question only; a real conversation is told why.
            continue
        found = re.search(f"{marks[1]}(.*?){marks[2]}", text, re.DOTALL)
        if found:
            return found[1]
    return None
