"""The compiled twins of the pairs in `cells/`, fused and parallel: the same signatures and, but for rounding, results.

Open `lstm.py` first: it is `cells/lstm.py` on the loops of `rows.py`, `vectors.py` and `product.py`.
"""

import os

from numba.core import event

from .notice import NOTICE

# How long GNU OpenMP's threads spin before they sleep; it reads this variable when it loads. By default they spin for
# milliseconds: on a busy machine a waiting thread then takes the core from the thread it waits for. 50000 is a compromise
# from noisy measurements: smaller values made small models slower on a quiet machine, and under load no value was best.
os.environ.setdefault("GOMP_SPINCOUNT", "50000")

event.register("numba:compile", NOTICE)
