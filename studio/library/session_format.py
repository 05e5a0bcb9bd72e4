"""What the writer and the reader of stored sessions share."""

from __future__ import annotations

DAMAGE = (KeyError, TypeError, ValueError, AttributeError, IndexError)
"""What reading a record raises that is not as it was written."""

PLAIN = {"prompt": "", "question": "", "source": "pocket", "bypass": False, "compare": False, "truth": False}
"""Values of a session that are kept as they are, with their defaults."""
