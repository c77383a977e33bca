"""Hints and right answers to the lessons' exercises: lesson_N.py holds those of lesson N, for its page and for the tests.

Work on the exercise first: a lesson shows the hints one by one, and the solution last. Open `lesson_1.py` for the form.
"""
