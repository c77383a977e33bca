"""The gradient laboratory: the networks that `lstm-engine gradcheck` checks, and the proof that its check can fail.

Open `cases.py` first: networks that use every term of every gradient. `matrix.py` checks them all; `mutants.py` lists known
bugs, `mutation.py` plants one, `killing.py` finds the checks that catch it. The check itself is `lstm_engine/gradient_check`.
"""
