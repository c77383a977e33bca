"""From recordings to numbers: find the clips, decode and check them, measure them, store the numbers, split them by speaker.

Each step is one function with plain input and output; the package does not import the engine. Open `extraction.py` first: it
takes the clips that `corpora` lists and writes a store, which `clips.py` and `dataset.py` read into X and y.
"""
