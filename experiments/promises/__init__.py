"""What is promised of every run, and commands that try it: the same bytes; the doctor and his self-test.

Open `same_bytes.py` first.
"""
