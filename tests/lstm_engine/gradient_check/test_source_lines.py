"""The line of a quantity, by the names that people use. The functions below are read, never called."""

import pytest

from experiments.assignment.solutions import (
    gru_rows,
    lstm_coursera,
    lstm_cs231n,
    lstm_karpathy,
    lstm_rows,
    rnn_karpathy,
)
from lstm_engine.gradient_check.source_lines import line_of, line_of_value

STEP, SLICES = lstm_rows.lstm_step_backward, lstm_cs231n.lstm_step_backward
COLUMNS, DICTS = lstm_coursera.lstm_cell_backward, lstm_karpathy.lstm_backward


@pytest.mark.parametrize(
    ("function", "gates", "quantity", "text"),
    [
        (STEP, "ifgo", "δf", "df = dc_total * c"),
        (STEP, "ifgo", "δz_f", "dz = np.concatenate("),
        (STEP, "ifgo", "δc", "dc_total = dc_new"),
        (STEP, "ifgo", "δc'", "dc = dc_total * f"),
        (STEP, "ifgo", "δh'", "dh = dz @ U.T"),
        (SLICES, "ifog", "δf", "da[:, H : 2 * H] ="),
        (SLICES, "ifog", "δg", "da[:, 3 * H :] ="),
        (SLICES, "ifog", "δc", "dnext_c = dnext_c +"),
        (SLICES, "ifog", "δU", "dWh ="),
        (COLUMNS, "ifgo", "δg", "dcct ="),
        (COLUMNS, "ifgo", "δb_o", "dbo ="),
        (COLUMNS, "ifgo", "δW_i", "dWi ="),
        (DICTS, "ifog", "δc'", "dC[t - 1] += f"),
        (DICTS, "ifog", "δc", "dC[t] += (1 -"),
        (DICTS, "ifog", "δh", "dH[t - 1] +="),
        (lstm_rows.lstm_backward, "ifgo", "δU", "dU += dU_t"),
        (lstm_coursera.lstm_backward, "ifgo", "δW", "gradients[name] +="),
        (lstm_cs231n.lstm_backward, "ifog", "δh0", "dh0 = dprev_h"),
        (gru_rows.gru_step_backward, "zrh", "δr", "dr = ds * h"),
        (gru_rows.gru_step_backward, "zrh", "δz_z", "da_z ="),
        (rnn_karpathy.rnn_backward, "h", "δh", "dh = dhs[t] + dhnext"),
    ],
)
def test_the_line_of_a_quantity_is_found_by_its_name(function, gates, quantity, text):
    place = line_of(quantity, function, gates)
    assert place.text.startswith(text)
    with open(place.file, encoding="utf-8") as file:
        assert file.read().splitlines()[place.line - 1].strip() == place.text


def test_the_line_of_a_value_is_found_in_a_forward_function():
    assert line_of_value("h", lstm_rows.lstm_step_forward).text == "h_new = o * tanh_c"
    assert line_of_value("c", lstm_coursera.lstm_cell_forward).text.startswith("c_next = ft * c_prev")


def names_that_say_nothing(q, r):
    s = q * r
    return s


@pytest.mark.parametrize("quantity", ["δf", "δc'", "δU", "δh0"])
def test_no_line_is_named_where_no_name_fits(quantity):
    place = line_of(quantity, names_that_say_nothing)
    assert place is None or quantity == "δh0"
    assert line_of(quantity, len) is None
