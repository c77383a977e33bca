"""Gradient checks: are these gradients the derivative of the loss, and if not, where does the backward pass go wrong?

Begin with `check.py`. It makes one forward and backward pass (`subject.py`), refuses what would make the check wrong
(`refusals.py`), differentiates the loss numerically (`numeric.py`), compares (`compare.py`, `report.py`) and looks for the
first wrong step (`departure.py`). `functions.py` checks any forward and backward function, which `contract.py` and
`adapters.py` bring into one form.

Where a function is wrong: `leads.py`. It looks at the gradients alone (`places.py`), recognises the cell (`recognise.py`,
`heads.py`), tries known slips (`slips.py`) in its equations (`equations.py`), and sweeps any other function over its steps
(`sweep.py`).

What a learner is told: `judge.py`, which is `le.assignment`. It finds the convention (`conventions.py`), calls the learner's
functions (`learner.py`), and makes a sentence (`wrong_rows.py`, `source_lines.py`, `verdict.py`) of what is wrong. Adam and
training are judged in `training_judge.py`.
"""

from . import adapters
from .check import gradcheck
from .curve import error_curve
from .functions import gradcheck_function
from .report import Departure, Lead, Report, Row
from .scale import unit_scale
from .subject import loss_along

__all__ = [
    "Departure", "Lead", "Report", "Row", "adapters", "error_curve", "gradcheck", "gradcheck_function", "loss_along",
    "unit_scale",
]  # fmt: skip
