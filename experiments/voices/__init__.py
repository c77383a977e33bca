"""Voices as frames: a network for them, its training and evaluation, and its answers for your own recordings.

Open `clip_model.py` first (the network), then `training.py` (the command `train` on frames). `measure`, `cross_corpus`,
`predict` and `record` do the work of the commands features, evaluate, predict and record; `inside/` is the page of inspect.
`several_corpora` and `reasons` say where a model is wrong: on which corpus, in which manner, by which inputs.
"""
