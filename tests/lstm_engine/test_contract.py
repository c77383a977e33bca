"""The contract of a recurrent layer, checked over every cell, option, backend and dtype, as scikit-learn checks estimators.

A check is a function of a `Subject`: a way to make one layer. To add a cell or an option, add it to the lists below; what
holds of one recurrent layer is then asked of the new one too.
"""

import copy
import functools
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import lstm_engine as le
from lstm_engine.gradient_check import unit_scale

N, T, D, H = 3, 4, 2, 3
SHAPES = [(N, T), (1, 1)]  # of batch and steps: one of each must do
MASK = np.array([[1, 1, 0, 1], [0, 0, 0, 0], [1, 1, 1, 0]], bool)  # a hole, a row of nothing, padding
# How far two float32 passes of 4 steps there and 4 back may part: each step sums D + H products and takes a tanh that is
# right to 2e-7, some 1e-6 a step. In float64 the same counting gives 1e-14; long products may sum in another order.
AGREE = {"float32": 1e-5, "float64": 1e-12}

CELLS: dict[str, tuple[type, dict[str, Any]]] = {
    "LSTM": (le.LSTM, {}),
    "GRU": (le.GRU, {}),
    "GRU before": (le.GRU, {"reset_after": False}),
    "SimpleRNN": (le.SimpleRNN, {}),
}
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "sequences": {"return_sequences": True},
    "state": {"return_state": True, "return_sequences": True},
    "backwards": {"go_backwards": True, "return_sequences": True},
    "no bias": {"use_bias": False},
    "zero output": {"return_sequences": True, "zero_output_for_mask": True},
    "stateful": {"stateful": True},
    "dropout": {"dropout": 0.4, "return_sequences": True},
    "recurrent dropout": {"dropout": 0.3, "recurrent_dropout": 0.3},
    "starts and penalties": {
        "kernel_initializer": "he_normal", "recurrent_initializer": le.initializers.Orthogonal(0.5),
        "bias_initializer": le.initializers.Constant(0.1), "kernel_regularizer": "l2", "bias_regularizer": "l1", "seed": 3,
    },
    "relu": {"activation": "relu"},
}  # fmt: skip
MERGES: dict[str, dict[str, Any]] = {
    "concat": {"return_sequences": True},
    "sum": {},
    "mul": {"return_sequences": True},
    "ave": {"return_state": True},
    "None": {"recurrent_dropout": 0.3},
}
NUMPY_ALONE = ("relu",)  # activations that no kernel has


class Subject(NamedTuple):
    """One layer to check: how it is made, what runs it, in which dtype."""

    make: Callable[[], Any]
    backend: str
    dtype: str

    def built(self, backend: str = "", dtype: str = "") -> Any:
        """A built layer with weights of unit scale, the same for every backend and dtype; every check gets its own copy."""
        return copy.deepcopy(built(self.make, backend or self.backend, dtype or self.dtype))

    def arrays(self, N: int = N, T: int = T, layer: Any = None) -> tuple[np.ndarray, list[np.ndarray]]:
        """x (N, T, D), and initial states (N, H) for `layer`."""
        rng = np.random.default_rng(7)
        x = rng.standard_normal((N, T, D)).astype(self.dtype)
        n = sum(len(half.state_names) for half in halves(layer)) if layer else 0
        return x, [rng.standard_normal((N, H)).astype(self.dtype) for _ in range(n)]


@functools.lru_cache(maxsize=4)
def built(make: Callable[[], Any], backend: str, dtype: str) -> Any:
    layer = make()
    layer.build((T, D), dtype, backend, np.random.default_rng(0))
    return unit_scale(layer)


def halves(layer: Any) -> list[Any]:
    """The recurrent layers that it is made of."""
    return [layer.forward_half, layer.backward_half] if isinstance(layer, le.Bidirectional) else [layer]


def drops(layer: Any) -> bool:
    return any(half.dropout or half.recurrent_dropout for half in halves(layer))


def run(
    layer: Any, x: np.ndarray, mask: Any = None, states: Any = None
) -> tuple[list[np.ndarray], list[np.ndarray], Any]:
    """Outputs, last states and tape: from the beginning; in training where there is dropout, always with the same masks."""
    for half in halves(layer):
        half.rng = np.random.default_rng(5)
        half.reset_states()
    y, last, tape = layer.forward(x, drops(layer), mask, states)
    return (y if isinstance(y, list) else [y]), last, tape


def backward(layer: Any, tape: Any, dy: list[np.ndarray], dstates: list[np.ndarray]) -> dict[str, np.ndarray]:
    """The gradient of everything that went in, by name."""
    dx, dinitial, weights = layer.backward(tape, dy if len(dy) > 1 else dy[0], dstates)
    return {"x": dx, **{f"initial state {k}": d for k, d in enumerate(dinitial)}, **weights}


def upstream(arrays: list[np.ndarray], seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(a.shape).astype(a.dtype) for a in arrays]


def both_ways(subject: Subject, layer: Any) -> dict[str, np.ndarray]:
    """Outputs, last states and all gradients, of a masked batch with initial states."""
    x, states = subject.arrays(layer=layer)
    y, last, tape = run(layer, x, MASK, states)
    gradients = backward(layer, tape, upstream(y, 1), upstream(last, 2))
    made = {f"output {k}": a for k, a in enumerate(y)} | {f"last state {k}": a for k, a in enumerate(last)}
    return made | {f"gradient of {name}": g for name, g in gradients.items()}


def assert_alike(got: dict[str, np.ndarray], expected: dict[str, np.ndarray], tolerance: float) -> None:
    assert list(got) == list(expected)
    for name, b in expected.items():
        assert np.linalg.norm(got[name] - b) <= tolerance * np.linalg.norm(b), name


# -- the checks -------------------------------------------------------------------------------------------------------


def check_output_has_the_shape_and_dtype_that_the_layer_promises(subject: Subject) -> None:
    layer = subject.built()
    for N, T in SHAPES:
        x, _ = subject.arrays(N, T)
        y, last, _ = run(layer, x)
        shapes = layer.output_shape((T, D))
        for a, shape in zip(y, shapes if isinstance(shapes, list) else [shapes], strict=True):
            assert a.shape == (N, *shape)
        assert all(a.shape == (N, H) for a in last)
        assert all(a.dtype == subject.dtype and np.isfinite(a).all() for a in (*y, *last))


def check_a_call_returns_what_keras_would(subject: Subject) -> None:
    layer = subject.built()
    x, _ = subject.arrays()
    out = layer(x)
    heads = 2 if getattr(layer, "merge_mode", "") is None else 1
    states = sum(len(half.state_names) for half in halves(layer)) if layer.return_state else 0
    if heads + states > 1:
        assert isinstance(out, list)
        assert len(out) == heads + states
    else:
        assert isinstance(out, np.ndarray)


def check_same_seed_same_bits(subject: Subject) -> None:
    first, second = subject.make(), subject.make()
    for layer in (first, second):
        layer.build((T, D), subject.dtype, subject.backend, np.random.default_rng(11))
    for name, w in first.weights.items():
        np.testing.assert_array_equal(w, second.weights[name])
    for a, b in zip(both_ways(subject, first).values(), both_ways(subject, second).values(), strict=True):
        np.testing.assert_array_equal(a, b)


def check_nothing_that_is_given_is_changed(subject: Subject) -> None:
    layer = subject.built()
    x, states = subject.arrays(layer=layer)
    inputs = {"x": x, "mask": MASK.copy(), **dict(enumerate(states)), **layer.weights}
    before = {name: a.copy() for name, a in inputs.items()}
    y, last, tape = run(layer, x, inputs["mask"], states)
    dy, dlast = upstream(y, 1), upstream(last, 2)
    outputs = {f"{what} {k}": a for what, arrays in (("y", y), ("dy", dy), ("d", dlast)) for k, a in enumerate(arrays)}
    before |= {name: a.copy() for name, a in outputs.items()}
    backward(layer, tape, dy, dlast)
    for name, a in (inputs | outputs).items():
        np.testing.assert_array_equal(a, before[name], err_msg=str(name))


def check_kernels_give_what_numpy_gives(subject: Subject) -> None:
    if subject.backend == "numpy":
        return
    assert subject.built().backends() == {"numba"}
    expected = both_ways(subject, subject.built(backend="numpy"))
    assert_alike(both_ways(subject, subject.built()), expected, AGREE[subject.dtype])


def check_gradients_have_the_shapes_of_what_they_are_of(subject: Subject) -> None:
    for N, T in SHAPES:
        layer = subject.built()
        x, states = subject.arrays(N, T, layer)
        y, last, tape = run(layer, x, None, states)
        gradients = backward(layer, tape, upstream(y, 1), upstream(last, 2))
        inputs = {"x": x, **{f"initial state {k}": s for k, s in enumerate(states)}, **layer.weights}
        assert {n: g.shape for n, g in gradients.items()} == {n: a.shape for n, a in inputs.items()}
        assert all(g.dtype == subject.dtype and np.isfinite(g).all() for g in gradients.values())


def check_gradients_are_the_derivatives(subject: Subject) -> None:
    """Along a random direction in each array: Im f(a + i h v) / h, which no subtraction spoils, so h is tiny.

    f runs in NumPy, in complex128, on the numbers that float32 has; a float32 gradient may be as far off as two float32
    passes from one another.
    """
    layer = subject.built()
    x, states = subject.arrays(layer=layer)
    y, last, tape = run(layer, x, MASK, states)
    up, gradients = [*upstream(y, 1), *upstream(last, 2)], backward(layer, tape, upstream(y, 1), upstream(last, 2))
    twin, h = subject.built(backend="numpy", dtype="float64"), 1e-30
    inputs = {"x": x, **{f"initial state {k}": s for k, s in enumerate(states)}, **layer.weights}

    def f(**arrays: np.ndarray) -> complex:
        arrays = {name: a.astype(np.complex128) for name, a in (inputs | arrays).items()}
        for prefix, half in zip(twin.parts, halves(twin), strict=True):
            half.weights = {name: arrays[prefix + name] for name in half.weights}
        y, last, _ = run(twin, arrays["x"], MASK, [arrays[f"initial state {k}"] for k in range(len(states))])
        return sum((a * u).sum() for a, u in zip([*y, *last], up, strict=True))

    for k, (name, a) in enumerate(inputs.items()):
        v = np.random.default_rng(k).standard_normal(a.shape)
        derivative = f(**{name: a + 1j * h * v}).imag / h
        along, scale = (gradients[name] * v).sum(), np.linalg.norm(gradients[name]) * np.linalg.norm(v)
        assert abs(along - derivative) <= AGREE[subject.dtype] * scale, name


def check_masked_steps_are_not_there(subject: Subject) -> None:
    """What stands at masked steps changes nothing and gets no gradient; a row of nothing ends in the state it began with."""
    layer = subject.built()
    x, states = subject.arrays(layer=layer)
    other = np.where(MASK[..., None], x, x + 1)  # something else at masked steps
    results = []
    for filled in (x, other):
        y, last, tape = run(layer, filled, MASK, states)
        gradients = backward(layer, tape, upstream(y, 1), upstream(last, 2))
        assert not gradients["x"][~MASK].any()
        for end, start in zip(last, states, strict=False):  # two ways without return_state give none
            np.testing.assert_array_equal(end[1], start[1])
        results.append(dict(enumerate(y)) | {f"last {k}": a for k, a in enumerate(last)} | gradients)
    assert_alike(*results, AGREE[subject.dtype])


def check_a_batch_of_nothing_moves_nothing(subject: Subject) -> None:
    layer = subject.built()
    x, states = subject.arrays(layer=layer)
    y, last, tape = run(layer, x, np.zeros((N, T), bool), states)
    gradients = backward(layer, tape, upstream(y, 1), upstream(last, 2))
    for end, start in zip(last, states, strict=False):
        np.testing.assert_array_equal(end, start)
    assert not any(gradients[name].any() for name in ("x", *layer.weights))


def check_a_full_mask_is_no_mask(subject: Subject) -> None:
    layer = subject.built()
    x, states = subject.arrays(layer=layer)
    bare, full = (run(layer, x, mask, states)[:2] for mask in (None, np.ones((N, T), bool)))
    for a, b in zip(bare[0] + bare[1], full[0] + full[1], strict=True):
        np.testing.assert_allclose(a, b, rtol=AGREE[subject.dtype])


def check_states_carry_a_sequence_over_a_cut(subject: Subject) -> None:
    layer = subject.built()
    if drops(layer) or isinstance(layer, le.Bidirectional):
        return  # a second draw of masks; two directions have no common cut
    x, states = subject.arrays(layer=layer)
    first, second = (x[:, 2:], x[:, :2]) if layer.go_backwards else (x[:, :2], x[:, 2:])
    whole, last, _ = run(layer, x, None, states)
    (y1,), between, _ = run(layer, first, None, states)
    (y2,), end, _ = run(layer, second, None, between)
    parts = np.concatenate((y1, y2), axis=1) if layer.return_sequences else y2
    for a, b in zip([parts, *end], [*whole, *last], strict=True):
        np.testing.assert_allclose(a, b, rtol=AGREE[subject.dtype], atol=AGREE[subject.dtype])


def check_rows_of_a_batch_do_not_meet(subject: Subject) -> None:
    layer = subject.built()
    if drops(layer):
        return  # another batch size draws other masks
    x, states = subject.arrays(layer=layer)
    together, alone = run(layer, x, MASK, states), run(layer, x[:1], MASK[:1], [s[:1] for s in states])
    for a, b in zip(together[0] + together[1], alone[0] + alone[1], strict=True):
        np.testing.assert_allclose(a[:1], b, rtol=AGREE[subject.dtype], atol=AGREE[subject.dtype])


def check_config_makes_the_layer_again(subject: Subject) -> None:
    layer = subject.built()
    config = json.loads(json.dumps(layer.config()))
    again = type(layer)(**config)
    assert again.config() == layer.config()
    again.build((T, D), subject.dtype, subject.backend, np.random.default_rng(99))
    assert list(again.weights) == list(layer.weights) or isinstance(layer, le.Bidirectional)
    for w, ours in zip(again.weights.values(), layer.weights.values(), strict=True):
        w[...] = ours
    for a, b in zip(both_ways(subject, again).values(), both_ways(subject, layer).values(), strict=True):
        np.testing.assert_array_equal(a, b)


def check_a_file_keeps_the_model(subject: Subject) -> None:
    layer = subject.make()
    if layer.return_state or getattr(layer, "merge_mode", "") is None:
        return  # a Sequential refuses layers with several outputs
    model = le.Sequential([layer], seed=0, dtype=subject.dtype, backend=subject.backend)
    model.build((T, D))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        model.save(path)
        again = le.load(path, backend=subject.backend)
    assert again.layers[0].config() == layer.config()
    assert list(again.weights) == list(model.weights)
    x, _ = subject.arrays()
    np.testing.assert_array_equal(again(x, mask=MASK), model(x, mask=MASK))


def check_a_sequence_in_a_list_is_what_it_is_alone(subject: Subject) -> None:
    """Whatever stands beside it in the batch; a layer that cannot keep this up refuses the list."""
    layer = subject.make()
    if getattr(layer, "return_state", False) or getattr(layer, "merge_mode", "") is None or layer.stateful:
        return  # no layers for a Sequential, or with a memory of their own
    layers = [layer, le.SimpleRNN(2) if layer.return_sequences else le.Dense(2)]
    model = le.Sequential(layers, dtype=subject.dtype, backend=subject.backend, seed=0)
    rows = [np.random.default_rng(n).standard_normal((n, D)) for n in (2, 5, 3)]
    if getattr(layer, "go_backwards", False) and layer.return_sequences:
        with pytest.raises(ValueError, match="in reverse"):
            model.build((None, D)) or model.predict(rows, verbose=0)
        return
    together = model.predict(rows, verbose=0)
    for row, p in zip(rows, together, strict=True):
        np.testing.assert_allclose(p, model(row[None])[0], rtol=AGREE[subject.dtype], atol=AGREE[subject.dtype])


def check_a_second_build_begins_anew(subject: Subject) -> None:
    layer = subject.built()
    layer(subject.arrays()[0])
    layer.reset_states()
    layer.build((T, D + 1), subject.dtype, subject.backend, np.random.default_rng(0))
    x = np.ones((N, T, D + 1), subject.dtype)
    before = dict(layer.weights)
    y, last, tape = run(layer, x)
    gradients = backward(layer, tape, upstream(y, 1), upstream(last, 2))
    assert {n: gradients[n].shape for n in before} == {n: w.shape for n, w in before.items()}
    layer(x)
    assert all(layer.weights[name] is w for name, w in before.items())  # a call builds only what is not built


def check_wrong_shapes_are_named_beside_the_right_ones(subject: Subject) -> None:
    layer = subject.built()
    x, states = subject.arrays(layer=layer)
    with pytest.raises(ValueError, match=r"\(samples, timesteps, features\).*\(samples, 4\)"):
        layer(x[:, :, 0])
    with pytest.raises(ValueError, match=rf"{D} features.*{D + 1}\)"):
        layer(np.concatenate((x, x), axis=-1)[..., : D + 1])
    with pytest.raises(ValueError, match=r"\(3, 4\).*\(3, 2\)"):
        layer(x, mask=MASK[:, :2])
    with pytest.raises(ValueError, match=r"\(3, 3\).*\(3, 2\)"):
        layer(x, initial_state=[s[:, :2] for s in states])
    with pytest.raises(ValueError, match=f"{len(states)}|h"):
        layer(x, initial_state=[*states, states[0]])


CHECKS = [f for name, f in list(globals().items()) if name.startswith("check_")]


def subjects() -> list[Any]:
    """Every cell with every option, and two ways where that is another thing, on both backends in both dtypes."""
    made: dict[tuple[str, str], Callable[[], Any]] = {}
    for cell, (cls, reading) in CELLS.items():
        for name, options in OPTIONS.items():
            made[cell, name] = lambda cls=cls, options=reading | options: cls(H, **options)
        for merge, options in MERGES.items():
            mode = None if merge == "None" else merge
            made[cell, f"two ways {merge}"] = lambda cls=cls, mode=mode, options=reading | options: le.Bidirectional(
                cls(H, **options), merge_mode=mode
            )
    return [
        pytest.param(Subject(make, backend, dtype), id=f"{cell}, {option}, {backend}, {dtype}")
        for (cell, option), make in made.items()
        for backend in (["numpy"] if option in NUMPY_ALONE else ["numpy", "numba"])
        for dtype in ("float32", "float64")
    ]


@pytest.mark.parametrize("subject", subjects())
def test_recurrent_layer_keeps_the_contract(subject):
    for check in CHECKS:
        check(subject)
