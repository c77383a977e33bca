"""The page of `lstm-engine inspect` for a voice: every gate of the network that hears it, with the sound, on one time axis.

Open `look.py` first: it computes what the page shows. `page` writes the page from the parts of `experiments/microscope`,
`two_looks` compares two recordings or two networks; `epochs` shows how the gates change during a training (`train --watch`).
"""
