"""Mutants drawn by a seed, from cosmic-ray's operators."""

import collections
import random
from typing import Any

from tests.mutants.statements import described, read

MUTATED = (
    "lstm_engine/cells/*.py", "lstm_engine/recurrent.py", "lstm_engine/layer.py", "lstm_engine/graph.py",
    "lstm_engine/feedforward.py", "lstm_engine/losses.py",
    "lstm_engine/optimizers.py", "lstm_engine/samples.py",
    "features/csv_files.py", "features/tables.py", "features/dataset.py",
)  # fmt: skip


def sample(number: int, seed: int) -> list[dict[str, Any]]:
    """Mutants of the files MUTATED, drawn by the seed. Annotations, docstrings and decorators have none."""
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator, operator_names

    sources, draw = read(MUTATED), random.Random(seed)
    operators = {name: get_operator(name)() for name in sorted(operator_names()) if not get_operator(name).arguments()}
    variants = collections.defaultdict(list)  # by place
    for file, source in sources.items():
        nodes = list(ast_nodes(get_ast(source)))
        for name, operator in operators.items():
            positions = [position for node in nodes for position in operator.mutation_positions(node)]
            for occurrence, position in enumerate(positions):
                variants[file, position[0]].append((file, name, occurrence))
    order = []
    for key in sorted(variants):
        draw.shuffle(variants[key])
        order += [(turn, draw.random(), variant) for turn, variant in enumerate(variants[key])]
    mutants = []
    for _, _, (file, name, occurrence) in sorted(order):
        if len(mutants) == number:
            break
        mutant = described(file, sources[file], mutate_code(sources[file], operators[name], occurrence))
        if mutant:
            mutants.append({"operator": name} | mutant)
    return mutants
