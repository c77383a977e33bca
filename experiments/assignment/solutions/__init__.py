"""Correct solutions of the assignment, one file for a cell and a convention: the judge is tested on them.

A starter is the solution of the same name with the bodies taken out (`starters.py`). Open `lstm_rows.py` first.
"""
