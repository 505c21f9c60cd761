"""Case: the frozen declaration of one architecture, its training and what is expected of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from suite.errors import raise_all

if TYPE_CHECKING:
    from torch import Tensor, nn


class Expected:
    """What a case may list under ``expect``; :mod:`suite.expect` makes them."""

    claims: tuple[str, ...]


class Shown(Protocol):
    """What a case may list under ``show``; :mod:`suite.picture` makes them."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """Name the parameters that it follows."""


class Stepper(Protocol):
    """What the loop needs of an optimizer: nothing but a step."""

    def step(self) -> Any:
        """Change the parameters according to their gradients."""


@dataclass(frozen=True)
class ByName:
    """An optimizer that is built from named parameters: ``by_name(Solved)``."""

    build: Callable[[Iterable[tuple[str, nn.Parameter]]], Stepper]


def by_name(build: Callable[[Iterable[tuple[str, nn.Parameter]]], Stepper]) -> ByName:
    """Mark ``build`` as an optimizer that wants ``named_parameters()``, not ``parameters()``."""
    return ByName(build)


@dataclass(frozen=True)
class Fixed:
    """Data written out in the case file: nested lists of numbers."""

    x: Sequence[Any]
    target: Sequence[Any]

    def __call__(self) -> tuple[Tensor, Tensor]:
        """Return inputs and targets as float32 tensors on the CPU, shaped as they were written."""
        import torch

        return torch.tensor(self.x, dtype=torch.float32), torch.tensor(self.target, dtype=torch.float32)


def fixed(*, x: Sequence[Any], target: Sequence[Any]) -> Fixed:
    """Declare data that never changes: ``fixed(x=[1.0], target=[5.0])``."""
    return Fixed(x, target)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One architecture, how it is trained, and what its documents claim about it.

    Raises:
        SuiteError: when it is made, naming every field that cannot be trained, judged or shown with.
    """

    architecture: Callable[[], nn.Module]
    """Builds the untrained network; may draw from torch's, NumPy's or Python's generator, which the seed sets."""
    data: Callable[[], tuple[Tensor, Tensor]]
    """Gives inputs and targets, on the CPU, the same at every call."""
    loss: Callable[[Tensor, Tensor], Tensor]
    """Maps outputs and targets to a scalar."""
    optimizer: Callable[[Iterable[nn.Parameter]], Stepper] | ByName
    """Builds the optimizer from the network's parameters."""
    steps: int
    """Number of updates."""
    claims: tuple[str, ...] = ()
    """Ids of the claims that this case checks; see ``claims.toml`` beside the case folders."""
    expect: Sequence[Expected] = ()
    """What must hold of the trained seeds."""
    show: Sequence[Shown] = ()
    """What a page draws of a few of them."""
    name: str = ""
    """Unique over all folders of cases that are given together; the file's name unless given."""
    file: str = ""
    """The file that declares it, as found by discovery."""

    def __post_init__(self) -> None:
        """Gather what is wrong with the declaration."""
        label = self.name or "Case"
        raise_all(f"{label}: {fault}" for fault in self._faults())

    def _faults(self) -> Iterable[str]:
        for field in ("architecture", "data", "loss"):
            if not callable(getattr(self, field)):
                yield f"{field} is {getattr(self, field)!r}; it must be callable"
        if not (callable(self.optimizer) or isinstance(self.optimizer, ByName)):
            yield f"optimizer is {self.optimizer!r}; it must be callable, as partial(SGD, lr=0.1)"
        if isinstance(self.steps, bool) or not isinstance(self.steps, int) or self.steps < 1:
            yield f"steps is {self.steps!r}; it must be a whole number of updates, at least 1"
        if not isinstance(self.name, str):
            yield f"name is {self.name!r}; it must be a text"
        if not self._claims_are_texts():
            yield f'claims is {self.claims!r}; it must be a tuple of texts, as ("G2",)'
        yield from self._expectation_faults()
        yield from self._picture_faults()

    def _claims_are_texts(self) -> bool:
        return _is_list(self.claims) and all(isinstance(claim, str) for claim in self.claims)

    def _expectation_faults(self) -> Iterable[str]:
        if not _is_list(self.expect):
            yield f"expect is {self.expect!r}; it must be a list, as [rate(...), parameter(...)]"
            return
        for number, expectation in enumerate(self.expect, start=1):
            if not isinstance(expectation, Expected):
                yield f"expect: item {number} is {expectation!r}; use rate(...), parameter(...) and the like"
            elif self._claims_are_texts():
                for claim in sorted(set(expectation.claims) - set(self.claims)):
                    yield f"expect: item {number} shows {claim}, which claims does not list"

    def _picture_faults(self) -> Iterable[str]:
        if not _is_list(self.show):
            yield f"show is {self.show!r}; it must be a list, as [path(...), graph(...)]"
            return
        for number, picture in enumerate(self.show, start=1):
            if not _is_picture(picture):
                yield f"show: item {number} is {picture!r}; use path(...) or graph(...)"

    def located(self, *, name: str, file: str) -> Case:
        """Return the same declaration with the name and file that discovery found."""
        return replace(self, name=name, file=file)


def _is_list(given: object) -> bool:
    """Tell whether a field holds items in an order, as often as they are asked for; a text is no list of letters."""
    return isinstance(given, Sequence) and not isinstance(given, str | bytes)


def _is_picture(given: object) -> bool:
    """Tell whether it names parameters as a picture does; an expectation, a function or a network does not."""
    return isinstance(getattr(given, "parameters", None), tuple)
