"""`Note`, the warning with which a reader says what it left out, or what contradicts in a collection."""

import warnings
from collections.abc import Sequence


class Note(UserWarning):
    """A fact about a collection, in a sentence.

    source: the folder or table. kind: a word for programs, such as "copy". count: of the files, clips or speakers. decide:
    whether a person should decide before training, as opposed to facts that are merely told. names: of the clips, files or
    speakers, where the sentence may not have all of them.
    """

    def __init__(
        self, source: object, kind: str, count: int, says: str, decide: bool = True, names: Sequence[str] = ()
    ) -> None:
        super().__init__(f"{source}: {says}")
        self.source, self.kind, self.count, self.says, self.decide = source, kind, count, says, decide
        self.names = list(names)


def note(source: object, kind: str, count: int, says: str, decide: bool = True, names: Sequence[str] = ()) -> None:
    """Warn with a `Note`."""
    warnings.warn(Note(source, kind, count, says, decide, names), stacklevel=3)
