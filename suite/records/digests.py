"""A column of digests: texts of about one length, side by side in memory, so that millions of them weigh little."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any

import numpy as np
from pandas.api.extensions import ExtensionArray, ExtensionDtype, register_extension_dtype

NAME = "digest"
Truths = np.ndarray[Any, np.dtype[np.bool_]]


@register_extension_dtype
class DigestType(ExtensionDtype):
    """What pandas calls a column of digests."""

    name = NAME
    type = str
    kind = "S"
    na_value = ""

    @classmethod
    def construct_array_type(cls) -> builtins.type[Digests]:
        """Return the class of such columns."""
        return Digests


class Digests(ExtensionArray):
    """Digests as NumPy holds bytes; each comes out as text, and none is ever missing."""

    def __init__(self, encoded: np.ndarray[Any, Any]) -> None:
        """Hold texts that are encoded in UTF-8, none of which ends in a null."""
        self.encoded = encoded

    __hash__ = None  # type: ignore[assignment]

    @classmethod
    def _from_sequence(cls, scalars: Sequence[Any], *, copy: bool = False, **_: Any) -> Digests:
        if isinstance(scalars, cls):
            return scalars.copy() if copy else scalars
        texts = [str(text).encode() for text in scalars]
        if any(text.endswith(b"\0") for text in texts):
            raise ValueError("a digest ends in a null, which NumPy takes for padding")
        return cls(np.array(texts, dtype="S"))

    @classmethod
    def _from_factorized(cls, values: Any, *_: Any) -> Digests:
        return cls._from_sequence(values)

    @classmethod
    def _concat_same_type(cls, to_concat: Sequence[Digests]) -> Digests:
        return cls(np.concatenate([part.encoded for part in to_concat]))

    @property
    def dtype(self) -> DigestType:
        """Return the type of the column."""
        return DigestType()

    @property
    def nbytes(self) -> int:
        """Return how many bytes the digests take."""
        return int(self.encoded.nbytes)

    def __len__(self) -> int:
        """Return how many digests there are."""
        return len(self.encoded)

    def __getitem__(self, place: Any) -> Any:
        """Return one digest as text, or some of them as a column."""
        found = self.encoded[place]
        return found.decode() if isinstance(found, bytes) else type(self)(found)

    def __setitem__(self, place: Any, text: Any) -> None:
        """Put a digest, or several, in the place of others."""
        texts = [text] if isinstance(text, str) else list(text)
        new = self._from_sequence(texts).encoded
        self.encoded = self.encoded.astype(np.promote_types(self.encoded.dtype, new.dtype))
        self.encoded[place] = new[0] if isinstance(text, str) else new

    def __eq__(self, other: object) -> Truths:  # type: ignore[override]
        """Tell for each digest whether it is equal to its partner, or to the only one."""
        partner = other.encode() if isinstance(other, str) else self._from_sequence(other).encoded  # type: ignore[arg-type]
        return np.asarray(self.encoded == partner)

    def isna(self) -> Truths:
        """Tell that none is missing."""
        return np.zeros(len(self), dtype=np.bool_)

    def take(self, indices: Any, *, allow_fill: bool = False, fill_value: Any = None) -> Digests:
        """Return the digests at some places."""
        places = np.asarray(indices, dtype=np.intp)
        if not allow_fill or (places >= 0).all():
            return type(self)(self.encoded[places])
        filler = self._from_sequence([fill_value or ""]).encoded
        return type(self)(np.concatenate([self.encoded, filler])[places])  # -1, which stands for it, is the last

    def copy(self) -> Digests:
        """Return the same digests once more."""
        return type(self)(self.encoded.copy())
