"""`lstm-engine study gap`: a spoken digit, a silence of up to 1,000 frames, and the question which digit it was.

Begin at `sequences.py` (the task), then `cells.py` (what answers), `training.py`, `choosing.py` (the rates), `study.py`.
"""
