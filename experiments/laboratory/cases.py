"""The networks that are checked: every cell with every option, at weights of unit scale, and the presets of the command.

A case is small (3 sequences of 5 steps, 2 features, 3 units), so that every number can be checked. It has what a larger test
often lacks: an upstream gradient on every step, states that are not 0, masks with holes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import lstm_engine as le
from lstm_engine import losses
from lstm_engine.activations import Array
from lstm_engine.gradient_check import unit_scale

N, T, D, H = 3, 5, 2, 3
MASK = np.array([[1, 1, 0, 1, 1], [1, 1, 1, 0, 0], [0, 1, 1, 1, 1]], bool)  # a hole, padding behind, padding before

CELLS: dict[str, Callable[..., Any]] = {
    "LSTM": le.LSTM,
    "GRU": le.GRU,
    "GRU, reset before": lambda units, **options: le.GRU(units, reset_after=False, **options),
    "SimpleRNN": le.SimpleRNN,
}


class Case(NamedTuple):
    """A compiled model, a batch for it, and further arguments of gradcheck: mask=, sample_weight=, dropout=."""

    model: Any  # float64
    x: Any  # (N, T, D), or a list
    y: Array
    options: dict[str, Any]


def case(
    *layers: Any, loss: Any = "mean_squared_error", x_shape: tuple[int, int, int] = (N, T, D), seed: int = 0, **options: Any
) -> Case:  # fmt: skip
    """Layers at unit scale, X of N(0, 1), and random targets of the kind that the loss wants."""
    model = le.Sequential([le.Input((None, x_shape[2])), *layers], seed=seed, dtype="float64")
    rng = np.random.default_rng([seed, 1])
    return with_targets(model, loss, rng.standard_normal(x_shape), rng, seed)._replace(options=options)


def with_targets(model: Any, loss: Any, x: Any, rng: np.random.Generator, seed: int = 0) -> Case:
    """The model, compiled and at unit scale, with x and the targets that rng draws."""
    model.compile("sgd", loss)
    shape = unit_scale(model, seed).predict(x, batch_size=N, verbose=0).shape
    model.reset_states()
    return Case(model, x, targets(model.loss, shape, rng), {})


def targets(loss: losses.Loss, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Random y for predictions of this shape."""
    if isinstance(loss, losses.BinaryCrossentropy):
        return rng.integers(0, 2, shape).astype(float)
    if isinstance(loss, losses.Crossentropy):
        classes = rng.integers(0, shape[-1], shape[:-1])
        return classes if loss.sparse else np.eye(shape[-1])[classes]
    return rng.standard_normal(shape)


# -- every cell with every option --------------------------------------------------------------------------------------

Maker = Callable[[Callable[..., Any]], Case]  # of a cell


def on_every_step(
    cell: Callable[..., Any], *, around: Callable[[Any], Any] = lambda layer: layer, **arguments: Any
) -> Case:
    """The recurrent layer, inside `around`, hands every step to a Dense, so that every step has an upstream gradient."""
    options = {k: arguments.pop(k) for k in ("mask", "sample_weight", "dropout_masks") if k in arguments}
    if "dropout_masks" in options:
        options["dropout"] = options.pop("dropout_masks")
    return case(around(cell(H, return_sequences=True, **arguments)), le.Dense(2), **options)


def stacked(cell: Callable[..., Any]) -> Case:
    below = cell(H, return_sequences=True)
    return case(below, le.Dropout(0.3), cell(H), le.Dense(1), dropout="frozen")


def stateful(cell: Callable[..., Any]) -> Case:
    """The batch starts from the states that an earlier batch left, so that h0 and c0 are not 0."""
    made = on_every_step(cell, stateful=True)
    made.model.predict(np.random.default_rng(2).standard_normal((N, T, D)), batch_size=N, verbose=0)
    return made


def masking_layer(cell: Callable[..., Any]) -> Case:
    """A Masking layer finds the steps of zeros."""
    made = case(le.Masking(), cell(H, return_sequences=True), le.Dense(2))
    return made._replace(x=np.where(MASK[..., None], made.x, 0.0))


def penalties(cell: Callable[..., Any]) -> Case:
    some = {f"{name}_regularizer": le.regularizers.L1L2(0.02, 0.03) for name in ("kernel", "recurrent", "bias")}
    return case(cell(H, return_sequences=True, **some), le.Dense(2, kernel_regularizer="l2", bias_regularizer="l1"))


def embedding(cell: Callable[..., Any]) -> Case:
    """Ids, of which most stand more than once, and masked steps of id 0; the rows have a penalty."""
    rng = np.random.default_rng(3)
    ids = np.where(MASK, rng.integers(1, 4, (N, T)), 0)
    words = le.Embedding(4, D, mask_zero=True, embeddings_regularizer=le.regularizers.L1L2(0.02, 0.03))
    model = le.Sequential([le.Input((None,)), words, cell(H, return_sequences=True), le.Dense(2)], dtype="float64")
    return with_targets(model, "mean_squared_error", ids, rng)


def layer_normalization(cell: Callable[..., Any]) -> Case:
    """Over the features of every step, before the cell and after it: with both weights, and with one that has a penalty."""
    some = le.LayerNormalization(center=False, gamma_regularizer=le.regularizers.L1L2(0.02, 0.03))
    return case(le.LayerNormalization(), cell(H, return_sequences=True), some, le.Dense(2), x_shape=(N, T, 4))


def encoder_decoder(cell: Callable[..., Any]) -> Case:
    """The last state, repeated, laid out anew, read again, and flattened: every layer that moves numbers about."""
    anew = le.RepeatVector(4), le.Permute((2, 1)), le.Reshape((2, -1)), le.Activation("tanh")
    above = cell(2, return_sequences=True), le.TimeDistributed(le.Reshape((1, -1))), le.Flatten(), le.Dense(2)
    return case(cell(H), *anew, *above)


def activations(cell: Callable[..., Any], of_state: str, of_gates: str) -> dict[str, str]:
    """softsign gates have a derivative of 1 at 0, where a masked step's gates are."""
    return {"activation": of_state} | ({} if cell is le.SimpleRNN else {"recurrent_activation": of_gates})


def after_the_last_step(loss: Any, units: int, activation: str | None = None) -> Maker:
    """The tutorial's form: the last step's h, and a Dense under this loss."""
    return lambda cell: case(cell(H), le.Dense(units, activation=activation), loss=loss)


def two_classes_at_once(cell: Callable[..., Any]) -> Case:
    """A cross-entropy whose targets are no distribution."""
    made = after_the_last_step(losses.CategoricalCrossentropy(True), 3)(cell)
    return made._replace(y=1.0 - made.y)


def merged(merge: Callable[[Any, Any], Any], *, masks: tuple[bool, bool] = (False, False)) -> Maker:
    """Two inputs, each with a recurrent layer, perhaps with a mask of its own; what `merge` makes of both goes to a Dense."""

    def make(cell: Callable[..., Any]) -> Case:
        inputs = [le.Input((T, D)), le.Input((T, D))]
        a, b = (cell(H, return_sequences=True)(x) for x in inputs)
        model = le.Model(inputs, le.Dense(2)(merge(a, b)), seed=0, dtype="float64")
        rng = np.random.default_rng(1)
        mask = [m if has else None for m, has in zip((MASK, MASK[::-1]), masks, strict=True)]
        x = list(rng.standard_normal((2, N, T, D)))
        return with_targets(model, "mse", x, rng)._replace(options={"mask": mask} if any(masks) else {})

    return make


def attention(queries: Any, keys: Any) -> Any:
    """Dot-product attention: each query's weights over the keys, and the keys' mean by these weights."""
    weights = le.Dense(T, activation="softmax")(le.Dot(axes=2)([queries, keys]))  # (N, T, T)
    return le.Dot(axes=(2, 1))([weights, keys])


OPTIONS: dict[str, Maker] = {
    "every step": on_every_step,
    "last step, binary cross-entropy": after_the_last_step("binary_crossentropy", 1, "sigmoid"),
    "categorical cross-entropy": after_the_last_step("categorical_crossentropy", 3, "sigmoid"),  # not normalised
    "sparse categorical cross-entropy": after_the_last_step("sparse_categorical_crossentropy", 3, "softmax"),
    "mean squared error": after_the_last_step("mean_squared_error", 2, "tanh"),
    "sample weights": lambda cell: on_every_step(cell, sample_weight=np.array([0.5, 2.0, 1.0])),
    "stacked": stacked,
    "bidirectional": lambda cell: on_every_step(cell, around=le.Bidirectional),
    "bidirectional, masked, product": lambda cell: on_every_step(
        cell, around=lambda layer: le.Bidirectional(layer, merge_mode="mul"), mask=MASK
    ),
    "masked": lambda cell: on_every_step(cell, mask=MASK),
    "Masking layer": masking_layer,
    "masked, zero output": lambda cell: case(cell(H, zero_output_for_mask=True), le.Dense(2), mask=MASK),
    "stateful": stateful,
    "go_backwards": lambda cell: on_every_step(cell, go_backwards=True),
    "other activations": lambda cell: on_every_step(cell, **activations(cell, "softsign", "hard_sigmoid")),
    "masked, other activations": lambda cell: on_every_step(cell, mask=MASK, **activations(cell, "elu", "softsign")),
    "dropout, frozen masks": lambda cell: on_every_step(cell, dropout=0.3, dropout_masks="frozen"),
    "recurrent dropout, frozen masks": lambda cell: on_every_step(
        cell, dropout=0.3, recurrent_dropout=0.3, dropout_masks="frozen"
    ),
    "regularizers": penalties,
    "Embedding": embedding,
    "LayerNormalization": layer_normalization,
    "RepeatVector, Permute, Reshape, Flatten": encoder_decoder,
}


# Losses and layers for which the cell does not matter: they are checked above an LSTM.
BESIDE: dict[str, Maker] = {
    "mean absolute error": after_the_last_step("mae", 2),
    "Huber": after_the_last_step(losses.Huber(0.5), 4),
    "binary cross-entropy from logits": after_the_last_step(losses.BinaryCrossentropy(True, 0.2), 2),
    "cross-entropy from logits": after_the_last_step(losses.CategoricalCrossentropy(True, 0.2), 3),
    "cross-entropy of numbers from logits": after_the_last_step(losses.SparseCategoricalCrossentropy(True), 3),
    "smoothed labels": after_the_last_step(losses.CategoricalCrossentropy(label_smoothing=0.2), 3, "softmax"),
    "targets that sum to 2": two_classes_at_once,
    "added, one of them twice": merged(lambda a, b: le.Add()([a, b, a])),
    "averaged": merged(lambda a, b: le.Average()([a, b, b])),
    "subtracted": merged(lambda a, b: le.Subtract()([a, b])),
    "multiplied": merged(lambda a, b: le.Multiply()([a, b, a])),
    "multiplied, masks that differ": merged(lambda a, b: le.Multiply()([a, b]), masks=(True, True)),
    "multiplied, one mask": merged(lambda a, b: le.Multiply()([a, b]), masks=(False, True)),
    "maximum": merged(lambda a, b: le.Maximum()([a, b, le.Subtract()([a, b])])),
    "maximum, masks that differ": merged(lambda a, b: le.Maximum()([a, b]), masks=(True, True)),
    "maximum, one mask": merged(lambda a, b: le.Maximum()([a, b, a]), masks=(False, True)),
    "minimum": merged(lambda a, b: le.Minimum()([a, b])),
    "concatenated": merged(lambda a, b: le.Concatenate()([a, b, a])),
    "concatenated along the steps": merged(lambda a, b: le.Concatenate(axis=1)([a, b])),
    "broadcast": merged(lambda a, b: le.Add()([a, le.Dense(1)(b)])),
    "attention": merged(attention),
}


# -- what `lstm-engine gradcheck --model NAME` checks ------------------------------------------------------------------

PRESETS: dict[str, Callable[[], Case]] = {
    "lstm": lambda: case(le.LSTM(8, return_sequences=True), le.Dense(1), x_shape=(3, 20, 4)),
    "gru": lambda: case(le.GRU(8, return_sequences=True), le.Dense(1), x_shape=(3, 20, 4)),
    "simple_rnn": lambda: case(le.SimpleRNN(8, return_sequences=True), le.Dense(1), x_shape=(3, 20, 4)),
    "bidirectional": lambda: case(
        le.Bidirectional(le.LSTM(8, return_sequences=True)), le.Dense(1), x_shape=(3, 20, 4), mask=lengths(3, 20)
    ),
    "demo": lambda: case(
        le.LSTM(64), le.Dense(1, activation="sigmoid"), loss="binary_crossentropy", x_shape=(2, 112, 1)
    ),
    "long": lambda: case(le.LSTM(64, return_sequences=True), le.Dense(1), x_shape=(2, 112, 4)),
}


def lengths(N: int, T: int) -> Array:
    """The mask (N, T) of sequences of different lengths, the first of them whole."""
    return np.arange(T) < np.linspace(T, T // 2, N).round()[:, None]


def preset(name: str) -> Case:
    """The case of this name. ValueError lists the names."""
    if name not in PRESETS:
        raise ValueError(f"no preset {name!r}: --model takes a file, or one of {', '.join(PRESETS)}")
    return PRESETS[name]()


def of_file(path: str) -> Case:
    """The model of a file, with the weights in the file, and a random batch: 4 sequences of N(0, 1) of the model's length."""
    model = le.load(path)
    if model.loss is None:
        raise ValueError(
            f"{path} holds a model that was not compiled, so there is no loss to check: compile it, and save it"
        )
    steps, *features = model.input_shape or (None, None)
    rng = np.random.default_rng(0)
    first = model.graph.nodes[0].layer
    x = rng.standard_normal((4, steps or 20, *features))
    if isinstance(first, le.Embedding):
        x = rng.integers(0, first.input_dim, x.shape)
    for layer in model.layers:
        if isinstance(layer, le.Masking):  # masked steps are checked too
            x = np.where(lengths(4, x.shape[1])[..., None], x, layer.mask_value)
    twin = model.twin(model.dtype)
    twin.reset_states()
    y = targets(model.loss, twin.predict(x, batch_size=4, verbose=0).shape, rng)
    return Case(model, x, y, {})
