"""One parallel loop for all kernels: it calls a kernel once for every job, with the kernel's own arguments."""

import numba as nb
import numpy as np
import pytest

from lstm_engine.kernels.jobs import ALL, compiled_loop, in_parallel


@nb.njit(error_model="numpy")
def kernel(job, jobs, real, yes, a, out, loop):
    if job == ALL:
        in_parallel(loop, jobs)
        return
    for n in range(len(a)):
        out[job, n] += real * a[n] + (1000 if yes else 0)


@pytest.mark.parametrize("jobs", [0, 1, 2, 500])
def test_every_job_is_done_once_with_the_arguments_of_the_call(jobs):
    nb.set_num_threads(nb.config.NUMBA_NUM_THREADS)
    a, out = np.arange(7.0), np.zeros((500, 7))
    kernel(ALL, jobs, 0.5, True, a, out, compiled_loop())
    np.testing.assert_array_equal(out[:jobs], np.tile(1000 + a / 2, (jobs, 1)))
    assert not out[jobs:].any()


def test_one_job_can_be_done_by_the_calling_thread():
    a, out = np.arange(7.0), np.zeros((3, 7))
    kernel(1, 3, 2.0, False, a, out, 0)  # the loop is not called
    np.testing.assert_array_equal(out, [0 * a, 2 * a, 0 * a])
