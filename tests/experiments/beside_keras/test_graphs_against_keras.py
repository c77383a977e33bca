"""A small draw of `random_graphs`: the command compares two hundred networks."""

import pytest

import lstm_engine as le

pytest.importorskip("keras")
from experiments.beside_keras import random_graphs


@pytest.mark.slow  # Keras builds each network anew
def test_random_networks_compute_what_keras_s_functional_models_compute(keras):
    seen = set()
    for case in random_graphs.random_cases(5, seed=11):
        for kind, error in random_graphs.compare(case):
            assert error is None or error <= random_graphs.TOLERANCE, (kind, case)
            seen.add(kind)
    assert seen >= {"output", "loss", "gradient kernel", "gradient recurrent_kernel", "gradient bias", "gradient x"}


@pytest.mark.slow  # every network is built here once
def test_the_draw_has_what_graphs_are_made_of():
    cases = list(random_graphs.random_cases(60, seed=0))
    assert cases == list(random_graphs.random_cases(60, seed=0))
    assert max(len(case.rows) for case in cases) == 8
    assert {len(case.inputs) for case in cases} == {len(case.outputs) for case in cases} - {4} == {1, 2, 3}
    assert any(row.states for case in cases for row in case.rows)
    assert any(len({row.layer for row in case.rows}) < len(case.rows) for case in cases)  # a layer that is called twice
    names = {spec[0] for case in cases for spec in case.layers}
    others = "Bidirectional Concatenate Dense Dot Dropout Masking TimeDistributed"
    laid_out = "LayerNormalization Activation Flatten Permute RepeatVector"
    assert names == {*random_graphs.CELLS, *random_graphs.ELEMENTWISE, *others.split(), *laid_out.split()}


@pytest.mark.slow
def test_the_comparison_sees_a_gradient_that_one_branch_does_not_get(keras, monkeypatch):
    right = le.Add.merge_backward
    monkeypatch.setattr(le.Add, "merge_backward", lambda self, tape, dy: [*right(self, tape, dy)[:-1], 0 * dy])
    cases = (case for case in random_graphs.random_cases(60, seed=0) if any(s[0] == "Add" for s in case.layers))
    errors = [error for case, _ in zip(cases, range(5), strict=False) for _, error in random_graphs.compare(case)]
    assert max(error for error in errors if error is not None) > 1e-3
