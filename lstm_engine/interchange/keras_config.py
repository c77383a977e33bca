"""Keras's plain configuration, both ways: layers, models, optimizers, losses and metrics as JSON values.

A class is looked up by its name in the engine's own tables, never imported; options are numbers, texts and other such
configs. What the engine does not have is refused by name. A layer whose class and options have Keras's names needs nothing
here. Files of Keras 2 are read too: `Origin` says what a missing or an old entry means there.
"""

from __future__ import annotations

import copy
import inspect
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .. import initializers, losses, metrics, optimizers, regularizers, schedules
from ..activations import KERAS_2, canonical_name
from ..keras_names import snake
from ..layer import KERAS_DEFAULTS, Layer
from ..recurrent import Recurrent
from ..registry import engine, require_types
from ..wrappers import Bidirectional, as_config

Config = dict[str, Any]
MOST_LETTERS = 1000  # of a layer's name
PYTHON = ("Lambda", "TFOpLambda", "SlicingOpLambda")  # classes that hold code
CUDNN: dict[str, tuple[str, Config]] = {
    "CuDNNLSTM": ("LSTM", {}),
    "CuDNNGRU": ("GRU", {"reset_after": True}),
}  # Keras 2's layers for a GPU alone
# Entries of a layer's config that say nothing about what it computes, and others at the values that change nothing.
SILENT = {"dtype", "build_config", "batch_input_shape", "batch_shape", "input_shape", "implementation", "input_length"}
USUAL = KERAS_DEFAULTS | {"sparse": False, "ragged": False, "optional": False, "time_major": False, "autocast": True}
USUAL |= {"data_format": "channels_last", "rms_scaling": False}


@dataclass
class Origin:
    """Who wrote a config: Keras's version, the caller's own classes by name, and what is learned while reading."""

    version: tuple[int, ...] | None = None  # None: the file does not say, as before Keras 2
    custom: Mapping[str, Any] = field(default_factory=dict)
    drawn: bool = True  # whether weights are drawn, not read, so that an unknown initializer matters
    dtypes: set[str] = field(default_factory=set)  # of the layers

    @property
    def dtype(self) -> str:
        return next(iter(self.dtypes), "float32")

    @property
    def old(self) -> bool:
        return self.version is None or self.version < (3,)


def version_of(text: str | None) -> tuple[int, ...] | None:
    """(2, 2) for "2.2.4-tf", None where nothing is said."""
    numbers = re.match(r"(\d+)\.(\d+)", text or "")
    return tuple(map(int, numbers.groups())) if numbers else None


# -- reading: layers -------------------------------------------------------------------------------------------------


def read_layer(config: Any, origin: Origin) -> Layer:
    """The engine's layer. ValueError names the layer and the class or option that the engine does not have."""
    kind, options = _parts(config, "a layer")
    name = read_name(options.pop("name", ""), kind)
    what = f"layer {name or kind}"
    kind, old = CUDNN[kind] if kind in CUDNN else (kind, _missing_options(kind, origin))
    cls = _layer_class(kind, config, what, origin)
    origin.dtypes.add(_dtype(options.get("dtype"), what))
    try:
        given: Config = {"trainable": options.pop("trainable", True) is not False}
        for option, value in (old | options).items():
            if option in cls.options():
                given[option] = _read_value(option, value, what, origin)
                if isinstance(given[option], Layer) and not given[option].trainable:
                    if given["trainable"]:
                        raise ValueError(
                            f"its {option} alone has trainable=False; here the whole layer has it, or none"
                        )
                    given[option].trainable = True  # the wrapper says it
                if isinstance(given[option], Layer):
                    given[option].name = _inner_name(given[option])
            elif option not in SILENT and value is not None and (option not in USUAL or USUAL[option] != value):
                raise ValueError(f"it has {option}={value!r:.80}, which the engine's {kind} does not have")
        require_types(cls, given)
        return bidirectional(given, name) if cls is Bidirectional else cls(**given, name=name.replace("/", "_"))
    except (TypeError, ValueError) as error:
        message = str(error)
        raise ValueError(message if message.startswith("layer ") else f"{what}: {message}") from None


def _parts(config: Any, what: str) -> tuple[str, Config]:
    """The class's name and a copy of the options."""
    if not isinstance(config, dict) or not isinstance(config.get("class_name"), str):
        raise ValueError(f"{what} is described by class_name and config, got {str(config)[:80]!r}")
    options = config.get("config", {})
    if not isinstance(options, dict):
        raise ValueError(f"{what} of class {config['class_name']} has {str(options)[:80]!r} for a config")
    return config["class_name"], dict(options)


def _layer_class(kind: str, config: Config, what: str, origin: Origin) -> type[Layer]:
    registered = config.get("registered_name") or kind
    if not isinstance(registered, str):
        raise ValueError(f"{what}: its registered_name is {str(registered)[:80]!r}, expected a text")
    for name in (registered, registered.rpartition(">")[2], kind):
        if isinstance(own := origin.custom.get(name), type) and issubclass(own, Layer):
            return own
    if kind in PYTHON:
        raise ValueError(f"{what} is a {kind}: it holds Python code, and nothing in a file is executed")
    if kind in ("Functional", "Model", "Sequential"):
        raise ValueError(
            f"{what} is a model inside the model, and a file is read here as one graph of layers: in Keras call its layers "
            "one by one, `for layer in inner.layers: x = layer(x)`, and save the model of these calls"
        )
    if foreign(config) or config.get("module") not in (None, "keras.layers"):
        raise ValueError(
            f"{what} is a {registered}, which is not Keras's own: no class is imported for a file. Give yours, a layer of "
            f"this engine: custom_objects={{{registered!r}: ...}}"
        )
    known = engine("layer")
    if kind not in known:
        raise ValueError(f"{what} is Keras's {kind}, which is not in the engine; it has {', '.join(sorted(known))}")
    return known[kind]


def foreign(config: Config) -> bool:
    """Whether a config names a class that is not Keras's own."""
    registered, module = config.get("registered_name"), config.get("module")
    return (registered not in (None, config["class_name"])) or not (module is None or f"{module}.".startswith("keras."))


def _missing_options(kind: str, origin: Origin) -> Config:
    """What a config means by not naming them: gates were hard_sigmoid before 2.3, a GRU reset before the product."""
    if kind not in ("LSTM", "GRU"):
        return {}
    before_2_3 = origin.version is None or origin.version < (2, 3)
    options: Config = {"recurrent_activation": "hard_sigmoid"} if before_2_3 else {}
    return options | ({"reset_after": False} if kind == "GRU" and origin.old else {})


def _dtype(config: Any, what: str) -> str:
    policy = config.get("config") if isinstance(config, dict) else None
    name = policy.get("name") if isinstance(policy, dict) else config
    if name not in (None, "float32", "float64"):
        raise ValueError(f"{what} computes in {str(name)[:80]}; the engine has float32 and float64")
    return name or "float32"


def _read_value(option: str, value: Any, what: str, origin: Origin) -> Any:
    """An option's value: another layer, an initializer, a penalty, an activation; others unchanged."""
    if option.endswith("_initializer"):
        return read_initializer(value, origin)
    if option.endswith("_regularizer"):
        return read_regularizer(value)
    if option.endswith("activation"):
        return read_activation(value, origin)
    if option in ("layer", "backward_layer") and value is not None:
        return read_layer(value, origin)
    if isinstance(value, dict):
        raise ValueError(f"it has {option}={value.get('class_name', value)!r}, which the engine does not have")
    return value


def read_activation(value: Any, origin: Origin) -> str:
    if isinstance(value, dict):  # an object, or a function of the writer's
        value = value.get("registered_name") if value.get("class_name") == "function" else value.get("class_name")
        raise ValueError(f"its activation {value!r} is no name of Keras's, and nothing is imported for a file")
    return canonical_name(KERAS_2.get(value, value) if origin.old and isinstance(value, str) else value)


def read_initializer(value: Any, origin: Origin) -> Any:
    """The initializer; in a file with weights one that the engine does not have becomes zeros, since it has done its work."""
    if value is None or isinstance(value, str):
        return value or "zeros"
    kind, options = _parts(value, "an initializer")
    options = {k: v for k, v in options.items() if k not in ("seed", "dtype", "input_axes", "output_axes")}
    try:
        if foreign(value):
            raise ValueError(f"initializer {value.get('registered_name') or kind} is not Keras's own")
        if snake(kind) in initializers.NAMED and not options:
            return snake(kind)
        if kind == "VarianceScaling" and options.get("distribution") == "normal":  # Keras 2's name of it
            options["distribution"] = "truncated_normal"
        return initializers.get({"class": kind, **options})
    except (TypeError, ValueError):
        if origin.drawn:
            raise
        return "zeros"


def read_regularizer(value: Any) -> regularizers.Regularizer | None:
    if value is None or isinstance(value, str):
        return regularizers.get(value)
    kind, options = _parts(value, "a regularizer")
    if kind not in ("L1", "L2", "L1L2") or foreign(value):
        raise ValueError(
            f"regularizer {value.get('registered_name') or kind} is not in the engine; it has L1, L2, L1L2"
        )
    return regularizers.L1L2(**{k: float(v) for k, v in options.items() if k in ("l1", "l2")})


def read_name(name: Any, kind: str = "layer") -> str:
    if not isinstance(name, str) or len(name) > MOST_LETTERS:
        raise ValueError(f"a {kind}'s name is {name!r:.80}, expected a text of at most {MOST_LETTERS} letters")
    return name


def _inner_name(layer: Layer) -> str:
    """The name that its writer gave a layer in a wrapper; "" where Keras counted over all models of a process."""
    name = re.sub("^(forward|backward)_", "", layer.name)
    return "" if re.fullmatch(rf"{snake(type(layer).__name__)}(_\d+)?", name) else name


def bidirectional(given: Config, name: str) -> Bidirectional:
    """From the two directions in full, as Keras writes them, the layer whose second direction is derived, where it can be."""
    first, second = given.pop("layer", None), given.pop("backward_layer", None)
    if first is None:
        raise ValueError("it has no layer inside")
    for half in filter(None, (first, second)):
        if isinstance(half, Recurrent):
            half.zero_output_for_mask = False  # Bidirectional decides it
    derived = isinstance(first, Recurrent) and second is not None
    if derived and second.config() == first.config() | {"go_backwards": not first.config()["go_backwards"]}:
        second = None
    return Bidirectional(first, backward_layer=second, name=name, **given)


def read_shape(shape: Any) -> tuple[Any, ...]:
    """A shape without the batch."""
    if (
        not isinstance(shape, list | tuple)
        or not shape
        or not all(n is None or (type(n) is int and n > 0) for n in shape)
    ):
        raise ValueError(f"its input's shape is {str(shape)[:80]}, expected sizes with None for any")
    return tuple(shape[1:])


# -- reading: what compile said --------------------------------------------------------------------------------------


def read_optimizer(config: Any) -> optimizers.Optimizer:
    """The optimizer. ValueError names the class or option that the engine does not have."""
    if isinstance(config, str):
        return optimizers.get(config)
    kind, options = _parts(config, "the optimizer")
    cls = optimizers.OPTIMIZERS.get(kind.lower())
    if cls is None or foreign(config):
        raise ValueError(
            f"the optimizer is a {config.get('registered_name') or kind}; the engine has "
            f"{', '.join(c.__name__ for c in optimizers.OPTIMIZERS.values())}"
        )
    if "lr" in options:  # Keras 2's name
        options["learning_rate"] = options.pop("lr")
    lr, decay = options.get("learning_rate"), options.get("decay")
    if isinstance(lr, float) and isinstance(decay, float) and decay > 0:
        options |= {"learning_rate": schedules.InverseTimeDecay(lr, 1, decay), "decay": 0.0}  # what Keras 2 did
    known: list[str] = cls.options()  # type: ignore[attr-defined]
    silent = {*known, "name", "jit_compile", "is_legacy_optimizer"}
    for option, value in options.items():
        if option not in silent and value and optimizers.KERAS_DEFAULTS.get(option) != value:
            raise ValueError(f"the optimizer {kind} has {option}={value!r}, which the engine's does not have")
    given = {k: v for k, v in options.items() if k in known and not (k == "epsilon" and v is None)}
    if isinstance(rate := given.get("learning_rate"), dict) and (
        _parts(rate, "the learning rate")[0] not in schedules.SCHEDULES or foreign(rate)
    ):
        raise ValueError(
            f"the learning rate follows {rate.get('registered_name') or rate['class_name']}; the engine has "
            f"{', '.join(schedules.SCHEDULES)}"
        )
    require_types(cls, given)  # type: ignore[arg-type]
    return cls(**given)


def read_compile(config: Any, outputs: int = 1, custom: Mapping[str, Any] | None = None) -> Config:
    """The arguments of `compile` from what Keras 3 stores of them, or from Keras 2's training_config.

    custom has the caller's own losses and metrics by name.
    """
    if not isinstance(config, dict):
        raise ValueError(f"what compile said is {str(config)[:80]!r}, no dict")
    for name in ("weighted_metrics", "sample_weight_mode"):
        if config.get(name):
            raise ValueError(f"it was compiled with {name}={config[name]!r}, which the engine does not have")
    metrics = each(_or_own(read_metric, custom or {}), config.get("metrics"))
    if outputs == 1 and isinstance(metrics, list):  # Keras 2 nests those of a single output too
        metrics = [metric for item in metrics for metric in (item if isinstance(item, list) else [item])]
    optimizer = optimizer_of(config)
    if optimizer is None:
        warnings.warn(
            "it does not say the optimizer, which Keras 3.15 leaves out once it has saved the model as .h5: it is rmsprop, "
            "as in Keras, until you compile the model with another",
            stacklevel=2,
        )
        optimizer = "rmsprop"
    loss = each(_or_own(read_loss, custom or {}), config.get("loss"))
    if outputs == 1 and isinstance(loss, list) and len(loss) == 1:
        (loss,) = loss
    return {
        "optimizer": read_optimizer(optimizer),
        "loss": loss,
        "loss_weights": config.get("loss_weights") or None,
        "metrics": metrics,
    }


def optimizer_of(config: Config) -> Any:
    """What compile said of the optimizer, in Keras 3's files or in legacy ones; None where it is missing."""
    return config.get("optimizer") or config.get("optimizer_config")


def _or_own(read: Callable[[Any], Any], custom: Mapping[str, Any]) -> Callable[[Any], Any]:
    """read, but for the names of the caller's own: their object, or one of their class with the stored options."""

    def own_first(config: Any) -> Any:
        name = config.get("registered_name") or config.get("class_name") if isinstance(config, dict) else config
        own = custom.get(str(name), custom.get(str(name).rpartition(">")[2]))
        if own is None:
            return read(config)
        options = _parts(config, "a loss or metric")[1] if isinstance(config, dict) else {}
        return own(**{k: v for k, v in options.items() if k != "dtype"}) if isinstance(own, type) else own

    return own_first


def each(read: Callable[[Any], Any], value: Any) -> Any:
    """read of a single object; of the items of a list, or of a dict by the outputs' names."""
    if isinstance(value, list):
        return [each(read, item) for item in value]
    if isinstance(value, dict) and "class_name" not in value:
        return {str(name): each(read, item) for name, item in value.items()}
    return None if value is None else read(value)


def read_loss(config: Any) -> Any:
    """A loss by its name, of Keras's function, or of an object."""
    return _read_scored(config, "loss", losses.CLASSES, LOSS_DEFAULTS)


def read_metric(config: Any) -> Any:
    """A metric by its name, of Keras's function, or of an object."""
    if isinstance(config, dict) and config.get("class_name") == "MeanMetricWrapper":  # Keras 2's object around a name
        return str(_parts(config, "a metric")[1].get("name"))
    known = {name: cls for name, cls in metrics.CLASSES.items() if name not in NOT_KERAS}
    return _read_scored(config, "metric", known, METRIC_DEFAULTS)


def _read_scored(config: Any, what: str, classes: Mapping[str, Any], usual: Mapping[str, tuple[Any, ...]]) -> Any:
    """A loss or a metric. ValueError names the class or option that the engine does not have."""
    if not isinstance(config, dict):
        return config
    kind, options = config.get("class_name"), config.get("config")
    if (
        kind == "function"
        and config.get("module") == "builtins"
        and config.get("registered_name") in (None, "function")
    ):
        return str(options)
    kind, options = _parts(config, f"the {what}")
    if kind not in classes or foreign(config):
        name = config.get("registered_name") or kind
        raise ValueError(f"the {what} {name} is not in the engine, or not Keras's own; it has {', '.join(classes)}")
    known = set(inspect.signature(classes[kind]).parameters)
    given = {k: v[0] if isinstance(v, list) and len(v) == 1 else v for k, v in options.items() if k in known}
    for option, value in options.items():
        if option not in {*known, "name", "dtype", "fn"} and value not in usual.get(option, (None,)):
            raise ValueError(f"the {what} {kind} has {option}={value!r}, which the engine's does not have")
    name = {"name": str(options["name"])} if options.get("name") else {}
    given = {k: v for k, v in given.items() if v is not None} | name
    require_types(classes[kind], given)
    return classes[kind](**given)


NOT_KERAS = ("Accuracy", "BalancedAccuracy")  # Keras's Accuracy is another metric: how often y equals p
LOSS_DEFAULTS: dict[str, tuple[Any, ...]] = {"reduction": ("sum_over_batch_size", "auto"), "axis": (-1,)}
METRIC_DEFAULTS: dict[str, tuple[Any, ...]] = {
    "curve": ("ROC",), "summation_method": ("interpolation",), "multi_label": (False,), "from_logits": (False,),
    "thresholds": (None,), "top_k": (None,), "class_id": (None,),
}  # fmt: skip


# -- writing ---------------------------------------------------------------------------------------------------------


def write_layer(layer: Layer, dtype: str) -> Config:
    """The layer's config in the form that Keras's `layers.deserialize` reads."""
    config = as_config(layer)
    if isinstance(layer, Bidirectional):
        # Both directions in full, as Keras writes them. For backward_layer=None its constructor serialises one layer twice,
        # and Keras 3.15 then takes the two for one shared object if the layer's id() was used before.
        halves = {"layer": as_config(layer.forward_half), "backward_layer": as_config(layer.backward_half)}
        config["config"] = config["config"] | halves
    return _written(config, dtype)


def _written(value: Any, dtype: str) -> Any:
    """A value of the engine's config as Keras writes it: layers, initializers and penalties as objects, others unchanged."""
    match value:
        case {"class": kind, "name": name, "config": config}:
            if kind not in engine("layer"):
                raise ValueError(f"{name} is a {kind}, your own class, which Keras does not have: save as .safetensors")
            options = {k: _written(v, dtype) for k, v in config.items() if (k, v) != ("recurrent_activation", None)}
            return keras_object("layers", kind, options | {"name": name or snake(kind), "dtype": dtype})
        case {"class": kind}:
            if kind not in engine("initializer"):
                raise ValueError(f"{kind} is your own class, which Keras does not have: save as .safetensors")
            return keras_object("initializers", kind, {k: v for k, v in value.items() if k != "class"})
        case {"l1": _, "l2": _}:
            return keras_object("regularizers", "L1L2", value)
        case str() if value in KERAS_2.values():
            raise ValueError(f"Keras 3 has no {value}, its hard_sigmoid is another function: save as .safetensors")
    return value


def keras_object(module: str, kind: str, config: Config) -> Config:
    module = f"keras.{module}".rstrip(".")
    return {"module": module, "class_name": kind, "config": config, "registered_name": None}


def write_optimizer(optimizer: optimizers.Optimizer) -> Config:
    """Keras's object; a rate that was changed while training is written as it is now."""
    kind = type(optimizer).__name__
    if optimizers.OPTIMIZERS.get(kind.lower()) is not type(optimizer):
        raise ValueError(f"the optimizer is a {kind}, your own class, which Keras does not have: save as .safetensors")
    config = optimizer.config()
    rate = config["learning_rate"]
    if isinstance(rate, dict) and rate["class_name"] not in schedules.SCHEDULES:
        raise ValueError(
            f"the learning rate follows {rate['class_name']}, your own class, which Keras does not have: save as .safetensors"
        )
    return keras_object("optimizers", kind, {"name": optimizer.name, **config})


def write_compile(model: Any) -> Config:
    """What `compile` said, in the form in which Keras 3 stores it."""
    said: Config = {"loss": None, "loss_weights": None, "metrics": None}
    if len(model.targets) == 1:
        (target,) = model.targets
        said |= {"loss": write_loss(target.loss), "metrics": [write_metric(metric) for metric in target.metrics]}
        if target.weight != 1:
            said["loss_weights"] = [target.weight]
    else:
        said["loss"] = [write_loss(target.loss) for target in model.targets]
        said["loss_weights"] = [target.weight for target in model.targets]
        # The engine puts the output's name before the metric's, Keras does so by itself.
        said["metrics"] = [[write_metric(m, t.name) for m in t.metrics] for t in model.targets]
    rest = {"weighted_metrics": None, "run_eagerly": False, "steps_per_execution": 1, "jit_compile": False}
    return {"optimizer": write_optimizer(model.optimizer)} | said | rest


def write_loss(loss: losses.Loss) -> Any:
    """The name alone where it says all, as in Keras."""
    if losses.CLASSES.get(kind := type(loss).__name__) is not type(loss):
        raise ValueError(f"the loss is a {kind}, your own class, which Keras does not have: save as .safetensors")
    config = losses.to_config(loss)
    return config if isinstance(config, str) else keras_object("losses", kind, {"name": loss.name} | loss.config())


def write_metric(metric: metrics.Metric, output: str = "") -> Any:
    metric = copy.copy(metric)
    metric.name = metric.name.removeprefix(f"{output}_")
    config: Any = metrics.to_config(metric)
    kind = type(metric).__name__
    if isinstance(config, str) and kind != "BalancedAccuracy":
        return config
    if kind in NOT_KERAS or metrics.CLASSES.get(kind) is not type(metric):
        raise ValueError(
            f"Keras has no metric like {metric.name} ({kind}): leave it out of compile's metrics, or save with "
            "include_optimizer=False, or as .safetensors"
        )
    return keras_object("metrics", kind, config["config"])
