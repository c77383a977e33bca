"""How far back a recurrent network can learn to remember: four tasks, growing lags, and every cell, each at its best rate.

Open `settings.py` first: what is trained. `study` trains, and searches learning rates; `gradients` measures what theory
predicts, `beside_keras` trains one task in Keras too, and `report` and `drawing` show the results.
"""
