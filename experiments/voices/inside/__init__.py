"""The page of `lstm-engine inspect`: a voice, and every gate of the network that hears it, on one time axis.

Open `look.py` first: it computes what the page shows. `page` writes the page, `two_looks` compares two recordings or two
networks; `epochs` shows how the gates change during a training (`train --watch`).
"""
