"""What each claim's id stands for, as it is written beside the cases that cite it."""

from __future__ import annotations

import tomllib
from dataclasses import astuple, dataclass
from pathlib import Path

from suite.errors import SuiteError, raise_all, told
from suite.paths import real, shown

CLAIMS_FILE = "claims.toml"
"""Beside the case files: what each claim's id stands for."""
CLAIMS_ABOVE = 2
"""How many folders above a root are searched for it at least: for one case file, its folder and the next."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One claim of one document."""

    id: str
    document: str
    heading: str
    says: str
    """The claim in our own words."""


def claims_places(root: Path) -> list[Path]:
    """Return the folders whose claims the cases under ``root`` may cite, the nearest first.

    Those are the root and the two above it; and more, up to the working folder, if the root lies deeper below that:
    so a file that is named alone finds the claims that it finds as part of a whole folder.
    """
    above, here = list(real(root).parents), real(Path.cwd())
    deep = above.index(here) + 1 if here in above else 0
    return [root, *above[: max(CLAIMS_ABOVE, deep)]]


def read_claims(root: Path) -> list[Claim]:
    """Read the claims that the cases under ``root`` may cite; none if neither it nor the folders above have any.

    Raises:
        SuiteError: if the file cannot be read, is no TOML, or a claim in it is not whole.
    """
    file = next((place / CLAIMS_FILE for place in claims_places(root) if (place / CLAIMS_FILE).is_file()), None)
    if file is None:
        return []
    try:
        documents = tomllib.loads(file.read_text(encoding="utf-8")).get("document", [])
        claims = [
            Claim(id=row["id"], document=document["title"], heading=row["heading"], says=row["says"])
            for document in documents
            for row in document["claim"]
        ]
    except OSError as error:
        raise SuiteError(f"{shown(file)}: cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:  # the first of them: no TOML
        raise SuiteError(f"{shown(file)}: {told(error)}; each claim needs id, heading and says") from error
    words = (word for claim in claims for word in astuple(claim))
    raise_all(f"{shown(file)}: found {word!r}, expected some text" for word in words if not isinstance(word, str))
    return claims
