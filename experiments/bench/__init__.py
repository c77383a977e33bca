"""`lstm-engine bench`: the engine's time and memory beside Keras, PyTorch, onnxruntime and plain NumPy.

Every side lives in a process of its own and they take turns, a burst each, round after round (`turns.py`); a ratio is taken
within a round, so that a machine that slows down for a while slows both alike (`ratios.py`). Sides are timed at their best
(`sides.py` and a file a library), on the same task from the same weights, and only after they computed the same numbers.
"""
