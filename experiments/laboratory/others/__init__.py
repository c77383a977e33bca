"""Hand-written LSTMs, GRUs and RNNs of public repositories, judged by `gradcheck_function`: docs/others.md is the result.

Open `passes.py` first: the table of what is judged. `source.py` takes single functions out of a clone, in memory; adapters
in `courses.py`, `characters.py` and `layers.py` call them with our arguments. Nothing of theirs is stored here.
"""
