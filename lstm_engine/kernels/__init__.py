"""The compiled twins of the pairs in `cells/`: the same signatures and the same results, fused and parallel."""

import os

# How long GNU OpenMP's threads spin before they sleep, read when it loads. Its own choice, milliseconds, makes a thread
# that waits hold the core from the one it waits for when another program is busy. 50000 is a compromise read off noisy
# runs: shorter cost small models time on a quiet machine, and under load no value was reliably best.
os.environ.setdefault("GOMP_SPINCOUNT", "50000")
