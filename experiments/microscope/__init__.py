"""Inside any trained network: what its gates did, what it would answer if one of them were changed, how its gates learn.

Open `analyses.py` first: numbers from a trace or a model, each with its formula. `interventions` edits weights and leaves the
equations as they are; `watching` records gates and gradients while a network trains.
"""
