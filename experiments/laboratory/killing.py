"""Which checks catch which mistakes: every mutant against this project's checks, and against checks in common use.

A check in common use differs from this project's in one habit. It sees the same networks and the same arrays, so a mutant
that survives it survives because of that habit.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cache, partial
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np

import lstm_engine as le
from experiments.laboratory.cases import BESIDE, CELLS, MASK, OPTIONS, Case, D, H, N, T
from experiments.laboratory.mutants import BESIDE_MUTANTS, GRADIENT_MUTANTS, MUTANTS, STEP_MUTANTS
from experiments.laboratory.mutation import Mutant, made
from experiments.laboratory.three_steps import LIMIT, errors
from lstm_engine.activations import Array
from lstm_engine.gradient_check import unit_scale
from lstm_engine.gradient_check.compare import Progress
from lstm_engine.gradient_check.numeric import central
from lstm_engine.gradient_check.subject import Subject, prepare

OUR_CHECKS = {
    "complex step": "this project's gradcheck, the complex step on every case of the matrix",
    "cell alone": "this project's gradcheck_function on each cell's own pair, with gradients of the last states",
    "three steps": "three optimizer steps against their closed form",
}
FEW = 8  # numbers of each parameter that our checks test one by one; a random direction covers the others


class Verdict(NamedTuple):
    """Which checks caught one mutant."""

    mutant: Mutant
    killed_by: dict[str, str]  # this project's checks that caught it: on which case
    departure: str  # where the report says that the backward pass goes wrong first
    # By check in common use: the case on which it caught the mutant; "" where it did not; None where it cannot look.
    recipes: dict[str, str | None]

    @property
    def killed(self) -> bool:
        return bool(self.killed_by)

    def to_json(self) -> dict[str, Any]:
        """As JSON values; killed_by in words."""
        return {
            "name": self.mutant.name, "function": self.mutant.function, "killed": self.killed,
            "killed_by": [f"{check}: {case}" for check, case in self.killed_by.items()], "departs": self.departure,
            "recipes": self.recipes,
        }  # fmt: skip


def verdicts(
    recipes: bool = True, mutants: list[Mutant] = MUTANTS, progress: Progress = lambda done, total: None
) -> list[Verdict]:
    """Every mutant through every check. recipes=False leaves out the checks in common use, which take most of the time."""
    rows = []
    for done, mutant in enumerate(mutants):
        progress(done, len(mutants))
        looks = mutant in GRADIENT_MUTANTS  # what the checks in common use are tried on
        if mutant not in STEP_MUTANTS:
            (model, departure), cell = by_complex_step(mutant), by_cell_alone(mutant)
            ours = {"complex step": model, "cell alone": cell}
        else:
            departure, ours = "", {"three steps": by_three_steps(mutant)}
        theirs = {name: check(mutant) if looks else None for name, check in recipe_checks().items()} if recipes else {}
        rows.append(Verdict(mutant, {check: case for check, case in ours.items() if case}, departure, theirs))
    progress(len(mutants), len(mutants))
    return rows


# The layers beside the recurrent ones that have an option of their own, and the module or function where they are.
OWN_OPTION = {
    "embedding": "Embedding", "normalization": "LayerNormalization",
    "reshaping": "RepeatVector, Permute, Reshape, Flatten",
    "feedforward.Activation": "RepeatVector, Permute, Reshape, Flatten",
}  # fmt: skip


def cases_for(mutant: Mutant, options: Collection[str] = OPTIONS) -> list[tuple[str, str]]:
    """Cell and option of the networks that run the mutant's function: of its cell, or the LSTM's; or its layer's own."""
    if mutant in BESIDE_MUTANTS:
        return [("LSTM", option) for option in BESIDE]
    own = next((option for place, option in OWN_OPTION.items() if mutant.function.startswith(place)), "")
    chosen = [option for option in options if (option == own if own else option not in OWN_OPTION.values())]
    return [(cell, option) for cell in cells_of(mutant) for option in chosen]


def cells_of(mutant: Mutant) -> tuple[str, ...]:
    others = {"gru": ("GRU", "GRU, reset before"), "simple_rnn": ("SimpleRNN",), "products": ("SimpleRNN",)}
    return others.get(mutant.function.removeprefix("cells.").partition(".")[0], ("LSTM",))


@cache
def numpy_case(cell: str, option: str) -> Case:
    """The case on the readable pair, where the mistakes are planted."""
    made = (OPTIONS | BESIDE)[option](CELLS[cell])
    return made._replace(model=made.model.twin())


# -- this project's checks: the case on which each catches a mutant, or "" ---------------------------------------------


def by_complex_step(mutant: Mutant, options: Collection[str] = OPTIONS) -> tuple[str, str]:
    """gradcheck on whole networks; and where the first failing report says that the backward pass departs."""
    for cell, option in cases_for(mutant, options):
        case = numpy_case(cell, option)
        with made(mutant):
            try:
                report = le.gradcheck(case.model, case.x, case.y, elements=FEW, **case.options)
            except Exception as error:  # a mistake may also make shapes not fit
                return f"{cell}, {option}: {type(error).__name__}", ""
        if report.failed:
            return f"{cell}, {option}", "" if report.departure is None else report.departure.quantity
    return "", ""


def by_cell_alone(mutant: Mutant) -> str:
    """gradcheck_function on a cell's pair, with upstream gradients on every h and on the last states, masked and not."""
    for cell in cells_of(mutant) if mutant.function.startswith("cells.") else ():
        for what, mask in {"no mask": None, "masked": MASK.T}.items():
            with made(mutant):
                if le.gradcheck_function(*cell_pair(cell, mask), cell_inputs(cell), elements=FEW, locate=False).failed:
                    return f"{cell}, {what}"
    return ""


def cell_pair(cell: str, mask: Array | None) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The readable pair in the form of gradcheck_function: outputs are every h and the last of each state."""
    pair = {"LSTM": le.LSTM, "SimpleRNN": le.SimpleRNN}.get(cell, le.GRU).pair

    def forward(*inputs: Array) -> tuple[Any, Any]:
        tape = pair.forward(*inputs, mask=mask)
        return (tape.h, *(states[-1] for states in tape.states)), tape

    def backward(doutputs: Any, tape: Any) -> tuple[Array, ...]:
        dh, *last = doutputs
        grads = pair.backward(tape, dh, *last)
        return grads.x, grads.W, grads.U, grads.b, *grads.initial_states

    return forward, backward


def cell_inputs(cell: str) -> dict[str, Array]:
    """x, W, U, b and the initial states at unit scale, time-major."""
    layer, rng = CELLS[cell](H), np.random.default_rng(4)
    layer.build((T, D), "float64", "numpy", rng)
    W, U, b = unit_scale(layer, rng).get_weights()
    inputs = {"x": rng.standard_normal((T, N, D)), "W": W, "U": U, "b": b}
    return inputs | {f"{s}0": rng.standard_normal((N, H)) for s in layer.state_names}


def by_three_steps(mutant: Mutant) -> str:
    with made(mutant):
        return next((name for name, error in errors().items() if not error <= LIMIT), "")


# -- checks in common use ----------------------------------------------------------------------------------------------


FOR_DIFFERENCES = [option for option in OPTIONS if option != "Masking layer"]  # where a moved x wakes a masked step


class CommonCheck(NamedTuple):
    """Central differences with a step h, in `dtype`, on weights times `scale` and the first `steps` steps."""

    name: str
    what: str
    agree: Callable[[Array, Array], bool]  # compares the analytic and the numeric gradients of one parameter
    h: float = 1e-5
    dtype: str = "float64"
    scale: float = 1.0
    steps: int = T
    entries: int | None = None  # how many of each parameter; None: all


def within(absolute: float, relative: float = 0.0) -> Callable[[Array, Array], bool]:
    """Element by element: |a - n| <= absolute + relative |n|."""
    return lambda a, n: bool(np.all(np.abs(a - n) <= absolute + relative * np.abs(n)))


def norm_wise(limit: float) -> Callable[[Array, Array], bool]:
    return lambda a, n: bool(np.linalg.norm(a - n) <= limit * np.linalg.norm(n) + 1e-9)  # a difference's own error


COMMON_CHECKS = [
    CommonCheck(
        "ten entries", "10 random numbers of each parameter, absolute tolerance 1e-2", within(1e-2), entries=10
    ),
    CommonCheck("small weights", "weights x 0.01, absolute tolerance 1e-4", within(1e-4), scale=0.01),
    CommonCheck(
        "one step", "sequences of one step (T = 1), relative tolerance 1e-5, absolute 1e-9", norm_wise(1e-5), steps=1
    ),
    CommonCheck(
        "float32",
        "central differences in float32, h = 1e-3, relative tolerance 1e-2, absolute 1e-3",
        within(1e-3, 1e-2),
        1e-3,
        "float32",
    ),
    CommonCheck(
        "like torch",
        "torch.autograd.gradcheck's defaults in NumPy (eps 1e-6, atol 1e-5, rtol 1e-3)",
        within(1e-5, 1e-3),
        1e-6,
    ),
]


def by_recipe(recipe: CommonCheck, mutant: Mutant) -> str:
    """The case on which the check catches the mutant, or ""."""
    for cell, option in cases_for(mutant, FOR_DIFFERENCES):
        numbers = numeric(recipe, cell, option)
        with made(mutant):
            try:
                analytic = recipe_subject(recipe, cell, option).analytic()
            except Exception as error:
                return f"{cell}, {option}: {type(error).__name__}"
        for name, (at, n) in numbers.items():
            if not recipe.agree(analytic[name].reshape(-1)[at], n):
                return f"{cell}, {option}"
    return ""


@cache
def numeric(recipe: CommonCheck, cell: str, option: str) -> dict[str, tuple[Array, Array]]:
    """By parameter: the indices that are checked, and the central differences there. No mutant changes these."""
    subject, rng = recipe_subject(recipe, cell, option), np.random.default_rng(0)
    point, differences = subject.point(), {}
    for name, a in subject.analytic().items():
        at = np.arange(a.size) if recipe.entries is None else rng.permutation(a.size)[: recipe.entries]
        directions = np.eye(a.size)[at].reshape(-1, *a.shape)
        differences[name] = at, np.array([central(subject.loss, point, name, v, recipe.h) for v in directions])
    return differences


def recipe_subject(recipe: CommonCheck, cell: str, option: str) -> Subject:
    """The case as the check sees it: its backward pass, and its loss in the check's dtype."""
    case, steps = numpy_case(cell, option), slice(recipe.steps)
    model = case.model.twin(recipe.dtype)
    model.set_weights([w * recipe.scale for w in model.get_weights()])
    y = case.y[:, steps] if case.y.ndim == 3 else case.y
    options = case.options | ({"mask": case.options["mask"][:, steps]} if "mask" in case.options else {})
    options |= {"dtype": recipe.dtype, "allow_short": True, "allow_small": True}
    subject = prepare(model, case.x[:, steps], y, **options)
    if recipe.dtype == "float64":
        return subject
    batch = subject.batch._replace(x=subject.batch.x.astype(recipe.dtype), y=subject.batch.y.astype(recipe.dtype))
    return Single(*subject._replace(twin=subject.twin.twin(recipe.dtype), batch=batch))


class Single(Subject):
    """A subject whose loss is computed in float32."""

    def loss(self, arrays: dict[str, Array]) -> Any:
        return super().loss({name: a.astype(np.float32) for name, a in arrays.items()})


def by_torch(mutant: Mutant, options: Collection[str] = FOR_DIFFERENCES) -> str:
    """torch.autograd.gradcheck itself, with its defaults: the case on which it raises, or ""."""
    all_steps = COMMON_CHECKS[-1]  # sees all steps of a case, with the weights as they are
    for cell, option in cases_for(mutant, options):
        with made(mutant):
            try:
                torch_gradcheck(recipe_subject(all_steps, cell, option))
            except Exception as error:
                return f"{cell}, {option}: {type(error).__name__}"
    return ""


def torch_gradcheck(subject: Subject) -> None:
    import torch

    point, names = subject.point(), list(subject.analytic())

    class Loss(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *arrays: Any) -> Any:
            moved = {name: a.detach().numpy() for name, a in zip(names, arrays, strict=True)}
            return torch.tensor(float(subject.loss(point | moved)), dtype=torch.float64)

        @staticmethod
        def backward(ctx: Any, dloss: Any) -> Any:
            return tuple(dloss * torch.from_numpy(subject.analytic()[name]) for name in names)

    torch.autograd.gradcheck(Loss.apply, [torch.from_numpy(point[n]).requires_grad_() for n in names])


def on_one_network(mutant: Mutant) -> str:
    """The complex step, every number, but on the plain network alone."""
    return by_complex_step(mutant, ["every step"])[0]


def recipe_checks() -> dict[str, Callable[[Mutant], str]]:
    """By name; torch's own where it is installed."""
    checks = {"one network": on_one_network} | {recipe.name: partial(by_recipe, recipe) for recipe in COMMON_CHECKS}
    return checks | ({"torch": by_torch} if find_spec("torch") else {})


def explanations() -> dict[str, str]:
    """What each of the checks in common use does, in words."""
    texts = {"one network": "the complex step on the plain network alone"} | {r.name: r.what for r in COMMON_CHECKS}
    return {name: texts.get(name, "torch.autograd.gradcheck itself, with its defaults") for name in recipe_checks()}
