"""What is typed in the window at the very first start."""

from __future__ import annotations

FIRST_QUESTION = "Tell me about the harbour."


FIRST_PROMPT = "Talk like a pirate."
