"""Keras as the reference: its twin of an engine model and back, its gradients, and what float64 takes.

Any backend through KERAS_BACKEND (JAX unless told otherwise). Keras is imported when first needed.
"""

import os
from typing import Any

import numpy as np

import lstm_engine as le
from lstm_engine.activations import ACTIVATIONS


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


def to_keras(model: le.Sequential) -> Any:
    """The Keras twin of a built and compiled engine model: same layers, weights, optimizer, loss and metrics."""
    keras = import_keras(model.dtype)
    layers = [keras.Input(model.input_shape)]
    for layer in model.layers:
        config = layer.config()
        if isinstance(layer, le.LSTM) or (isinstance(layer, le.Dense) and layer.activation == "tanh"):
            config |= exact_tanh(keras, model.dtype)
        layers.append(getattr(keras.layers, type(layer).__name__)(name=layer.name, **config))
    twin = keras.Sequential(layers)
    twin.set_weights(model.get_weights())
    if model.optimizer and model.loss:
        optimizer = getattr(keras.optimizers, type(model.optimizer).__name__)(**model.optimizer.config())
        twin.compile(optimizer, model.loss.name, metrics=model.metric_names)
    return twin


def exact_tanh(keras: Any, dtype: str) -> dict[str, Any]:
    """On JAX, `keras.ops.tanh` computes float64 in float32; jax.numpy's own does not."""
    if dtype == "float64" and keras.backend.backend() == "jax":
        import jax.numpy

        return {"activation": jax.numpy.tanh}
    return {}


# What from_keras may meet and the engine has: anything else in a layer's config must be at Keras's default.
OWN = {"LSTM": {"units", "return_sequences"}, "Dense": {"units", "activation"}, "Dropout": {"rate", "seed"}}
IGNORED = {"name", "dtype", "build_config", "seed", "kernel_initializer", "recurrent_initializer"}
IGNORED |= {"bias_initializer", "unit_forget_bias"}  # how weights began no longer matters: they are copied


def from_keras(keras_model: Any) -> le.Sequential:
    """The engine's twin of a live Keras Sequential: layers, weights, and if compiled its optimizer with the state that
    it has reached, loss and metrics.

    ValueError names every layer, option, optimizer or loss that the engine does not have; nothing is left out silently.
    """
    keras = import_keras_as_is()
    if not isinstance(keras_model, keras.Sequential) or not keras_model.built:
        raise ValueError("from_keras takes a built keras.Sequential: give it an Input, or call it on data once")
    layers = [_layer_from_keras(layer) for layer in keras_model.layers]
    dtypes = {layer.dtype_policy.name for layer in keras_model.layers}  # the model's own is not what its layers use
    if dtypes not in ({"float32"}, {"float64"}):
        raise ValueError(
            f"the layers compute in {', '.join(sorted(dtypes))}; the engine has float32 or float64, for all of them"
        )
    model = le.Sequential(layers, dtype=dtypes.pop())
    model.build(tuple(keras_model.input_shape[1:]))
    model.set_weights(keras_model.get_weights())
    if getattr(keras_model, "optimizer", None) is not None and keras_model.compiled:
        loss, metrics = keras_model._compile_loss, keras_model._compile_metrics
        for name, value in (
            ("loss_weights", loss._user_loss_weights),
            ("weighted_metrics", metrics and metrics._user_weighted_metrics),
        ):
            if value is not None:
                raise ValueError(f"the model was compiled with {name}={value!r}, which the engine does not have")
        model.compile(
            _optimizer_from_keras(keras_model.optimizer),
            _loss_from_keras(keras_model.loss),
            metrics=[m if isinstance(m, str) else repr(m) for m in (metrics and metrics._user_metrics) or []],
        )
        model.optimizer.iterations = int(keras_model.optimizer.iterations)
        model.optimizer.slots = keras_slots(keras_model, list(model.weights))
    return model


def import_keras_as_is() -> Any:
    """Keras as the caller has set it up."""
    import keras

    return keras


def _layer_from_keras(layer: Any) -> Any:
    kind = type(layer).__name__
    if kind not in OWN:
        raise ValueError(f"layer {layer.name} is a keras {kind}; the engine has {', '.join(OWN)}")
    config = layer.get_config()
    given = {name: value for name, value in config.items() if name in OWN[kind]}
    if kind == "Dense":
        given["activation"] = _activation_name(layer.activation)
        if given["activation"] not in ACTIVATIONS:
            raise ValueError(
                f"layer {layer.name} has activation={given['activation']!r}; the engine has {', '.join(ACTIVATIONS)}"
            )
    defaults = type(layer)(**{name: config[name] for name in ("units", "rate") if name in config}).get_config()
    for name, value in config.items():
        if name in OWN[kind] | IGNORED:
            continue
        if name in ("activation", "recurrent_activation"):
            same = _activation_name(getattr(layer, name)) == defaults[name]
        else:
            same = value == defaults[name]
        if not same:
            raise ValueError(f"layer {layer.name} has {name}={value!r}, which the engine's {kind} does not have")
    return getattr(le, kind)(name=layer.name, **given)


def _activation_name(function: Any) -> str:
    """A Keras activation's name; jax.numpy.tanh, which float64 takes, is tanh too."""
    return getattr(function, "__name__", str(function))


def _optimizer_from_keras(optimizer: Any) -> Any:
    kind = type(optimizer).__name__
    if kind not in ("Adam", "SGD"):
        raise ValueError(f"the model's optimizer is a keras {kind}; the engine has Adam and SGD")
    config, defaults = optimizer.get_config(), type(optimizer)().get_config()
    if not isinstance(config["learning_rate"], float):
        schedule = config["learning_rate"]["class_name"]
        raise ValueError(f"the model's {kind} has the learning rate {schedule}; the engine's has one that stays")
    ours = getattr(le, kind)()
    for name, value in config.items():
        if name not in {*ours.config(), "name"} and value != defaults[name]:
            raise ValueError(f"the model's {kind} has {name}={value!r}, which the engine's does not have")
    return getattr(le, kind)(**{name: config[name] for name in ours.config()})


def keras_slots(keras_model: Any, names: list[str]) -> dict[str, np.ndarray]:
    """The optimizer's moments of a Keras model under the engine's names: "momentum/lstm/kernel", ..."""
    to_numpy, optimizer = import_keras_as_is().ops.convert_to_numpy, keras_model.optimizer
    kinds = {"momentum": getattr(optimizer, "_momentums", None) or getattr(optimizer, "momentums", None)}
    kinds["velocity"] = getattr(optimizer, "_velocities", None)
    return {
        f"{kind}/{name}": to_numpy(slot).copy()
        for kind, slots in kinds.items()
        for name, slot in zip(names, slots or [], strict=False)
    }


def _loss_from_keras(loss: Any) -> str:
    """A loss's name, from its name, from Keras's function, or from an object whose options are Keras's defaults."""
    keras = import_keras_as_is()
    if isinstance(loss, keras.losses.Loss):
        kind, defaults = type(loss).__name__, type(loss)().get_config()
        for name, value in loss.get_config().items():
            if name not in ("name", "dtype") and value != defaults[name]:
                raise ValueError(f"the model's loss {kind} has {name}={value!r}, which the engine's does not have")
        return _snake(kind)
    if isinstance(loss, str):
        return _snake(loss)
    name = getattr(loss, "__name__", "")
    return name if getattr(keras.losses, name, None) is loss else repr(loss)  # not a loss of its own by the same name


def _snake(name: str) -> str:
    """BinaryCrossentropy to binary_crossentropy."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


def loss_and_gradients(keras_model: Any, X: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray, list[np.ndarray]]:
    """Keras's loss, predictions and gradients on one batch (dropout off), by its backend's own differentiation."""
    keras = import_keras_as_is()
    X, y = keras.ops.convert_to_tensor(X), keras.ops.convert_to_tensor(y)
    backend = keras.backend.backend()
    if backend == "jax":
        (loss, p), gradients = _jax_gradients(keras_model)(
            [v.value for v in keras_model.trainable_variables],
            [v.value for v in keras_model.non_trainable_variables],
            X,
            y,
        )
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
            p, _ = keras_model.stateless_call(trainable, rest, X, training=False)
            return keras_model.compute_loss(x=X, y=y, y_pred=p), p

        keras_model._lstm_engine_gradients = jax.jit(jax.value_and_grad(loss, has_aux=True))
    return keras_model._lstm_engine_gradients
