"""Look inside any network: its gates and gradients, its answer if one of them were changed, and both during training.

Open `analyses.py` first: numbers from a trace or a model, each with its formula. `interventions` changes weights, never the
equations; `watching` records gates and gradients during training, and `watching_report` draws them; `cell` draws a cell with
the numbers of one step.
"""
