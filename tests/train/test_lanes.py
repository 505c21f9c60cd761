"""A lane gets what its seed would get alone, whatever is done and whoever its neighbours are."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from suite.train.lanes import Lanes

LANES = 5
Operation = Callable[[Tensor], Tensor]

MATRIX = torch.linspace(-1.0, 1.0, 12).reshape(4, 3)
VECTOR = torch.linspace(-2.0, 2.0, 3)

OPERATIONS: dict[str, Operation] = {
    "sum with a constant": lambda x: x + VECTOR,
    "constant over lanes": lambda x: VECTOR / (x.square() + 1.0),
    "number": lambda x: 2.0 * x - 1.0,
    "in place": lambda x: (x * 1.0).add_(VECTOR),
    "product": lambda x: x @ MATRIX.T,
    "product from the left": lambda x: MATRIX @ x.T,
    "product with itself": lambda x: x @ x.T,
    "product over one": lambda x: x[:, :1] @ x[:1],
    "scaled product": lambda x: torch.addmm(VECTOR[:2], x, x.T, beta=0.5, alpha=2.0),
    "matrix by vector": lambda x: torch.mv(x, VECTOR),
    "vectors": lambda x: torch.dot(x[0], x[1]),
    "layer": lambda x: nn.functional.linear(x, MATRIX, torch.ones(4)),
    "layer of one input": lambda x: nn.functional.linear(x[0], MATRIX, torch.ones(4)),
    "layer without a bias": lambda x: nn.functional.linear(x[1], MATRIX),
    "sum": lambda x: x.sum(),
    "sum over one axis": lambda x: x.sum(dim=-1, keepdim=True),
    "sum of a number": lambda x: x.sum().sum() + x.sum().mean(),
    "mean": lambda x: x.mean(),
    "mean over one axis": lambda x: x.mean(dim=0),
    "transposed": lambda x: x.t().contiguous(),
    "transposed vector": lambda x: x[0].t(),
    "permuted": lambda x: x.unsqueeze(0).permute(2, 0, 1),
    "reshaped": lambda x: x.reshape(3, 2).flatten(),
    "expanded": lambda x: x.sum(dim=1, keepdim=True).expand(2, 3) * x,
    "expanded by an axis": lambda x: x.expand(4, 2, 3),
    "squeezed": lambda x: x[:1].squeeze(0),
    "squeezed number": lambda x: x.sum().squeeze(),
    "joined": lambda x: torch.cat([x, VECTOR.unsqueeze(0)], dim=0),
    "joined behind": lambda x: torch.cat([x, x], dim=-1),
    "squared error": lambda x: nn.functional.mse_loss(x, VECTOR.expand(2, 3)),
    "sum of squared errors": lambda x: nn.functional.mse_loss(x, VECTOR.expand(2, 3), reduction="sum"),
    "squared errors": lambda x: nn.functional.mse_loss(x, VECTOR.expand(2, 3), reduction="none"),
    "squared error of numbers": lambda x: nn.functional.mse_loss(x.sum(), torch.tensor(1.0)),
    "leaky": lambda x: nn.functional.leaky_relu(x, 0.1),
    "no rule of its own": lambda x: torch.cumsum(x, dim=0),
    "two answers": lambda x: torch.sort(x, dim=1).values,
    "softmax": lambda x: torch.softmax(x, dim=-1),
    "normalised": lambda x: nn.functional.layer_norm(x, (3,)),
}


def alone(operation: Operation, wide: Tensor) -> tuple[Tensor, Tensor]:
    """Return each lane's answer and gradient, computed for it alone: ``(*shape, lanes)`` each."""
    answers, gradients = [], []
    for lane in range(wide.shape[-1]):
        x = wide[..., lane].clone().requires_grad_()
        answer = operation(x)
        gradients.append(torch.autograd.grad(answer.sin().sum(), x)[0])
        answers.append(answer.detach())
    return torch.stack(answers, dim=-1), torch.stack(gradients, dim=-1)


def together(operation: Operation, wide: Tensor) -> list[Tensor]:
    """Return all lanes' answers and gradients at once."""
    x = Lanes(wide).requires_grad_()
    answer = operation(x)
    (gradient,) = torch.autograd.grad(answer.sin().sum(), x)
    return [part.detach().wide for part in (answer, gradient)]  # type: ignore[attr-defined]


@pytest.fixture
def wide() -> Tensor:
    """Five lanes of a two by three matrix, no two numbers alike."""
    return torch.rand(2, 3, LANES, generator=torch.Generator().manual_seed(0)) * 4 - 2


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_lane_gets_what_it_would_get_alone(name: str, dtype: torch.dtype, wide: Tensor) -> None:
    """Answers and gradients of every operation are each lane's own, to rounding."""

    def operation(x: Tensor) -> Tensor:
        return OPERATIONS[name](x.to(torch.float32)).to(dtype)

    for found, expected in zip(together(operation, wide.to(dtype)), alone(operation, wide.to(dtype)), strict=True):
        assert found.shape == expected.shape
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_reduced_products_are_rounded_once(dtype: torch.dtype, wide: Tensor) -> None:
    """A layer in a reduced dtype is summed in float32 and rounded at its end, bias and all."""
    x, weight, bias = wide.to(dtype), MATRIX.to(dtype), torch.ones(4, dtype=dtype)
    found = nn.functional.linear(Lanes(x), weight, bias).wide  # type: ignore[attr-defined]
    exact = torch.einsum("nkl,mk->nml", x.float(), weight.float()) + bias.float()[:, None]
    torch.testing.assert_close(found, exact.to(dtype), rtol=0, atol=0)


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_lane_keeps_its_bits_whoever_its_neighbours_are(name: str, wide: Tensor) -> None:
    """Changing one lane leaves every bit of the others as it was."""
    other = wide.clone()
    other[..., 2] += 1.0
    for before, after in zip(together(OPERATIONS[name], wide), together(OPERATIONS[name], other), strict=True):
        assert torch.equal(before[..., [0, 1, 3, 4]], after[..., [0, 1, 3, 4]])


def test_lanes_tell_what_they_are(wide: Tensor) -> None:
    """They have one seed's shape, and say how many lanes are behind it."""
    assert Lanes(wide).shape == (2, 3)
    assert repr(Lanes(wide)) == "Lanes((2, 3), lanes=5, dtype=torch.float32)"
