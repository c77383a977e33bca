"""The compiled twins of the pairs in `cells/`: the same signatures and the same results, fused and parallel."""
