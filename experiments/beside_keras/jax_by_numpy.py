"""Runs a JAX function once without compiling it: JAX traces and differentiates, NumPy computes.

For references that are called once for each of many shapes and options, where XLA would spend most of the time compiling.
`call(f, *args)` returns `f(*args)` as NumPy arrays. JAX computes the operations that are not in the tables below.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import expit

SAME = {  # operations that are NumPy functions of the same arguments, without parameters
    "add": np.add, "add_any": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "neg": np.negative,
    "max": np.maximum, "min": np.minimum, "abs": np.abs, "sign": np.sign, "exp": np.exp, "expm1": np.expm1, "log": np.log,
    "log1p": np.log1p, "tanh": np.tanh, "logistic": expit, "sqrt": np.sqrt, "square": np.square, "stop_gradient": np.asarray,
    "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal,
    "not": np.logical_not, "and": np.logical_and, "or": np.logical_or,
}  # fmt: skip


def broadcast_in_dim(x: Any, shape: Any, broadcast_dimensions: Any, **_: Any) -> Any:
    sizes = dict(zip(broadcast_dimensions, np.shape(x), strict=True))
    return np.broadcast_to(np.reshape(x, [sizes.get(axis, 1) for axis in range(len(shape))]), shape)


def slice_(x: Any, start_indices: Any, limit_indices: Any, strides: Any) -> Any:
    steps = strides or [1] * x.ndim
    return x[tuple(map(slice, start_indices, limit_indices, steps))]


WITH_PARAMETERS: dict[str, Callable[..., Any]] = {
    "broadcast_in_dim": broadcast_in_dim,
    "concatenate": lambda *x, dimension: np.concatenate(x, dimension),
    "convert_element_type": lambda x, new_dtype, **_: np.asarray(x).astype(new_dtype),
    "integer_pow": lambda x, y: x**y,
    "reduce_and": lambda x, axes, **_: np.all(x, tuple(axes)),
    "reduce_max": lambda x, axes, **_: np.max(x, tuple(axes)),
    "reduce_sum": lambda x, axes, **_: np.sum(x, tuple(axes)),
    "reshape": lambda x, new_sizes, **_: np.reshape(x, new_sizes),
    "rev": lambda x, dimensions: np.flip(x, dimensions),
    "slice": slice_,
    "split": lambda x, sizes, axis: np.split(x, np.cumsum(sizes)[:-1], axis),
    "squeeze": lambda x, dimensions: np.squeeze(x, dimensions),
    "transpose": lambda x, permutation: np.transpose(x, permutation),
}


def call(f: Callable[..., Any], *args: Any) -> Any:
    """f(*args) for arrays, or lists and tuples of arrays; what comes out has the same form, of NumPy arrays."""
    import jax

    traced, form = jax.make_jaxpr(f, return_shape=True)(*args)
    with np.errstate(all="ignore"):  # as JAX does
        out = evaluate(traced.jaxpr, traced.consts, [np.asarray(a) for a in jax.tree.leaves(args)])
    return jax.tree.unflatten(jax.tree.structure(form), out)


def evaluate(jaxpr: Any, constants: Any, args: Any) -> list[Any]:
    values = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*map(np.asarray, constants), *args], strict=True))

    def value(v: Any) -> Any:
        return np.asarray(v.val) if hasattr(v, "val") else values[v]  # a literal, or a variable

    for equation in jaxpr.eqns:
        out = apply(equation.primitive, [value(v) for v in equation.invars], equation.params)
        values |= zip(equation.outvars, out if equation.primitive.multiple_results else [out], strict=True)
    return [value(v) for v in jaxpr.outvars]


def apply(primitive: Any, x: list[Any], parameters: dict[str, Any]) -> Any:
    """One operation: its array, or a list of them when it has several results."""
    name = primitive.name
    if name in SAME:
        return SAME[name](*x)
    if name in WITH_PARAMETERS:
        return WITH_PARAMETERS[name](*x, **parameters)
    if name == "select_n" and len(x) == 3:
        return np.where(x[0], x[2], x[1])
    if name == "pad" and all(
        low >= 0 and high >= 0 and not inside for low, high, inside in parameters["padding_config"]
    ):
        return np.pad(x[0], [(low, high) for low, high, _ in parameters["padding_config"]], constant_values=x[1])
    if name == "dot_general" and not any(map(len, parameters["dimension_numbers"][1])):
        return np.tensordot(x[0], x[1], parameters["dimension_numbers"][0])
    if name in ("jit", "pjit", "custom_jvp_call", "custom_vjp_call"):
        inner = parameters.get("jaxpr") or parameters["call_jaxpr"]
        return evaluate(inner.jaxpr, inner.consts, x)
    if name == "scan":
        return scan(x, **parameters)
    out = primitive.bind(*x, **parameters)
    return [np.asarray(o) for o in out] if primitive.multiple_results else np.asarray(out)


def scan(x: list[Any], jaxpr: Any, length: int, reverse: bool, num_consts: int, num_carry: int, **_: Any) -> list[Any]:
    consts, carry, steps = x[:num_consts], x[num_consts : num_consts + num_carry], x[num_consts + num_carry :]
    rows: list[Any] = [None] * length
    for t in reversed(range(length)) if reverse else range(length):
        out = evaluate(jaxpr.jaxpr, jaxpr.consts, [*consts, *carry, *(s[t] for s in steps)])
        carry, rows[t] = out[:num_carry], out[num_carry:]
    return [*carry, *(np.stack(column) for column in zip(*rows, strict=True))]
