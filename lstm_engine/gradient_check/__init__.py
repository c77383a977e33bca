"""The gradient laboratory: are these gradients the derivative of that loss, how do we know, and if not, where do they break?

`check.py` is the way through: one pass, refused where it would lie (`subject.py`, `refusals.py`); its loss differentiated
(`numeric.py`) and compared (`compare.py`, `report.py`); the first wrong step found (`departure.py`). `functions.py` does it
for a forward and backward function of yours.
"""

from .check import gradcheck
from .curve import error_curve
from .functions import gradcheck_function
from .report import Departure, Report, Row
from .scale import unit_scale
from .subject import loss_along

__all__ = ["Departure", "Report", "Row", "error_curve", "gradcheck", "gradcheck_function", "loss_along", "unit_scale"]
