"""What all reports share: a run's folder, scores with intervals, pictures, and one self-contained page.

Open `run.py` first: every command that writes files makes its folder there.
"""
