"""python -m experiments.cli is lstm-engine."""

from experiments.cli import main

main()
