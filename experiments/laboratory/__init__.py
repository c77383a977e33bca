"""The gradient laboratory's benches: what `lstm-engine gradcheck` checks, and whether its check can fail.

`cases.py` makes networks that exercise every term of every gradient; `matrix.py` checks them all; `mutants.py` lists
mistakes, `mutation.py` makes one, `killing.py` sees which checks notice. The check itself is `lstm_engine/gradient_check`.
"""
