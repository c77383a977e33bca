"""From voices to tables: find the clips, decode and check them, measure them, store the numbers, split them by speaker.

clip -> audio.read_clip -> samples -> recipes.TUTORIAL.row (pitch, mfcc) -> extraction.extract -> tables on disk ->
dataset.read_voices -> dataset.train_and_held_out -> recipes.READINGS -> X (N, T, D), y (N,). Each arrow is one function
with plain input and output. Nothing here knows the engine; nothing is imported until its module is.
"""
