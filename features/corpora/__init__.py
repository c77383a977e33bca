"""Read a corpus, a folder or a table, into a sorted list of clips (`Utterance`) with their speakers.

For extraction. Nothing is decoded here. The contract: the same files give the same list; a clip whose sex the corpus does
not state as male or female is left out, the sex is never guessed; a speaker has one sex and is in one part; a UserWarning
counts what was left out. Each corpus has its own file. Open registry.py first, which recognises them.
"""

from features.corpora.folders_by_class import class_folders, tutorial_folders
from features.corpora.notes import Note
from features.corpora.registry import CORPORA, Corpus, detect, names_of, summary
from features.corpora.speaker_table import parse_utterances, table
from features.corpora.utterances import SEXES, Utterance, windows

__all__ = [
    "CORPORA", "SEXES", "Corpus", "Note", "Utterance", "class_folders", "detect", "names_of", "parse_utterances", "summary",
    "table", "tutorial_folders", "windows",
]  # fmt: skip
