"""Greff et al. 2017, "LSTM: A Search Space Odyssey": the LSTM and its eight variants compared: `lstm-engine study variants`.

`cells` has one step of each, there and back; `through_time` takes it through a sequence; `network` puts Dense on it.
"""
