"""The tutorial's task: tell male from female voices from 112 features a clip, by the engine and by Keras.

Open `task.py` first: the tables become X and y there; `training` and `comparison` train on them, `demo` does all at once.
"""
