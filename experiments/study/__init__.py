"""Questions that take many trainings to answer: `lstm-engine study`. Open `tasks/__init__.py`, then `solving.py`.

A folder for each study has its `study.py` (what is trained and kept) and `report.py`; `seeds.py` runs and keeps trainings,
`choosing.py` chooses learning rates.
"""
