"""Hochreiter & Schmidhuber 1997, "Long Short-Term Memory", experiments 1 to 6, reproduced: `lstm-engine study lstm1997`.

Open `experiments.py` first: tasks, goals and settings beside the paper's figures. `modern` and `cell` are the two networks,
`study` runs all seeds, `report` shows them.
"""
