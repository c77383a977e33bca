"""Slips planted in public passes that are right: a statement of ours in the place of one line, in memory.

They were written after the search for the place of a mistake, which has not been changed since: so they say what it does with
mistakes that its authors have not seen, in code that is not ours.
"""

from __future__ import annotations

from typing import NamedTuple

from experiments.laboratory.others.passes import CS231N, NUMPY_ML_LAYERS, PASSES, Pass
from experiments.laboratory.others.source import Mend


class Planted(NamedTuple):
    """A slip, and what may be said of it: region and first wrong quantity."""

    repository: str
    name: str  # of the pass
    slip: Mend
    regions: tuple[str, ...]
    quantities: tuple[str, ...]

    @property
    def subject(self) -> Pass:
        """The pass, which is right without the slip."""
        return next(
            p for p in PASSES
            if (p.repository, p.name) == (self.repository, self.name) and self.slip.path in p.files and not p.finding
        )  # fmt: skip


STEP, BETWEEN, SUM, LAST = ("inside a step",), ("between steps",), ("sum over steps", "inside a step"), ("last layer",)
CTHOREY, BURTON = "cthorey/CS231", "Burton2000/CS231n-2017"
OREILLY, TIME_LAYERS = "oreilly-japan/deep-learning-from-scratch-2", "common/time_layers.py"
EPYNN, ELIBEN, CHAR_LSTM = "Synthaze/EpyNN", "eliben/deep-learning-samples", "min-char-rnn/min-char-lstm.py"
ERIK, JY_YOON, KUNAL = (
    "erikvdplas/gru-rnn",
    "JY-Yoon/RNN-Implementation-using-NumPy",
    "Kunal-artist/lstm-from-scratch-numpy",
)
PLANTED = [
    Planted(CTHOREY, "lstm_backward", Mend(CS231N, 346, "df = dnext_c * next_c"), STEP, ("δf",)),
    Planted(CTHOREY, "lstm_backward", Mend(CS231N, 348, "di = dnext_c * f"), STEP, ("δi",)),
    Planted(CTHOREY, "lstm_backward", Mend(CS231N, 363, "dprev_h = f * (da @ Wh.T)"), BETWEEN, ("δh'",)),
    Planted(CTHOREY, "lstm_backward", Mend(CS231N, 464, "dh_current = dh[t] + dh_prev / 2"), BETWEEN, ("δh", "δh'")),
    Planted(BURTON, "lstm_backward", Mend(CS231N, 379, "dprev_c = input_gate * dtanh_dc"), BETWEEN, ("δc'",)),
    Planted(BURTON, "lstm_backward", Mend(CS231N, 373, "dtanh = dh_tanh * (1 - next_c**2)"), STEP, ("δc",)),
    Planted(BURTON, "rnn_backward", Mend(CS231N, 82, "dWh = next_h.T @ dtanh"), SUM, ("δU",)),
    Planted(BURTON, "rnn_backward", Mend(CS231N, 83, "dprev_h = dtanh @ Wh"), BETWEEN, ("δh'",)),
    Planted(OREILLY, "TimeGRU.backward", Mend(TIME_LAYERS, 482, "dz = dh_next * (h_hat + h_prev)"), STEP, ("δz",)),
    Planted(OREILLY, "TimeGRU.backward", Mend(TIME_LAYERS, 491, "dr = h_hat * dhr"), STEP, ("δr",)),
    Planted(OREILLY, "TimeGRU.backward", Mend(TIME_LAYERS, 479, "dh_prev += dhr"), BETWEEN, ("δh'",)),
    Planted(OREILLY, "TimeGRU.backward", Mend(TIME_LAYERS, 475, "dWhh = h_prev.T @ dt"), SUM, ("δU", "δU_ĥ")),
    Planted(OREILLY, "TimeLSTM.backward", Mend(TIME_LAYERS, 149, "do *= i * (1 - i)"), STEP, ("δz_o",)),
    Planted(OREILLY, "TimeLSTM.backward", Mend(TIME_LAYERS, 150, "dg *= (1 - g) ** 2"), STEP, ("δz_g",)),
    Planted(EPYNN, "gru_backward", Mend("epynn/gru/backward.py", 61, '* layer.fc["z"][:, s]'), STEP, ("δĥ",)),
    Planted(EPYNN, "lstm_backward", Mend("epynn/lstm/backward.py", 113, ""), BETWEEN, ("δh'",)),
    Planted(ELIBEN, "lossFun", Mend(CHAR_LSTM, 205, "dhi = dh * ccs[t] * igs[t] * (1 - igs[t])"), STEP, ("δi",)),
    Planted(ELIBEN, "lossFun", Mend(CHAR_LSTM, 221, "dcnext = dc"), BETWEEN, ("δc'",)),
    Planted(ELIBEN, "lossFun", Mend(CHAR_LSTM, 171, "dWy = dy @ hs[t].T"), LAST, ("δV",)),
    Planted(JY_YOON, "backprop", Mend("RNN Implementation using NumPy.ipynb", 98, "dhraw = dh * (1 - hs[t])"), STEP, ("δz",)),
    Planted(ERIK, "lossFun", Mend("main.py", 131, "dh_fz = dh * (1 - z[t])"), BETWEEN, ("δh'",)),
    Planted(ERIK, "lossFun", Mend("main.py", 112, "dr = drhp * h[t]"), STEP, ("δr",)),
    Planted(
        KUNAL, "lstm_backward",
        Mend("LSTM_From_Scratch.ipynb", 131, "dcct = it * (dc_next + da_next * ot * (1 - tanh_c_next**2))"),
        STEP, ("δz_g",),
    ),
    Planted(
        "ddbourgin/numpy-ml", "LSTMCell.backward",
        Mend(NUMPY_ML_LAYERS, 4054, "dGft = Ct * dC * self.gate_fn.grad(_Gf)"), STEP, ("δf",),
    ),
]  # fmt: skip
