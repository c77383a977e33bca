"""For every place of a backward pass, the equation of its gradient and the code in `cells/` that computes it.

By cell, then by place: "gate i", "kernel", ...; "h" and "c" for the part of a state's gradient that the step after sends
back, "own h" and "own c" for the part that the step itself adds; "masked" for the states at a masked step, "masked gate" for
its gates. A test compares the code with the files.
"""

Terms = dict[str, tuple[str, str]]

ABOVE = (
    "δh += dh on every step, and dh_T on the last: the upstream gradients",
    "dh_total[t] = dh_next if dh is None else",
)
MASKED_GATE = ("δz of a masked step is 0", "dz[t, ~tape.mask[t]]")
SUMS: Terms = {
    "kernel": ("δW = Σ xᵀδz over steps and sequences", "W=sum_over_steps(tape.x, dz)"),
    "x": ("δx = δz Wᵀ", "x=dz @ tape.W.T"),
    "h0": ("δh0: sent back by the first step", "h0=dh_next"),
}

TERMS: dict[str, Terms] = {
    "lstm": SUMS | {
        "own h": ABOVE,
        "h": ("δh' = δz Uᵀ, sent back by the step after", "dh_next = recurrent_product_backward(dz[t], tape.U"),
        "own c": ("δc += δh∘o∘(1 - tanh²c), h's part of δc, and dc_T on the last step", "dc[t] = dc_next + dtanh("),
        "c": ("δc' = δc∘f, sent back by the step after", "dc_next = dc[t] * f"),
        "gate i": ("δz_i = δc∘g∘i(1 - i)", "di, df, dg, do = dc[t] * g,"),
        "gate f": ("δz_f = δc∘c'∘f(1 - f)", "di, df, dg, do = dc[t] * g,"),
        "gate g": ("δz_g = δc∘i∘(1 - g²)", "di, df, dg, do = dc[t] * g,"),
        "gate o": ("δz_o = δh∘tanh(c)∘o(1 - o)", "di, df, dg, do = dc[t] * g,"),
        "masked": ("a masked step passes δh and δc on unchanged", "dh_next + asleep * dh_total[t]"),
        "masked gate": MASKED_GATE,
        "recurrent_kernel": ("δU = Σ h'ᵀδz, h' being the state before a step", "U=recurrent_kernel_gradient(tape.h_states"),
        "bias": ("δb = Σ δz over steps and sequences", "b=dz.sum(axis=(0, 1))"),
        "c0": ("δc0: sent back by the first step", "c0=dc_next"),
    },
    "gru": SUMS | {
        "own h": ABOVE,
        "h": ("δh' = δh∘z + (δz, δr, δĥ∘r) Uᵀ", "dh_next = dh_total[t] * z + recurrent_product_backward(drecurrent[t]"),
        "gate z": ("δz = dσ(z, δh∘(h' - ĥ))", "dz_z, dz_r = dσ(z, dh_total[t] * (h_prev - candidate))"),
        "gate r": ("δr = dσ(r, δĥ∘(h'Uₕ + b'ₕ))", "dσ(r, ds * tape.inner[t])"),
        "gate candidate": ("δĥ = dtanh(ĥ, δh∘(1 - z))", "dz_h = dtanh(candidate, dh_total[t] * (1.0 - z))"),
        "masked": ("a masked step passes δh on unchanged", "dh_next = np.where(tape.mask[t][:, None], dh_next"),
        "masked gate": MASKED_GATE,
        "recurrent_kernel": ("δU = Σ h'ᵀ(δz, δr, δĥ∘r)", "recurrent_kernel_gradient(h_prev, drecurrent, rho)"),
        "bias": ("δb = Σ (δz, δr, δĥ), δb' = Σ (δz, δr, δĥ∘r)", "np.stack([dz.sum((0, 1)), drecurrent.sum((0, 1))])"),
    },
    "simple_rnn": SUMS | {
        "own h": ABOVE,
        "h": ("δh' = δz Uᵀ, sent back by the step after", "dh_next = recurrent_product_backward(dz[t], tape.U"),
        "gate h": ("δz = δh∘(1 - h²)", "dz[t] = ACTIVATIONS[tape.activation].backward(tape.h[t], dh_total[t])"),
        "masked": ("a masked step passes δh on unchanged", "dh_next = dh_next + ~tape.mask[t][:, None]"),
        "masked gate": MASKED_GATE,
        "recurrent_kernel": ("δU = Σ h'ᵀδz, h' being the state before a step", "U=recurrent_kernel_gradient(tape.h_states"),
        "bias": ("δb = Σ δz over steps and sequences", "b=dz.sum(axis=(0, 1))"),
    },
}  # fmt: skip
TERMS["gru before"] = TERMS["gru"] | {
    "h": (
        "δh' = δh∘z + δs∘r + (δz, δr) U_zrᵀ with δs = δĥ Uₕᵀ",
        "dh_next = dh_total[t] * z + ds * r + recurrent_product",
    ),
    "gate r": ("δr = dσ(r, δs∘h') with δs = δĥ Uₕᵀ", "dσ(r, ds * tape.inner[t])"),
    "recurrent_kernel": (
        "δU_zr = Σ h'ᵀ(δz, δr), δUₕ = Σ (r∘h')ᵀδĥ",
        "dU_h = recurrent_kernel_gradient(tape.r * h_prev",
    ),
    "bias": ("δb = Σ (δz, δr, δĥ)", "dz.sum(axis=(0, 1))"),
}
LAYER_TERMS = {  # of the layers without recurrence that do more than hand δy on, by their class
    "Dense": "its backward: δz from δy, then δW = xᵀδz, δb = Σ δz, δx = δz Wᵀ",
    "Embedding": "its backward: δE[k] = Σ δy over all places whose id is k",
    "LayerNormalization": "its backward: δβ = Σ δy, δγ = Σ δy∘x̂, δx = (δx̂ - mean(δx̂) - x̂∘mean(δx̂∘x̂)) / s with δx̂ = δy∘γ",
    "RepeatVector": "its backward: δx = Σ δy over the steps",
}
