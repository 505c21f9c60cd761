"""Text that was read from files, made harmless where it is shown."""

from __future__ import annotations

import re

MARKDOWN_SPECIAL = str.maketrans({char: f"\\{char}" for char in "\\`*[]<>|#&~"})
EDGE_UNDERSCORE = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
"""An underscore that could begin or end emphasis; one inside a word cannot."""


def plain(text: str) -> str:
    """Return text without control characters, so that nothing read from a file can steer a terminal."""
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)


def markdown(text: str) -> str:
    """Return text that Markdown shows as it stands: without markup, in one cell of a table."""
    return EDGE_UNDERSCORE.sub(r"\\_", plain(text).translate(MARKDOWN_SPECIAL))
