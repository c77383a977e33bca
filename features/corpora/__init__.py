"""Where the clips are and who speaks in them: a folder or a table becomes one sorted list of `Utterance`.

For extraction. Nothing is decoded here. The contract: the same files give the same list, a sex that the corpus does not
state as male or female is left out, never guessed, and a speaker has one sex and stands in one part. What was left out
is counted in a UserWarning. One corpus a file; `registry` recognises them.
"""

from features.corpora.folders_by_class import class_folders, tutorial_folders
from features.corpora.registry import CORPORA, Corpus, detect, names_of, summary
from features.corpora.speaker_table import parse_utterances, table
from features.corpora.utterances import SEXES, Utterance, windows

__all__ = [
    "CORPORA", "SEXES", "Corpus", "Utterance", "class_folders", "detect", "names_of", "parse_utterances", "summary", "table",
    "tutorial_folders", "windows",
]  # fmt: skip
