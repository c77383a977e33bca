"""How far back a recurrent network can learn to remember: four tasks, growing lags, and the cells that came one after another.

`settings` says what is trained, `study` trains it, `gradients` measures what theory predicts, `beside_keras` does one task in
Keras too, and `report` shows it all.
"""
