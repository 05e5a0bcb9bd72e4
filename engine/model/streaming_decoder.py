"""Token ids to text, one at a time, without losing a byte."""

from __future__ import annotations

import codecs
import json
from typing import Any


class PieceDecoder:
    """Turns the ids of one answer into text pieces as they come.

    The pieces joined, `flush()` included, equal tokenizer.decode of all the ids. A token that ends inside a
    character yields "" and the one that completes it carries the character. Each push costs the same,
    however long the answer.
    """

    def __init__(self, tokenizer: Any) -> None:
        backend = getattr(tokenizer, "backend_tokenizer", None)
        self._decoder: _Bytes | _Window
        self._decoder = _Bytes(backend) if _is_byte_level(backend) else _Window(tokenizer)

    def push(self, token: int) -> str:
        """The text that this token completes."""
        return self._decoder.push(token)

    def flush(self) -> str:
        """What is left of an unfinished character at the end: replacement characters or nothing."""
        return self._decoder.flush()


class TokenTexts:
    """The text of single tokens by id, each decoded once; an incomplete character shows as its mark."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._known: dict[int, str] = {}

    def __getitem__(self, token: int) -> str:
        text = self._known.get(token)
        if text is None:
            text = self._tokenizer.decode([token], clean_up_tokenization_spaces=False)
            self._known[token] = text
        return text


class _Bytes:
    """Byte-level vocabularies: every token is bytes, and UTF-8 can be decoded as it arrives."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self._utf8 = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def push(self, token: int) -> str:
        return self._utf8.decode(_token_bytes(self._backend.id_to_token(token)))

    def flush(self) -> str:
        return self._utf8.decode(b"", final=True)


class _Window:
    """Any other vocabulary: decodes the last few tokens with and without the new ones.

    What precedes a word decides its leading space, so the tokens of the piece before stay in the window.
    Byte tokens that form no character are given up after four: some vocabularies' decoders then also take
    back characters just before them, which text already shown cannot follow.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._before: list[int] = []
        self._waiting: list[int] = []

    def push(self, token: int) -> str:
        self._waiting.append(token)
        piece = self._piece()
        if piece.endswith("\ufffd") and len(self._waiting) < 4:  # no character has more than four bytes
            return ""
        if piece:
            self._before, self._waiting = self._waiting, []
        return piece

    def flush(self) -> str:
        piece = self._piece() if self._waiting else ""
        self._before, self._waiting = self._waiting or self._before, []
        return piece

    def _piece(self) -> str:
        known = self._decode(self._before)
        return self._decode(self._before + self._waiting)[len(known) :]

    def _decode(self, ids: list[int]) -> str:
        return self._tokenizer.decode(ids, clean_up_tokenization_spaces=False) if ids else ""


def _is_byte_level(backend: Any) -> bool:
    decoder = getattr(backend, "decoder", None)
    return decoder is not None and json.loads(decoder.__getstate__()).get("type") == "ByteLevel"


def _token_bytes(token: str | None) -> bytes:
    """The bytes that a byte-level token stands for; one the vocabulary lacks stands for none."""
    if token is None:
        return b""
    try:
        return bytes(map(_BYTE_OF.__getitem__, token))
    except KeyError:  # an added token with characters outside the byte alphabet stands for itself
        return token.encode()


def _byte_alphabet() -> dict[str, int]:
    """GPT-2's character for each byte, reversed: printable Latin-1 is itself, the rest follow from 256."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(256 + i): byte for i, byte in enumerate(others)}


_BYTE_OF = _byte_alphabet()
