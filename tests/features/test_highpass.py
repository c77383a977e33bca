"""The high-pass is scipy's, to the last bit, and does not import scipy.signal."""

import numpy as np
import pytest
from scipy.signal import butter, sosfilt_zi, sosfiltfilt

from features.highpass import EDGE, SLOW_HZ, SLOW_ORDER, sections, settled, steady


@pytest.mark.parametrize("rate", [4_000, 16_000, 22_050, 48_000, 192_000])
def test_the_filter_is_scipys(rate):
    sos = butter(SLOW_ORDER, SLOW_HZ, "highpass", fs=rate, output="sos")
    x = 0.3 + np.random.default_rng(rate).normal(size=rate // 10).cumsum() / 100
    np.testing.assert_array_equal(sections(rate), sos)
    np.testing.assert_array_equal(settled(sos), sosfilt_zi(sos))
    np.testing.assert_array_equal(steady(x, rate), sosfiltfilt(sos, x))


def test_a_sound_shorter_than_its_continuation_is_refused():
    with pytest.raises(ValueError, match=f"more than {EDGE} samples, got {EDGE}"):
        steady(np.ones(EDGE), 16_000)
