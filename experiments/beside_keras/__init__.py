"""The engine beside Keras, number by number: outputs, gradients and training steps.

Open `twins.py` first: it turns a model of one side into the same model of the other.
"""
