"""`lstm-engine study gap`: a spoken digit, a silence of up to 1,000 frames, and the question which digit it was.

Open `tasks/late_digits.py` (the task) first, then `settings.py` (the cells), `training.py` and `study.py`.
"""
