"""What a step has to compute and to move, counted from its shape: the two sides of a roofline.

Counted are the matrix products; gates and Adam are some percent on top at H=64 and vanish beyond. A first layer hands no
gradient to its input, so none is counted, whoever computes it.
"""

from experiments.bench.shapes import Shape

FLOAT = 4  # bytes of a float32


def parameters(shape: Shape) -> int:
    """Numbers in W (D, 4H), U (H, 4H), b (4H,) of every direction, and in the Dense layer's (H, 1) and (1,)."""
    D, H, directions = shape.D, shape.H, shape.directions
    return directions * 4 * H * (D + H + 1) + directions * H + 1


def forward_flops(shape: Shape) -> int:
    """A multiply and an add for each number of z = xW + h'U at every step, and for the Dense layer's product."""
    T, D, H, B, directions = shape.T, shape.D, shape.H, shape.B, shape.directions
    return 2 * directions * (T * B * (D + H) * 4 * H + B * H)


def training_flops(shape: Shape) -> int:
    """Forward; δh' = δz Uᵀ; δW = Σ xᵀδz and δU = Σ h'ᵀδz; and the Dense layer's two products backward."""
    T, D, H, B, directions = shape.T, shape.D, shape.H, shape.B, shape.directions
    back = T * B * 4 * H * H + B * H
    weights = T * B * (D + H) * 4 * H + B * H
    return forward_flops(shape) + 2 * directions * (back + weights)


def forward_bytes(shape: Shape) -> int:
    """x and the weights are read once; states stay in cache."""
    return FLOAT * (shape.T * shape.B * shape.D * shape.directions + parameters(shape))


def training_bytes(shape: Shape) -> int:
    """What moves when every array of a step is written once and read once, and weights stay in cache between.

    Forward reads x and writes gates, c, tanh(c) and h; backward reads gates, c and tanh(c) and writes δz; the weight
    gradients read x, h and δz. Weights are read forward and backward and their gradients written; Adam reads gradient,
    two moments and weight, and writes moments and weight.
    """
    T, D, H, B = shape.T, shape.D, shape.H, shape.B
    of_a_step = 2 * D + 2 * 4 * H + 2 * 3 * H + 2 * 4 * H  # x twice; gates; c, tanh(c) and h; δz
    return FLOAT * (shape.directions * T * B * of_a_step + 10 * parameters(shape))
