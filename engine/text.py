"""Text that UTF-8 can hold: what comes from JSON or another program may contain lone surrogates."""

from __future__ import annotations


def encodable(text: str) -> str:
    """The text with U+FFFD for every lone surrogate, for which UTF-8 has no bytes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
