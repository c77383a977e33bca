"""A learner's file as a module: read as it stands, and nothing is written beside it."""

from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import CodeType, ModuleType


class AsItStands(SourceFileLoader):
    """Without __pycache__: Python takes a compiled file for the source's if both have one size and one whole second."""

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


def module_from(file: Path, name: str) -> ModuleType:
    """The file, run as a module of that name. Whatever the file raises comes through."""
    spec = spec_from_loader(name, AsItStands(name, str(file)))
    assert spec is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)  # type: ignore[union-attr]
    return module
