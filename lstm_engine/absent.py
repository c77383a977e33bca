"""Answers to the names of Keras that the engine lacks: what they are, that they are not here, and a way.

The answers stand in `absent.toml`. `answer_for_modules` gives every module that is a namespace of Keras, as `layers`, a
`__getattr__`, and the import system a finder, so that all of `le.Conv1D`, `le.layers.Conv1D`, `from lstm_engine.layers
import Conv1D` and `import lstm_engine.datasets` say it. `hasattr` stays False, and `importlib.util.find_spec` returns None.
"""

import difflib
import functools
import importlib.abc
import sys
import tomllib
from pathlib import Path
from types import FrameType, ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

PACKAGE = "lstm_engine"
MODULES = (  # those that are a namespace of Keras
    "activations", "backend", "callbacks", "initializers", "layers", "losses", "metrics", "models", "optimizers",
    "optimizers.schedules", "preprocessing", "preprocessing.sequence", "preprocessing.text", "regularizers", "saving",
    "utils", "wrappers",
)  # fmt: skip
# whose attributes are answered for
OBJECTS = ("Model", "Layer", "Optimizer", "Loss", "Metric", "Initializer", "Regularizer")


class Absent(NamedTuple):
    """Why a name is not here, as the end of a sentence about it, and what to do instead."""

    why: str
    way: str


@functools.cache
def contents() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))


def argument(name: str) -> str:
    """What to write instead of an argument of Keras that the engine lacks; "" where nothing is known."""
    return str(contents()["arguments"].get(name, ""))


@functools.cache
def table() -> dict[str, dict[str, Absent]]:
    """The answers by place and name: table()["layers"]["Conv1D"]. The place "keras" is Keras itself."""
    read = dict(contents())
    whys = read.pop("why")
    del read["arguments"]
    answers: dict[str, dict[str, Absent]] = {}
    for first, rows in read.items():
        for row in rows:
            why = row.get("why", "small")
            for place in (first, *row.get("also", ())):
                answers.setdefault(place, {}).update(
                    dict.fromkeys(row["names"].split(), Absent(whys.get(why, why), row["way"]))
                )
    return answers


def sentence(place: str, name: str) -> str:
    """ "Keras's Conv1D is not in the engine, which is about recurrence: ..." """
    why, way = table()[place][name]
    if place in OBJECTS:
        name = f"{place.lower()}.{name}"
    elif place != "keras" and name[0].islower():
        name = f"{place}.{name}"
    return f"Keras's {name} {why}: {way.replace('NAME', name.rpartition('.')[2])}"


def answer(place: str, name: str) -> str | None:
    """A sentence about `name`, looked for at `place`. None where Keras has no such name and nothing is spelt like it."""
    if name.startswith("_"):
        return None
    if name in table().get(place, {}):
        return sentence(place, name)
    if place in OBJECTS:
        return None
    if elsewhere := [other for other in MODULES if name in public(other)]:
        return f"{path_of(place)} has no {name}: it is {path_of(elsewhere[0])}.{name}"
    if found := [at for at in table() if name in table()[at] and at not in (*OBJECTS, "backend")]:
        return sentence(found[0], name)  # NumPy's names, which are backend's, are meant there alone
    here = [*dir(sys.modules.get(path_of(place))), *table().get(place, ())]
    known = {n.lower(): n for n in here if not n.startswith("_")}
    close = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.7)
    return f"{path_of(place)} has no {name}: did you mean {known[close[0]]}?" if close else None


def public(place: str) -> list[str]:
    """The engine's names at one of MODULES: `__all__`, or what the module defines."""
    module = sys.modules[path_of(place)]
    own = [name for name, value in vars(module).items() if getattr(value, "__module__", None) == module.__name__]
    return list(getattr(module, "__all__", None) or own)


def path_of(place: str) -> str:
    return PACKAGE if place == "keras" else f"{PACKAGE}.{place}"


class KerasAttributeError(AttributeError):
    """An attribute that is not there. Its sentence is made when somebody reads it, which hasattr does not."""

    def __init__(self, place: str, name: str, owner: str) -> None:
        super().__init__(place, name, owner)
        self.question, self.owner = (place, name), owner

    def __str__(self) -> str:
        return answer(*self.question) or f"{self.owner} has no attribute {self.question[1]!r}"


def answer_for_modules() -> None:
    """Gives the modules their `__getattr__` and registers the finder. The package has a `__getattr__` of its own."""
    sys.modules[f"{PACKAGE}.optimizers.schedules"] = sys.modules[f"{PACKAGE}.schedules"]  # as os has os.path
    for place in MODULES:
        names = vars(sys.modules[path_of(place)])
        names.setdefault("__path__", [])  # else Python asks no finder for what is imported from the module
        names["__getattr__"] = functools.partial(refuse, place)  # here, so that type checkers see no name too many
    if not any(isinstance(finder, Finder) for finder in sys.meta_path):
        sys.meta_path.append(Finder())


def refuse(place: str, name: str) -> Any:
    raise KerasAttributeError(place, name, f"module {path_of(place)!r}")


class Finder(importlib.abc.MetaPathFinder):
    """The last of the import system's finders: it answers an import from the engine that no other could serve.

    `from lstm_engine.layers import Conv1D` asks for `lstm_engine.layers.Conv1D`, as the module has no such attribute. Only an
    import statement is answered: `importlib.util.find_spec` gets None.
    """

    def find_spec(self, fullname: str, path: Any = None, target: ModuleType | None = None) -> None:
        package, _, rest = fullname.partition(".")
        if package == PACKAGE and importing(sys._getframe(1)):
            place, _, name = rest.rpartition(".")
            if reason := answer(place or "keras", name):
                raise ImportError(reason)


def importing(frame: FrameType | None) -> bool:
    """Whether an import statement asks, up to some frames above: notebooks put functions of their own around finders."""
    for _ in range(4):
        if frame is None or frame.f_code.co_name == "_find_and_load_unlocked":
            break
        frame = frame.f_back
    return frame is not None and frame.f_code.co_name == "_find_and_load_unlocked"


class Answering:
    """Base of the classes whose objects answer for what Keras's objects have and theirs lack.

    A subclass with a method that Keras would call and the engine never does is refused where it is defined.
    """

    keras_class: ClassVar[str] = ""  # one of OBJECTS
    never_called: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        if unheard := [name for name in cls.never_called if name in vars(cls)]:
            raise TypeError(
                f"{cls.__name__}.{unheard[0]} would never be called. {sentence(cls.keras_class, unheard[0])}"
            )

    if not TYPE_CHECKING:  # type checkers see no attribute too many

        def __getattr__(self, name: str) -> Any:
            if hasattr(type(self), name):
                return object.__getattribute__(self, name)  # a property that failed says why
            raise KerasAttributeError(self.keras_class, name, f"{type(self).__name__!r} object")
