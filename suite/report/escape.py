"""Text that was read from files, made harmless where it is shown."""

from __future__ import annotations

import json
import re

APART = "\u200b"
"""A space without width, which parts what it stands in for whoever looks it up, and for no reader."""
MARKDOWN_SPECIAL = str.maketrans({char: f"\\{char}" for char in "\\`*[]<>|#&~$"} | {APART: "&#8203;"})
EDGE_UNDERSCORE = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
"""An underscore that could begin or end emphasis; one inside a word cannot."""
LOOKED_UP = re.compile(
    r"(?<=:)(?=//)|(?<=www)(?=\.)|(?<=@)(?=\w)|(?<=#)(?=\d)|(?<=:)(?!(?:cuda|mps|xpu):)(?=[\w+-]+:)", re.IGNORECASE
)
"""Where GitHub finds an address, somebody's name, an issue's number or a picture's in what no markup surrounds.

It does so in what the Markdown came to, where no backslash is left; devices of torch are called as no picture is.
"""

OLD_COMMAND, COMMAND = "##[", "::"
"""What begins a command to GitHub's runners: in any place of a line, and after the blanks before it."""
COLON_BEFORE_ANOTHER = re.compile(":(?=:)")
LINE_OF_ITS_OWN = re.compile(r"(?<!\S)::\S*|\S{16,}")
"""A word that begins a command, or that is so long that it may be broken where one begins."""
FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What makes spreadsheets take a field for a formula, which they evaluate: some also where it is of full width."""


def plain(text: str) -> str:
    """Return text without control characters, so that nothing read from a file can steer a terminal, or a runner."""
    shown = text if text.isprintable() else "".join(map(_named, text))
    shown = shown.replace(OLD_COMMAND, r"\x23#[")
    if COMMAND not in shown:
        return shown
    return LINE_OF_ITS_OWN.sub(lambda word: without_commands(word[0]), shown)


def without_commands(text: str) -> str:
    """Return text that holds no two colons side by side, so that wherever it is broken, no line begins a command."""
    return COLON_BEFORE_ANOTHER.sub(r"\\x3a", text)


def _named(char: str) -> str:
    return char if char.isprintable() else f"\\x{ord(char):02x}"


def markdown(text: str) -> str:
    """Return text that Markdown shows as it stands: without markup, links or pictures, in one cell of a table."""
    parted = LOOKED_UP.sub(APART, plain(text))
    return EDGE_UNDERSCORE.sub(r"\\_", parted.translate(MARKDOWN_SPECIAL))


def spreadsheet(text: str) -> str:
    """Return text that a spreadsheet shows as it stands: an apostrophe before what it would take for a formula."""
    shown = plain(text)
    return f"'{shown}" if shown.lstrip().startswith(FORMULA) else shown


def as_json(value: object) -> str:
    """Return a value as JSON in plain characters only: any other stands there by its number.

    Raises:
        ValueError: if it holds a number that is not finite.
    """
    text = json.dumps(value, indent=1, allow_nan=False)
    return text.replace("\x7f", r"\u007f").replace(OLD_COMMAND, r"\u0023#[")
