"""One step of Adam by hand (Kingma & Ba 2015, algorithm 1)."""

import numpy as np


def adam_step(w, dw, m, v, t, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    """Adam's step number t, counted from 1.

    w the weights and dw their gradient; m and v the running means of dw and of dw², all of one shape.
    Returns the new w, m and v; the arrays that come in stay as they are.
    """
    m = beta_1 * m + (1 - beta_1) * dw
    v = beta_2 * v + (1 - beta_2) * dw**2
    m_hat = m / (1 - beta_1**t)
    v_hat = v / (1 - beta_2**t)
    return w - learning_rate * m_hat / (np.sqrt(v_hat) + epsilon), m, v
