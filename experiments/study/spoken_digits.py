"""The spoken digits as studies of many trainings read them: once a process, by the published split."""

from functools import lru_cache

from features.digits import Digits, published_split, read_digits


@lru_cache(maxsize=1)  # a process has many trainings on the same clips
def clips_of(folder: str) -> tuple[Digits, Digits]:
    """The training and the test speakers' clips. FileNotFoundError or ValueError says what is wrong with the folder."""
    return published_split(read_digits(folder), folder)
