"""From recordings to numbers: find the clips, decode and check them, measure them, store the numbers, split them by speaker.

corpora.detect -> list of clips -> extraction.extract, which reads each clip (audio.read_clip) and measures it
(Recipe.measure: tutorial or frames) -> a store, and the tutorial's tables -> clips.read_clips or dataset.read_voices ->
X (N, T, D), y (N,). Each step is one function with plain input and output. This package does not import the engine, and
importing the package alone loads none of its modules. Open extraction.py first.
"""
