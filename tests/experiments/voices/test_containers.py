"""The table of files that are read, in docs/corpora.md, against the lists in the code."""

from pathlib import Path

import pytest

from experiments.voices.containers import BEGIN, END, KINDS, Reading, markdown, replace_table, resized
from features.audio import EXTENSIONS, PYAV_EXTENSIONS

DOCUMENT = Path(__file__).parents[3] / "docs" / "corpora.md"


def test_the_table_in_the_docs_has_a_row_for_every_kind_and_names_every_ending():
    table = DOCUMENT.read_text(encoding="utf-8").split(BEGIN)[1].split(END)[0].strip()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
    assert [tuple(row[:2]) for row in rows] == [kind[:2] for kind in KINDS]
    assert {ending for row in rows for ending in row[2].split()} == {*EXTENSIONS, *PYAV_EXTENSIONS}
    assert {cell for row in rows for cell in row[4:10]} <= {"yes", "yes, note", "refused", "-"}  # nothing is lost
    assert all(len(set(row[10].split(" of "))) == 1 for row in rows)  # every cut is told


def reading(seconds, words="", expected=10.0):
    return Reading("WAV", "PCM, 16 bits", "ffmpeg", expected, seconds, words, "it breaks off")


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (reading(9.95), "whole"),
        (reading(9.8), "lost"),
        (reading(9.8, "it ends early"), "said"),
        (reading(10.2), "longer"),
        (reading(None, "convert it: ffmpeg -i x"), "refused"),
        (reading(None, "no"), "no cure"),
    ],
)
def test_a_loss_without_a_word_is_lost(found, verdict):
    assert found.verdict == verdict


def test_only_the_table_is_replaced(tmp_path):
    (tmp_path / "x.md").write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    replace_table(tmp_path / "x.md", table := markdown([reading(10.0)]))
    text = (tmp_path / "x.md").read_text(encoding="utf-8")
    assert text == f"before\n{BEGIN}\n\n{table}\n\n{END}\nafter\n"
    (tmp_path / "y.md").write_text("no marks", encoding="utf-8")
    with pytest.raises(ValueError, match="no place for the table"):
        replace_table(tmp_path / "y.md", table)


def test_a_header_can_be_made_to_say_what_is_not_so():
    assert resized(b"RIFF....WAVEdata\x04\0\0\0abcd", ".wav", 44) == b"RIFF....WAVEdata\x30\0\0\0abcd"
    assert resized(b"RIFF....WAVEdata\x04\0\0\0abcd", ".wav", None) == b"RIFF....WAVEdata\0\0\0\0abcd"
