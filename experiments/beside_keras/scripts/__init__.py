"""Public Keras scripts, started with only their imports changed, beside Keras: docs/keras-scripts.md is the result.

Open `listing.py` first: the table of what is run. `rewriting.py` changes the imports, `stand_ins.py` gives data where a
script would download it, `process.py` runs a script on one side and records it, `comparing.py` judges. Nothing of theirs is
stored here.
"""
