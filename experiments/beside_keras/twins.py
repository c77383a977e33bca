"""Keras as the reference: an engine model's twin in Keras and back, Keras's gradients, and exact float64 in Keras.

KERAS_BACKEND names Keras's backend; without it, JAX. Keras is imported when it is first needed.
"""

import os
from functools import partial
from typing import Any

import numpy as np

import lstm_engine as le
from lstm_engine import losses
from lstm_engine.activations import ACTIVATIONS
from lstm_engine.interchange.keras_config import write_layer
from lstm_engine.interchange.keras_graph import MASK_OPERATIONS, write_graph
from lstm_engine.keras_names import snake
from lstm_engine.lists import listed, unlisted
from lstm_engine.registry import engine

LAYERS = engine("layer")


def import_keras(dtype: str = "float32") -> Any:
    """Keras, on the backend named by KERAS_BACKEND or on JAX. With float64, call it before anything imports JAX.

    ModuleNotFoundError says how to install it.
    """
    os.environ.setdefault("KERAS_BACKEND", "jax")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if dtype == "float64":
        os.environ["JAX_ENABLE_X64"] = "1"
    try:
        import keras
    except ImportError as error:
        raise ModuleNotFoundError(
            f"the Keras reference cannot be imported ({error}): pip install 'lstm-engine[keras]' brings Keras with JAX; "
            "for another backend install that and set KERAS_BACKEND"
        ) from error
    keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)
    return keras


def to_keras(model: le.Model) -> Any:
    """The Keras twin of a built and compiled engine model: same layers, weights, optimizer, loss and metrics."""
    keras = import_keras(model.dtype)
    if isinstance(model, le.Sequential):
        layers = [exact_tanh(keras.layers.deserialize(write_layer(layer, model.dtype))) for layer in model.layers]
        twin = keras.Sequential([keras.Input(model.input_shape), *layers])
    else:
        twin = keras.Model.from_config(write_graph(model, None))
        for layer in twin.layers:
            exact_tanh(layer)
    twin.set_weights(model.get_weights())
    if model.optimizer and model.targets:
        config = {name: value for name, value in model.optimizer.config().items() if value is not None}
        optimizer = getattr(keras.optimizers, type(model.optimizer).__name__).from_config(config)
        loss = [_loss_to_keras(keras, target.loss) for target in model.targets]
        metrics = [[_metric_to_keras(keras, m) for m in target.metrics] for target in model.targets]
        weights = [target.weight for target in model.targets]
        twin.compile(
            optimizer, unlisted(loss), loss_weights=weights if len(weights) > 1 else None, metrics=unlisted(metrics)
        )
    return twin


def _loss_to_keras(keras: Any, loss: losses.Loss) -> Any:
    return getattr(keras.losses, type(loss).__name__)(**loss.config())


def _metric_to_keras(keras: Any, metric: Any) -> Any:
    kind, config = type(metric).__name__, dict(vars(metric))
    if kind == "Accuracy":
        return metric.name  # Keras chooses among its accuracies by the output's shape
    if kind == "BalancedAccuracy":
        raise ValueError("Keras has no balanced accuracy: leave it out of the metrics of a model that Keras is to run")
    options = {k: v for k, v in config.items() if k in ("name", *METRIC_OPTIONS)}
    return getattr(keras.metrics, kind)(**options)


def exact_tanh(layer: Any) -> Any:
    """Gives a float64 Keras layer jax.numpy's tanh and returns it: on JAX Keras's own computes float64 in float32.

    So does its layer normalisation, which is made to compute in float64.
    """
    import keras

    if layer.compute_dtype == "float64" and keras.backend.backend() == "jax":
        import jax.numpy

        for part in (layer, *(getattr(layer, name, layer) for name in ("forward_layer", "backward_layer", "layer"))):
            if type(part) is keras.layers.LayerNormalization:
                part.call = partial(_in_float64, part.call)
            cell = getattr(part, "cell", part)
            for name in ("activation", "recurrent_activation"):
                if getattr(cell, name, None) is keras.activations.tanh:
                    setattr(cell, name, jax.numpy.tanh)
    return layer


def _in_float64(call: Any, *args: Any, **options: Any) -> Any:
    """The call, in which Keras finds float64 as the common type of float64 and float32, as NumPy does."""
    import keras

    backend = keras.src.backend
    right, backend.result_type = backend.result_type, lambda *_: "float64"
    try:
        return call(*args, **options)
    finally:
        backend.result_type = right


METRIC_OPTIONS = {"threshold", "thresholds", "num_thresholds"}

# Entries of a Keras layer's config that change nothing here: the weights are copied, so initialisers do not matter.
IGNORED = {"name", "dtype", "build_config", "unit_forget_bias"}
IGNORED |= {"kernel_initializer", "recurrent_initializer", "bias_initializer", "embeddings_initializer"}
IGNORED |= {"gamma_initializer", "beta_initializer"}
REQUIRED = (
    "units",
    "rate",
    "input_dim",
    "output_dim",
    "target_shape",
    "dims",
    "n",
    "axes",
)  # by some class's constructor


def from_keras(keras_model: Any) -> Any:
    """The engine's twin of a live Keras Sequential or functional Model: its layers and weights, and, if it was compiled, its
    loss, its metrics and its optimizer with the optimizer's state.

    ValueError names each layer, option, optimizer or loss that the engine does not have; nothing is left out silently.
    """
    import keras

    graph = hasattr(keras_model, "_nodes_by_depth") and not isinstance(keras_model, keras.Sequential)
    if not (graph or isinstance(keras_model, keras.Sequential)) or not keras_model.built:
        raise ValueError(
            "from_keras takes a functional keras.Model, or a built keras.Sequential: give it an Input, or call it once"
        )
    layers = {id(k): _layer_from_keras(k) for k in keras_model.layers if type(k).__name__ != "InputLayer"}
    dtypes = {layer.dtype_policy.name for layer in keras_model.layers}  # the model's policy may differ from its layers'
    if dtypes not in ({"float32"}, {"float64"}):
        raise ValueError(
            f"the layers compute in {', '.join(sorted(dtypes))}; the engine has float32 or float64, for all of them"
        )
    if graph:
        model: Any = _graph_from_keras(keras, keras_model, layers, dtypes.pop())
    else:
        model = le.Sequential(list(layers.values()), dtype=dtypes.pop())
        model.build(tuple(keras_model.input_shape[1:]))
    model.set_weights(keras_model.get_weights())
    if getattr(keras_model, "optimizer", None) is not None and keras_model.compiled:
        loss, metrics = keras_model._compile_loss, keras_model._compile_metrics
        if (value := metrics and metrics._user_weighted_metrics) is not None:
            raise ValueError(f"the model was compiled with weighted_metrics={value!r}, which the engine does not have")
        model.compile(
            _optimizer_from_keras(keras_model.optimizer),
            _each(_loss_from_keras, keras_model.loss),
            loss._user_loss_weights,
            metrics=_each(_metric_from_keras, (metrics and metrics._user_metrics) or []),
        )
        model.optimizer.iterations = int(keras_model.optimizer.iterations)
        model.optimizer.slots = keras_slots(keras_model, list(model.weights))
    return model


def _each(convert: Any, given: Any) -> Any:
    """The converted loss or metrics, in the lists and dicts in which they are given for several outputs."""
    if isinstance(given, dict):
        return {name: _each(convert, item) for name, item in given.items()}
    return [_each(convert, item) for item in given] if isinstance(given, list | tuple) else convert(given)


def _graph_from_keras(keras: Any, keras_model: Any, layers: dict[int, Any], dtype: str) -> le.Model:
    """The same calls of our layers, which stand in `layers` by the ids of Keras's."""
    made: dict[int, Any] = {}  # our Tensors, by the ids of Keras's

    def ours(value: Any) -> Any:
        if isinstance(value, list | tuple):
            return [ours(item) for item in value]
        return made[id(value)]

    for depth in sorted(keras_model._nodes_by_depth, reverse=True):
        for node in keras_model._nodes_by_depth[depth]:
            if node.is_input:
                made[id(node.outputs[0])] = le.Input(node.outputs[0].shape[1:], name=node.operation.name)
                continue
            if type(node.operation).__name__ in MASK_OPERATIONS and not isinstance(node.operation, keras.Layer):
                continue  # the engine makes the masks itself
            args, options = node.arguments.args, node.arguments.kwargs
            states = options.get("initial_state")
            y = layers[id(node.operation)](ours(args[0]), initial_state=None if states is None else ours(states))
            made |= {id(theirs): own for theirs, own in zip(node.outputs, listed(y), strict=True)}
    inputs, outputs = (keras.tree.flatten(side) for side in (keras_model.inputs, keras_model.outputs))
    return le.Model(ours(inputs), ours(outputs), name=keras_model.name, dtype=dtype)


def _layer_from_keras(layer: Any) -> Any:
    kind = type(layer).__name__
    if kind in ("Functional", "Model", "Sequential"):
        raise ValueError(f"layer {layer.name} is a model inside the model: call its layers one by one in its place")
    if kind not in LAYERS:
        raise ValueError(f"layer {layer.name} is a keras {kind}; the engine has {', '.join(LAYERS)}")
    if getattr(layer, "stateful", False):
        raise ValueError(f"layer {layer.name} has stateful=True: its states are not carried over")
    config = layer.get_config()
    if kind == "Bidirectional":
        return _bidirectional_from_keras(layer)
    if kind == "TimeDistributed":
        inner = _layer_from_keras(layer.layer)
        inner.name = ""
        return le.TimeDistributed(inner, name=layer.name)
    needed = {name: config[name] for name in REQUIRED if name in config}
    needed |= {"activation": "linear"} if kind == "Activation" else {}
    defaults = type(layer)(**needed).get_config()
    options = {}
    for name, value in config.items():
        if name.endswith("activation"):
            function = getattr(layer, name)  # Keras's, or jax.numpy.tanh, which float64 takes
            value = options[name] = getattr(function, "__name__", str(function))
            if value not in ACTIVATIONS:
                raise ValueError(f"layer {layer.name} has {name}={value!r}; the engine has {', '.join(ACTIVATIONS)}")
        elif name in IGNORED or value is None:
            continue
        elif name.endswith("_regularizer"):
            options[name] = _penalty_from_keras(layer, name, value)
        elif name in LAYERS[kind].options() or name == "trainable":
            options[name] = value
        elif value != defaults[name]:
            raise ValueError(f"layer {layer.name} has {name}={value!r}, which the engine's {kind} does not have")
    return LAYERS[kind](name=layer.name, **options)


def _bidirectional_from_keras(layer: Any) -> Any:
    first, second = _layer_from_keras(layer.forward_layer), _layer_from_keras(layer.backward_layer)
    for half in (first, second):
        half.name = ""  # Keras counts them over all models of a process
        half.zero_output_for_mask = False  # Bidirectional decides it
    same = second.config() == first.config() | {"go_backwards": True}
    return le.Bidirectional(first, layer.merge_mode, backward_layer=None if same else second, name=layer.name)


def _penalty_from_keras(layer: Any, name: str, config: dict[str, Any]) -> Any:
    values = {k: float(v) for k, v in config["config"].items() if k in ("l1", "l2")}
    if config["class_name"] not in ("L1", "L2", "L1L2"):
        raise ValueError(f"layer {layer.name} has {name}={config['class_name']}; the engine has L1, L2, L1L2")
    return le.regularizers.L1L2(**values)


def _refuse_others(what: str, config: dict[str, Any], defaults: dict[str, Any], known: set[str]) -> None:
    """ValueError when an option that the engine does not have differs from Keras's default."""
    for name, value in config.items():
        if name not in known and value != defaults[name]:
            raise ValueError(f"{what} has {name}={value!r}, which the engine's does not have")


def _optimizer_from_keras(optimizer: Any) -> Any:
    kind = type(optimizer).__name__
    ours = {"SGD": le.SGD, "RMSprop": le.RMSprop, "Adam": le.Adam, "AdamW": le.AdamW, "Nadam": le.Nadam}.get(kind)
    if ours is None:
        raise ValueError(f"the model's optimizer is a keras {kind}; the engine has SGD, RMSprop, Adam, AdamW and Nadam")
    config, defaults = optimizer.get_config(), type(optimizer)().get_config()
    _refuse_others(f"the model's {kind}", config, defaults, {*ours.options(), "name"})
    return ours(**{name: config[name] for name in ours.options()})


def keras_slots(keras_model: Any, names: list[str]) -> dict[str, np.ndarray]:
    """The optimizer's moments of a Keras model under the engine's names: "momentum/lstm/kernel", ..."""
    import keras

    to_numpy, optimizer = keras.ops.convert_to_numpy, keras_model.optimizer
    kinds = {"momentum": getattr(optimizer, "_momentums", None) or getattr(optimizer, "momentums", None)}
    kinds |= {"velocity": getattr(optimizer, "_velocities", None)}
    kinds |= {"average_gradient": getattr(optimizer, "_average_gradients", None)}
    return {
        f"{kind}/{name}": to_numpy(slot).copy()
        for kind, slots in kinds.items()
        for name, slot in zip(names, slots or [], strict=False)
    }


def _metric_from_keras(metric: Any) -> Any:
    """A metric's name, or ours of the same class when its options are ones that the engine has."""
    if isinstance(metric, str):
        return metric
    kind, config = type(metric).__name__, metric.get_config()
    if kind not in le.metrics.CLASSES or kind in ("Accuracy", "BalancedAccuracy"):
        return repr(metric)  # compile refuses it by this name
    defaults, options = type(metric)().get_config(), {}
    _refuse_others(f"the model's metric {kind}", config, defaults, {*METRIC_OPTIONS, "name", "dtype"})
    for option in METRIC_OPTIONS & set(config):
        value = defaults[option] if config[option] is None else config[option]
        value = value[0] if isinstance(value, list | tuple) and len(value) == 1 else value
        options |= {option: value} if value is not None else {}
    return getattr(le.metrics, kind)(**options, name=metric.name)


def _loss_from_keras(loss: Any) -> Any:
    """Ours by the same class and options, or the name of a string or of Keras's function."""
    import keras

    if isinstance(loss, keras.losses.Loss):
        kind, config = (
            type(loss).__name__,
            loss.get_config() | getattr(loss, "_fn_kwargs", {}),
        )  # Huber's delta is there
        if kind not in losses.CLASSES:
            return snake(kind)  # compile refuses it by this name
        ours = losses.CLASSES[kind]
        _refuse_others(
            f"the model's loss {kind}", config, type(loss)().get_config(), {*ours.options(), "name", "dtype"}
        )
        return ours(**{option: config[option] for option in ours.options()})
    if isinstance(loss, str):
        return loss
    name = getattr(loss, "__name__", "")
    return name if getattr(keras.losses, name, None) is loss else repr(loss)  # not a loss of its own by the same name


def loss_and_gradients(keras_model: Any, X: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray, list[np.ndarray]]:
    """Keras's loss, predictions and gradients on one batch (dropout off), by its backend's own differentiation."""
    import keras

    X, y = keras.ops.convert_to_tensor(X), keras.ops.convert_to_tensor(y)
    backend = keras.backend.backend()
    if backend == "jax":
        weights = [
            [v.value for v in vs] for vs in (keras_model.trainable_variables, keras_model.non_trainable_variables)
        ]
        (loss, p), gradients = _jax_gradients(keras_model)(*weights, X, y)
    elif backend == "torch":
        keras_model.zero_grad()
        p = keras_model(X, training=False)
        loss = keras_model.compute_loss(x=X, y=y, y_pred=p)
        loss.backward()
        gradients = [v.value.grad for v in keras_model.trainable_variables]
    elif backend == "tensorflow":
        import tensorflow

        with tensorflow.GradientTape() as tape:
            p = keras_model(X, training=False)
            loss = keras_model.compute_loss(x=X, y=y, y_pred=p)
        gradients = tape.gradient(loss, [v.value for v in keras_model.trainable_variables])
    else:
        raise ValueError(
            f"Keras's backend {backend} cannot differentiate: set KERAS_BACKEND to jax, torch or tensorflow"
        )
    to_numpy = keras.ops.convert_to_numpy
    return float(to_numpy(loss)), to_numpy(p), [to_numpy(g) for g in gradients]


def _jax_gradients(keras_model: Any) -> Any:
    """The compiled function of loss, predictions and gradients; kept on the model, so that it is compiled once."""
    import jax

    if not hasattr(keras_model, "_lstm_engine_gradients"):

        def loss(trainable: Any, rest: Any, X: Any, y: Any) -> Any:
            # The penalties on the weights: compute_loss would take them from the variables, without a gradient.
            p, rest, keras_model._losses_override = keras_model.stateless_call(
                trainable, rest, X, training=False, return_losses=True
            )
            value, _ = keras_model.stateless_compute_loss(
                trainable, rest, [v.value for v in keras_model.metrics_variables], x=X, y=y, y_pred=p, training=False
            )
            keras_model._losses_override.clear()
            return value, p

        keras_model._lstm_engine_gradients = jax.jit(jax.value_and_grad(loss, has_aux=True))
    return keras_model._lstm_engine_gradients
