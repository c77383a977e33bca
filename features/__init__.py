"""From voices to numbers: find the clips, decode and check them, measure them, store the numbers, split them by speaker.

clip -> audio.read_clip -> samples -> Recipe.measure (tutorial or frames) -> extraction.extract -> a store, and the
tutorial's tables -> dataset.read_voices or clips.read_clips -> X (N, T, D), y (N,). Each arrow is one function with plain
input and output. Nothing here knows the engine; nothing is imported until its module is.
"""
