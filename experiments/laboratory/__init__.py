"""The gradient laboratory: the networks that `lstm-engine gradcheck` checks, and the proof that its check can fail.

Open `cases.py` first: networks that use every term of every gradient. `mutants.py` lists the planted mistakes; the check
itself is `lstm_engine/gradient_check`.
"""
