"""The recurrent cells: for each, its equations, the readable forward and backward pair, and the layer that uses it."""
