"""Voices as frames: the network and its training, what it is worth, and what it says of a recording of yours.

`clip_model` and `training`; `baselines`, `calibration`, `evaluation`, `cross_corpus` judge it; `judge`, `predict` and
`record` ask it;
`search` and `pretrained` are how the shipped model was chosen and made.
"""
