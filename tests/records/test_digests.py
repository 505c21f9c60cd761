"""A column of digests is a column of texts to whoever looks at it, and takes no more than their bytes."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.records.digests import DigestType

TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"])).filter(lambda text: not text.endswith("\0")))
WORDS = ["ab", "c", "ab", "é"]


@given(texts=TEXTS)
def test_digests_come_out_as_the_texts_that_went_in(texts: list[str]) -> None:
    """Of any length and script, one by one, all together, and in a file."""
    column = pd.Series(texts, dtype="str").astype(DigestType())
    assert column.dtype == DigestType()
    assert column.tolist() == texts
    assert [column[place] for place in range(len(texts))] == texts
    assert column.astype("str").tolist() == texts


@given(ours=TEXTS, theirs=TEXTS)
def test_digests_are_equal_where_the_texts_are(ours: list[str], theirs: list[str]) -> None:
    """Whatever their lengths; each with its partner, and each with one text."""
    size = min(len(ours), len(theirs))
    columns = [pd.Series(texts[:size], dtype="str").astype(DigestType()) for texts in (ours, theirs)]
    pairs = zip(ours, theirs, strict=False)
    assert (columns[0] == columns[1]).tolist() == [mine == yours for mine, yours in pairs]
    for text in theirs:
        assert (columns[0] == text).tolist() == [mine == text for mine in ours[:size]]


def test_a_null_at_the_end_is_refused() -> None:
    """NumPy would drop it in silence."""
    with pytest.raises(ValueError, match="ends in a null"):
        pd.Series(["ab", "ab\0"], dtype="str").astype(DigestType())


def test_digests_are_chosen_and_put_together() -> None:
    """Rows that are taken, sorted, joined or filled up keep their digests."""
    column = pd.Series(WORDS, dtype="str").astype(DigestType())
    assert column.iloc[[3, 0]].tolist() == ["é", "ab"]
    assert column[column == "ab"].index.tolist() == [0, 2]
    assert pd.concat([column, column.iloc[:1]]).tolist() == [*WORDS, "ab"]
    assert column.reindex([1, 7]).tolist() == ["c", ""]
    assert column.mask(column == "c", "longer").tolist() == ["ab", "longer", "ab", "é"]
    assert column.unique().tolist() == ["ab", "c", "é"]
    assert not column.isna().any()


def test_a_copy_is_another_column() -> None:
    """What is put into it leaves the first as it was."""
    column = pd.Series(WORDS, dtype="str").astype(DigestType())
    other = column.copy()
    other.iloc[0] = "changed"
    assert (column[0], other[0]) == ("ab", "changed")


def test_digests_take_no_more_than_their_bytes() -> None:
    """A million of sixteen letters are sixteen million bytes."""
    column = pd.Series(["0123456789abcdef"] * 100, dtype="str").astype(DigestType())
    assert column.array.nbytes == 1600
