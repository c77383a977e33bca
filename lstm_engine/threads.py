"""How many threads a kernel takes: as many as have lately been fastest, which on a busy machine may be one.

A parallel loop ends when its last thread has arrived. While other programs compute, a thread may wait some milliseconds for
its turn on a core, and then a small piece of work takes longest on many threads. The bits do not depend on the number of
threads, so that the engine may try. LSTM_ENGINE_THREADS=all takes all of Numba's threads always.
"""

import os
from functools import lru_cache
from typing import Any

TURN = 8  # calls after which the number of threads is judged, by their median: a single slow one says nothing
TRIAL = 3  # calls of a trial: the first of them wakes threads that sleep
SHARE = 0.02  # of the time that trials may cost
CREDIT = 0.03  # seconds that trials may cost at once, before anything has been earned
FADE = 0.5  # a turn halves what a trial is thought to cost: what makes threads wait is often over in a few hundredths of a s
LONG = 0.005  # seconds: what takes longer has all threads, since a wait of some milliseconds costs it little


def always_all() -> bool:
    """LSTM_ENGINE_THREADS; ValueError for what is neither "measured", the default, nor "all"."""
    wanted = os.environ.get("LSTM_ENGINE_THREADS") or "measured"
    if wanted not in ("measured", "all"):
        raise ValueError(
            f'LSTM_ENGINE_THREADS is {wanted!r}; it may be "measured" (as many as are fastest) or "all" (as many as '
            "NUMBA_NUM_THREADS or numba.set_num_threads allows)"
        )
    return wanted == "all"


ALWAYS_ALL = always_all()


class Crew:
    """The number of threads for one piece of work that is repeated, at most `most` of them.

    `number` is that of the next call, `took(number, seconds)` tells how long it then took. Now and then a few calls take
    half or twice as many threads, when SHARE of the time that has passed pays for it.
    """

    def __init__(self, most: int) -> None:
        self.numbers = [most >> n for n in range(most.bit_length())]  # 8, 4, 2, 1
        self.number = self.best = self.last_tried = most
        self.times: list[float] = []  # of this turn's calls
        self.usual: dict[int, float] = {}  # the median of the last turn, by number
        self.credit = CREDIT
        self.turns = 0  # since the last trial, or since another number has become the best

    def took(self, number: int, seconds: float) -> None:
        if number == self.number:  # a signal's handler may have ended the turn in which the call began
            self.times.append(seconds)
            if len(self.times) >= (TURN if number == self.best else TRIAL):
                self._end_turn()

    def _end_turn(self) -> None:
        calls, self.times = sorted(self.times), []
        if not calls:  # a signal's handler has ended this turn
            return
        self.usual[self.number] = calls[(len(calls) - 1) // 2]
        if self.number == self.best:
            self.credit += SHARE * len(calls) * self.usual[self.best]
            self.turns += 1
        else:
            cost = max(0.0, sum(calls) - len(calls) * self.usual[self.best])
            self.credit = max(self.credit - cost, -CREDIT)
        before, self.best = self.best, min(self.usual, key=lambda n: self.usual[n])
        self.number = self.best
        if self.best != before:
            self.turns = 0
        if len(self.usual) > 1 and self.usual[self.best] > LONG:
            self.best = self.number = self.numbers[0]
        else:
            self._try_another()

    def _try_another(self) -> None:
        """Begins a trial if there is credit for what it is thought to cost, a quarter of its time at least."""
        at = self.numbers.index(self.best)
        others = self.numbers[max(0, at - 1) : at] + self.numbers[at + 1 : at + 2]
        if not others:
            return
        other = others[-1] if others[0] == self.last_tried else others[0]
        now = self.usual[self.best]
        more = (self.usual.get(other, 2 * now) - now) * FADE**self.turns
        if self.credit >= (cost := TRIAL * max(more, now / 4)):
            self.credit, self.number, self.last_tried, self.turns = cost, other, other, 0


@lru_cache(maxsize=1024)
def crew_of(most: int, *work: Any) -> Crew:
    """The crew for a piece of work, which names and sizes tell apart; most is the largest number of threads."""
    return Crew(most)
