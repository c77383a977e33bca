"""What every report shares: a run's folder, scores with their intervals, pictures, and one self-contained page.

Open `run.py` first: every command that leaves files makes its folder there.
"""
