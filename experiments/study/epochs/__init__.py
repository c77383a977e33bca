"""`study epochs`: what more epochs change on training voices and on new speakers. Open `study.py` first."""
