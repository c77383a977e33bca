"""Hochreiter & Schmidhuber 1997, "Long Short-Term Memory", experiments 1 to 6, done again: `lstm-engine study lstm1997`.

`experiments` says what is trained on what and until when, beside the paper's own figures; `modern` and `cell` are the two
networks; `study` runs all seeds; `report` shows them.
"""
