"""`lstm-engine bench`: the engine's time and memory beside Keras, PyTorch, onnxruntime and plain NumPy.

Open `run.py` first: it measures the parts of a plan. Each side runs in a separate process; the sides take turns, a burst
each (`turns.py`), and a ratio compares bursts of the same round, so that a slow moment slows both alike (`run.ratio`).
`python -m experiments.bench.commits A B` times two commits in the same way.
"""
