import ast
from pathlib import Path

import features


def test_features_import_neither_the_engine_nor_the_commands_nor_matplotlib():
    forbidden = {"lstm_engine", "experiments", "typer", "rich", "matplotlib"}
    for path in Path(features.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not forbidden & {name.split(".")[0] for name in names}, path
