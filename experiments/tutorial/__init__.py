"""The tutorial's task: tell male from female voices from 112 features a clip, by the engine and by Keras.

The tutorial: Eduonix, "Recurrent Neural Networks and LSTMs with Keras",
https://blog.eduonix.com/artificial-intelligence/recurrent-neural-networks-lstms-keras/
Open `task.py` first: it turns the tables into X and y; `training` and `comparison` train on them, and `demo` runs everything.
"""
