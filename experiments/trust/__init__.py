"""Long runs and strange files: what the engine holds after hours, and what its readers say to files that nobody meant.

Open `soak.py` first.
"""
