"""Look inside any network: its gates and gradients on a page, its answer if one of them were changed, and both in training.

Open `page.py` first: the page of `inspect --data`, made of what `looking` computes from the sequences of `inputs`. `analyses`
holds numbers from a trace or a model, each with its formula; `interventions` changes weights, never the equations; `cell`
draws one unit at one step; `watching` records gates and gradients during training, and `watching_report` draws them.
"""
