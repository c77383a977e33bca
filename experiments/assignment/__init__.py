"""Write an LSTM yourself and have it judged: starter files, the judge's command, a class's grades, and how good the judge is.

Open `starters.py` first; the judge is `lstm_engine/gradient_check/judge.py`.
"""
