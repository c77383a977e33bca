"""The compiled twins of the pairs in `cells/`: the same signatures and the same results, fused and parallel."""

import os

# How long GNU OpenMP's threads spin before they sleep, read when it loads. Its own choice, milliseconds, makes a thread
# that waits hold the core from the one it waits for wherever another program is busy: steps then took up to 30 times as long.
os.environ.setdefault("GOMP_SPINCOUNT", "50000")
