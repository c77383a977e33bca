"""Spoken Arabic digits: which digit is said, or the speaker's sex, from sequences of 4 to 93 frames of 13 numbers.

Open `network.py` first: a recipe, and the bidirectional LSTMs that it builds. The other files train them, report and compare
recipes.
"""
