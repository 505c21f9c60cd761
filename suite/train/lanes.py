"""Seeds as one more axis: a tensor that looks like one seed's and holds all seeds', the lanes, behind it.

The network, its loss and its gradient run once, as they stand, on such tensors. Below autograd each
operation is done for all lanes at once: elementwise operations need nothing for it; products of
matrices become sums of elementwise products, or one product with all lanes' columns where that is
found to treat them alike, so that every lane gets the same arithmetic, whoever its neighbours are.
What has no rule of its own goes through :func:`torch.vmap`. The plain operations that this comes to
are kept on a tape (:mod:`suite.train.tape`), to be played at every step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, reduce
from operator import or_
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

from suite.train.tape import taping

aten = torch.ops.aten

REDUCED = (torch.bfloat16, torch.float16)
"""Products in these are summed in float32 and rounded once, as torch's own kernels do."""


class Lanes(Tensor):
    """A tensor of one seed's shape that holds ``(*shape, lanes)``."""

    wide: Tensor

    @staticmethod
    def __new__(cls, wide: Tensor) -> Lanes:
        """Wrap ``(*shape, lanes)``."""
        made = Tensor._make_wrapper_subclass(cls, wide.shape[:-1], dtype=wide.dtype, device=wide.device)
        made.wide = wide
        return made

    def __repr__(self) -> str:  # type: ignore[override]
        """Show one seed's shape and the number of lanes."""
        return f"Lanes({tuple(self.shape)}, lanes={self.wide.shape[-1]}, dtype={self.dtype})"

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, _types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Do one operation for all lanes."""
        return _done_wide(func, args, kwargs or {})

    @classmethod
    def __torch_function__(
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Weigh a single input as torch does, though not in place: as a batch of one, the bias apart."""
        if func is nn.functional.linear and args[0].ndim == 1:
            return _linear(*args, **(kwargs or {}))
        return super().__torch_function__(func, types, args, kwargs or {})  # type: ignore[no-untyped-call]


def _linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    weighed = torch.mm(x.unsqueeze(0), weight.t()).squeeze(0)
    return weighed if bias is None else weighed + bias


def _done_wide(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    rule = RULES.get(func)
    with taping():
        if rule is not None:
            return Lanes(rule(*args, **kwargs))
        if torch.Tag.pointwise in func.tags or func in ALIKE:
            answer = func(*tree_map(_aligned, args), **tree_map(_aligned, kwargs))
            return args[0] if func._schema.is_mutable else Lanes(answer)
        return _mapped(func, args, kwargs)


def _aligned(value: Any) -> Any:
    """Give a value a last axis of one, if it has none for the lanes and is no single number."""
    if isinstance(value, Lanes):
        return value.wide
    return value.unsqueeze(-1) if isinstance(value, Tensor) and value.ndim else value


def _mapped(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Do an operation without a rule by torch's own batching."""
    flat, spec = tree_flatten((args, kwargs))
    places = [place for place, value in enumerate(flat) if isinstance(value, Lanes)]

    given: list[bool] = []

    def one(*values: Tensor) -> list[Tensor]:
        filled = list(flat)
        for place, value in zip(places, values, strict=True):
            filled[place] = value
        own_args, own_kwargs = tree_unflatten(filled, spec)
        answer = func(*own_args, **own_kwargs)
        parts = [answer] if isinstance(answer, Tensor) else list(answer)
        given[:] = [part is not None for part in parts]
        return [part for part in parts if part is not None]

    with _above_autograd():
        answers = iter(torch.vmap(one, in_dims=-1, out_dims=-1)(*(flat[place].wide for place in places)))
    whole = tuple(Lanes(next(answers)) if is_given else None for is_given in given)
    return whole if len(func._schema.returns) > 1 else whole[0]


def _above_autograd() -> Any:
    """Let torch's batching take part again, which is shut out below autograd; not autocast, which would round."""
    return torch._C._ForceDispatchKeyGuard(torch._C._dispatch_tls_local_include_set(), _autocast())


@cache
def _autocast() -> Any:
    """Return what stands for autocast, on any device, where torch decides who takes part in an operation."""
    kinds = torch._C.DispatchKey
    names = (name for name in dir(kinds) if name.startswith("Autocast"))
    return reduce(or_, (torch._C.DispatchKeySet(getattr(kinds, name)) for name in names))


def _dims(dims: int | Sequence[int], rank: int) -> list[int]:
    """Count axes from the front, so that the lanes behind do not shift them."""
    return [dim % rank for dim in ([dims] if isinstance(dims, int) else dims)]


def _permute(lanes: Lanes, dims: Sequence[int]) -> Tensor:
    return lanes.wide.permute(*_dims(dims, lanes.ndim), lanes.ndim)


def _transpose(lanes: Lanes, first: int = 0, second: int = 1) -> Tensor:
    if lanes.ndim < 2:
        return lanes.wide
    return lanes.wide.transpose(*_dims([first, second], lanes.ndim))


def _reshape(lanes: Lanes, shape: Sequence[int]) -> Tensor:
    return lanes.wide.reshape(*shape, lanes.wide.shape[-1])


def _expand(lanes: Lanes, shape: Sequence[int], implicit: bool = False) -> Tensor:
    padded = lanes.wide.reshape(*(1,) * (len(shape) - lanes.ndim), *lanes.wide.shape)
    return padded.expand(*shape, -1)


def _unsqueeze(lanes: Lanes, dim: int) -> Tensor:
    return lanes.wide.unsqueeze(dim % (lanes.ndim + 1))


def _squeeze(lanes: Lanes, dims: int | Sequence[int]) -> Tensor:
    return lanes.wide.squeeze(_dims(dims, max(1, lanes.ndim))) if lanes.ndim else lanes.wide


def _cat(parts: Sequence[Any], dim: int = 0) -> Tensor:
    lanes = next(part.wide.shape[-1] for part in parts if isinstance(part, Lanes))
    wide = [_aligned(part).expand(*part.shape, lanes) for part in parts]
    return torch.cat(wide, dim % parts[0].ndim)


def _sum(lanes: Lanes, dims: Sequence[int] | None = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    return lanes.wide.sum(_over(lanes, dims), keepdim, dtype=dtype) if lanes.ndim else lanes.wide


def _mean(lanes: Lanes, dims: Sequence[int] | None = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    return lanes.wide.mean(_over(lanes, dims), keepdim, dtype=dtype) if lanes.ndim else lanes.wide


def _over(lanes: Lanes, dims: Sequence[int] | None) -> list[int]:
    return _dims(dims, lanes.ndim) if dims else list(range(lanes.ndim))


def _product(left: Any, right: Any) -> Tensor:
    """Multiply matrices, ``(n, k)`` by ``(k, m)``."""
    if left.shape[1] == 1:
        return cast("Tensor", _aligned(left) * _aligned(right))
    return _matrix_product(left, right).to(left.dtype)


def _matrix_product(left: Any, right: Any) -> Tensor:
    """Multiply in the dtype before rounding: by one matrix for all lanes if one of the two is, else elementwise."""
    if not isinstance(left, Lanes) and _columns_alike(_exact(left), right.wide[0].numel()):
        return _times_all(_exact(left), _exact(right.wide))
    if not isinstance(right, Lanes) and _columns_alike(_exact(right).t(), left.wide[:, 0].numel()):
        return _times_all(_exact(right).t(), _exact(left.wide).transpose(0, 1)).transpose(0, 1)
    left, right = _exact(_aligned(left)), _exact(_aligned(right))
    return cast("Tensor", (left.unsqueeze(2) * right.unsqueeze(0)).sum(1))


def _times_all(matrix: Tensor, wide: Tensor) -> Tensor:
    """Multiply one ``(m, k)`` by ``(k, n, lanes)``: all lanes' columns are one matrix's."""
    return (matrix @ wide.reshape(len(wide), -1)).view(len(matrix), *wide.shape[1:])


@cache
def _alike(shape: tuple[int, int], columns: int, dtype: torch.dtype, device: torch.device) -> bool:
    """Try whether a product treats each of so many columns as the others, or some by another order of sums."""
    rows, inner = shape
    numbers = torch.arange(1, inner * (rows + 1) + 1, device=device).to(dtype).sin()
    matrix, column = numbers[inner:].reshape(rows, inner), numbers[:inner, None]
    product = matrix @ column.repeat(1, columns)
    return bool((product == product[:, :1]).all())


def _columns_alike(matrix: Tensor, columns: int) -> bool:
    return _alike((matrix.shape[0], matrix.shape[1]), columns, matrix.dtype, matrix.device)


def _exact(value: Tensor) -> Tensor:
    """Return the value in the dtype in which torch's kernels compute before they round once."""
    return value.float() if value.dtype in REDUCED else value


def _product_plus(bias: Any, left: Any, right: Any, *, beta: float = 1, alpha: float = 1) -> Tensor:
    shift = _exact(_aligned(bias))
    if left.shape[1] == 1 and (beta, alpha) == (1, 1):
        return torch.addcmul(shift, _exact(_aligned(left)), _exact(_aligned(right))).to(left.dtype)
    product = _matrix_product(left, right)
    return (product + shift if (beta, alpha) == (1, 1) else product * alpha + shift * beta).to(left.dtype)


def _vector_product(left: Any, right: Any) -> Tensor:
    """Multiply a matrix by a vector, ``(n, k)`` by ``(k,)``, or two vectors."""
    left, right = _aligned(left), _aligned(right)
    return (_exact(left) * _exact(right)).sum(left.ndim - 2).to(left.dtype)


def _squared_error(output: Any, target: Any, reduction: int = 1) -> Tensor:
    """Mean, sum or each of the squared differences: reduction 1, 2 or 0."""
    each: Tensor = aten.mse_loss.default(_aligned(output), _aligned(target), 0)
    over = list(range(each.ndim - 1))
    if reduction == 0 or not over:
        return each
    return each.mean(over) if reduction == 1 else each.sum(over)


def _squared_error_gradient(gradient: Any, output: Any, target: Any, reduction: int) -> Tensor:
    dtype = output.dtype
    output, target, gradient = (_exact(_aligned(value)) for value in (output, target, gradient))
    difference = output - target
    scale = torch.full_like(gradient, 2.0 / difference[..., 0].numel() if reduction == 1 else 2.0)
    return cast("Tensor", (difference * (scale * gradient)).to(dtype))


RULES: dict[Any, Callable[..., Tensor]] = {
    aten.permute.default: _permute,
    aten.t.default: _transpose,
    aten.transpose.int: _transpose,
    aten.view.default: _reshape,
    aten._unsafe_view.default: _reshape,
    aten.expand.default: _expand,
    aten.unsqueeze.default: _unsqueeze,
    aten.squeeze.dim: _squeeze,
    aten.squeeze.dims: _squeeze,
    aten.cat.default: _cat,
    aten.sum.dim_IntList: _sum,
    aten.sum.default: _sum,
    aten.mean.dim: _mean,
    aten.mean.default: _mean,
    aten.mm.default: _product,
    aten.addmm.default: _product_plus,
    aten.mv.default: _vector_product,
    aten.dot.default: _vector_product,
    aten.mse_loss.default: _squared_error,
    aten.mse_loss_backward.default: _squared_error_gradient,
}
"""Operations whose axes must be counted, and products: what the lanes change."""

ALIKE = {
    aten.detach.default,
    aten.alias.default,
    aten.clone.default,
    aten.ones_like.default,
    aten.zeros_like.default,
    aten._to_copy.default,
    aten.elu_backward.default,
    aten.gelu_backward.default,
    aten.hardtanh_backward.default,
    aten.leaky_relu_backward.default,
    aten.sigmoid_backward.default,
    aten.silu_backward.default,
    aten.softplus_backward.default,
    aten.tanh_backward.default,
    aten.threshold_backward.default,
}
"""Operations that are not all tagged as elementwise, yet do the same to each lane."""
