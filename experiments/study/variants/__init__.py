"""Greff et al. 2017, "LSTM: A Search Space Odyssey": the LSTM and its eight variants compared: `lstm-engine study variants`.

Open `cells.py` first: one step of each, forward and backward; `through_time` runs it over a sequence, `network` trains it.
"""
