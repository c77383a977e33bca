"""Spoken Arabic digits: which digit, and the speaker's sex, from sequences of different lengths."""
