"""The recurrent cells: for each, its equations, the readable forward and backward pair, and the layer that uses it.

Open `lstm.py` first: `gru.py` and `simple_rnn.py` have the same form.
"""
