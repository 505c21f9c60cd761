"""A portrait of a case is what its files say, and what its network turns out to be."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.optim import SGD

from suite.case import by_name
from suite.discover import discover, documented
from suite.report.cases.portrait import described, portray
from suite.version import case_version

Write = Callable[[str, str], Path]

CLAIMS = """
    [[document]]
    title = "A Document"
    claim = [
        { id = "A", heading = "First", says = "it learns" },
        { id = "B", heading = "Second", says = "it moves" },
        { id = "C", heading = "Third", says = "another's" },
    ]
"""


def test_a_portrait_by_hand(write: Write, case_text: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Everything that is shown of a case stands in its file, in the claims, or in its network."""
    monkeypatch.chdir(tmp_path)
    expected = (
        "claims=('B', 'A'), expect=[parameter('weight', low=1.0).shows('A'), final_loss(high=2.0)],\n    name='odd',"
    )
    text = case_text.replace("Case, fixed", "Case, fixed, final_loss, parameter").replace(
        "steps=3,", f"{expected}steps=3,"
    )
    write("cases/claims.toml", CLAIMS)
    write("cases/neuron.py", text.replace("bias.'''", "bias.\n\nSource: \"A Document\",\nhere.\n'''"))
    collection = discover([Path("cases")])
    portrait = portray(collection.cases[0], collection)
    assert (portrait.case, portrait.title) == ("odd", "One neuron without a bias.")
    assert portrait.source == '"A Document", here.'
    assert portrait.place == "cases/neuron.py:14"
    assert (portrait.steps, portrait.optimizer, portrait.loss) == (3, "SGD(lr=0.1, momentum=0.9)", "MSELoss()")
    assert (portrait.inputs, portrait.targets, portrait.parameters) == ((1,), (1,), {"weight": (1, 1)})
    assert portrait.declaration.splitlines()[0] == "CASE = Case("
    assert portrait.version == case_version(collection.cases[0])
    assert portrait.expected == ()
    told = [(c.id, c.document, c.heading, c.says, c.expected) for c in portrait.claims]
    assert told == [
        ("B", "A Document", "Second", "it moves", ("final loss at most 2",)),
        ("A", "A Document", "First", "it learns", ("weight at least 1", "final loss at most 2")),
    ]


def test_what_shows_no_claim_is_expected_all_the_same(write: Write, case_text: str) -> None:
    """A case that cites no claim still expects something."""
    text = case_text.replace("Case, fixed", "Case, fixed, final_loss").replace(
        "steps=3", "steps=3, expect=[final_loss(high=2.0)]"
    )
    collection = discover([write("neuron.py", text)])
    portrait = portray(collection.cases[0], collection)
    assert (portrait.claims, portrait.expected) == ((), ("final loss at most 2",))


def test_a_lazy_layer_has_the_shape_of_its_data(write: Write, case_text: str) -> None:
    """Its parameters have a shape once they have seen an input."""
    lazy = case_text.replace("partial(nn.Linear, 1, 1, bias=False)", "partial(nn.LazyLinear, 3)")
    collection = discover([write("lazy.py", lazy.replace("target=[5.0]", "target=[5.0] * 3"))])
    assert portray(collection.cases[0], collection).parameters == {"weight": (3, 1), "bias": (3,)}


def test_a_portrait_leaves_the_generators_as_they_were(write: Write, case_text: str) -> None:
    """To look at a case changes no random number that is drawn after it."""
    collection = discover([write("neuron.py", case_text)])
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    portray(collection.cases[0], collection)
    assert torch.equal(torch.rand(1), expected)


def test_every_documented_case_has_a_portrait() -> None:
    """Each of them has a source, parameters, and something expected of each claim."""
    collection = discover([documented()])
    for case in collection.cases:
        portrait = portray(case, collection)
        assert portrait.source, case.name
        assert portrait.parameters, case.name
        assert [claim.id for claim in portrait.claims if claim.expected] == list(case.claims), case.name
        assert " at 0x" not in portrait.optimizer + portrait.loss, case.name


class Own:
    """Has no text of its own."""

    def __init__(self, *given: object, **named: object) -> None:
        """Take anything."""

    def step(self) -> None:
        """Do nothing."""


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (partial(SGD, lr=0.1, momentum=0.9), "SGD(lr=0.1, momentum=0.9)"),
        (SGD, "SGD"),
        (by_name(partial(Own, 3)), "by_name(Own(3))"),
        (nn.MSELoss(reduction="sum"), "MSELoss()"),
        (cross_entropy, "cross_entropy"),
        (
            partial(partial(cross_entropy, label_smoothing=0.1), reduction="sum"),
            "cross_entropy(label_smoothing=0.1, reduction='sum')",
        ),
        (nn.Sequential(nn.ReLU()), "Sequential( (0): ReLU() )"),
        (Own(), f"<{__name__}.Own object>"),
        (partial(Own, act=nn.ReLU), "Own(act=ReLU)"),
    ],
)
def test_what_is_called_is_described_as_one_would_write_it(value: object, words: str) -> None:
    """Names and settings, in one line, without where it lies in memory."""
    assert described(value) == words
