"""Lesson 6, a table of voices."""

HINTS = {
    1: (
        "Look at the names of the columns: how many stand before the first coefficient, counted with the index?",
        "After these three come eleven moments of the first coefficient, then eleven of the next.",
    ),
    2: (
        'Read as "steps", the network sees one column at a time, 112 steps in all, the index first.',
        'Read as "frames", a step is a moment and shows one moment of every coefficient. The pitch is in all of them.',
    ),
}


def answer_1(step):
    return divmod(step - 3, 11)  # three numbers stand before the coefficients, and a coefficient has eleven moments


def answer_2(reading, column):
    if reading == "steps":
        return 111 - column
    return 0 if column == 1 else 10 - (column - 2) % 11  # the pitch is there at every moment
