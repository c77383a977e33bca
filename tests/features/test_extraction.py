import csv
import json

import numpy as np
import pytest
import soundfile as sf

from features.corpora import Utterance, class_folders, table, windows
from features.extraction import extract
from features.recipes import TUTORIAL
from features.tables import read_features, read_rows


def contents(folder):
    """Every file under a folder, hidden ones too."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_an_extraction_writes_the_tables_their_origins_and_the_recipe(utterances, tmp_path):
    seen = []
    result = extract(utterances, tmp_path / "out", progress=lambda *told: seen.append(told))
    names = [
        "recipe.json",
        "manifest.jsonl",
        "shards/00000.safetensors",
        *(f"{s}{t}_{k}.csv" for s in ("male", "female") for t in ("", "_test") for k in ("features", "rows")),
    ]
    assert set(contents(tmp_path / "out")) == set(names)
    assert result.rows == {
        "male_features.csv": 4, "female_features.csv": 4, "male_test_features.csv": 2, "female_test_features.csv": 2
    }  # fmt: skip
    assert result.failed == []
    assert seen == [(k, 12, float(k)) for k in range(1, 13)]  # clips of 1 s
    assert (result.clips, result.measured, result.seconds) == (12, 12, 12.0)
    assert json.loads((tmp_path / "out" / "recipe.json").read_text()) == TUTORIAL.stamp()


def test_a_row_is_the_recipe_of_the_clip_that_its_origin_names(utterances, corpus, tmp_path):
    extract(utterances, tmp_path / "out")
    features = read_features(tmp_path / "out" / "female_features.csv", "female")
    origins = read_rows(tmp_path / "out" / "female_rows.csv", "female", 4)
    assert [u.path.as_posix() for u in origins] == [f"Female/{s}/{k}.wav" for s in "cd" for k in (0, 1)]
    for row, u in zip(features, origins, strict=True):
        np.testing.assert_array_equal(row[1:], TUTORIAL.measure(*sf.read(corpus / u.path))[0])


def test_the_tables_are_the_same_bytes_for_any_number_of_workers(utterances, corpus, tmp_path):
    (corpus / "Male" / "a" / "2.wav").write_bytes(b"broken")
    utterances = class_folders(corpus / "Male", corpus / "Female")
    for jobs in (1, 2, 3):
        extract(utterances, tmp_path / str(jobs), jobs=jobs)
    assert contents(tmp_path / "1") == contents(tmp_path / "2") == contents(tmp_path / "3")


def test_a_bad_clip_is_reported_and_stops_no_other(corpus, tmp_path):
    (corpus / "Male" / "a" / "0.wav").write_bytes(b"broken")
    sf.write(corpus / "Female" / "=c.wav", np.zeros(16_000), 16_000)
    result = extract(class_folders(corpus / "Male", corpus / "Female"), tmp_path / "out")
    assert result.rows == {"male_features.csv": 3, "female_features.csv": 4}
    with (tmp_path / "out" / "failed.csv").open(newline="") as file:
        failed = list(csv.DictReader(file))
    assert [(f["path"], f["reason"]) for f in failed] == [("Female/=c.wav", "silent"), ("Male/a/0.wav", "undecodable")]
    assert str(tmp_path) not in (tmp_path / "out" / "failed.csv").read_text()  # no machine's path in a table


def test_nothing_is_overwritten_unless_asked(utterances, tmp_path):
    extract(utterances, tmp_path / "out")
    before = contents(tmp_path / "out")
    with pytest.raises(FileExistsError, match=r"another list of clips \(12 and 8 of them\).*--force"):
        extract(utterances[:8], tmp_path / "out")
    assert contents(tmp_path / "out") == before
    extract([u for u in utterances if u.split != "test"], tmp_path / "out", force=True)
    assert "male_test_features.csv" not in contents(tmp_path / "out")  # no table of the earlier run stays behind


def test_a_sex_without_a_usable_clip_is_an_error_that_says_why(corpus, tmp_path):
    for clip in (corpus / "Female").rglob("*.wav"):
        clip.write_bytes(b"")
    with pytest.raises(
        ValueError, match=r"4 of 8 failed \(4 empty; the first, .*Female/c/0\.wav.* no usable female clip"
    ):
        extract(class_folders(corpus / "Male", corpus / "Female"), tmp_path / "out")
    assert [name for name in contents(tmp_path / "out") if name.endswith((".csv", "recipe.json"))] == []
    with pytest.raises(ValueError, match="there is no usable male clip"):
        extract([], tmp_path / "out")


def test_rows_of_the_published_tables_are_made_again_from_the_recordings(shared_data, tmp_path):
    # Pitch: the file keeps 6 decimals. MFCC: float32 up to 612, where one step is 6.1e-5, and another BLAS may sum
    # in another order: two steps.
    speakers = {"103", "1034", "1040", "1069", "118"}
    clips = [u for u in table(shared_data / "librispeech_251" / "metadata.csv") if u.speaker in speakers]
    cut = windows(clips, 5.3, least=4.0)
    extract(cut, tmp_path / "out")
    for sex in ("male", "female"):
        published = read_features(shared_data / "tutorial_csv" / f"{sex}_features.csv", sex)
        with (shared_data / "tutorial_csv" / f"{sex}_rows.csv").open(newline="") as file:
            chosen = [int(row["row"]) for row in csv.DictReader(file) if row["speaker"] in speakers]
        ours = read_features(tmp_path / "out" / f"{sex}_features.csv", sex)
        assert len(ours) == len(chosen) >= 4
        np.testing.assert_allclose(ours[:, 1], published[chosen, 1], rtol=0, atol=5.1e-7)
        np.testing.assert_allclose(ours[:, 2:], published[chosen, 2:], rtol=0, atol=1.3e-4)


def test_one_clip_a_sex_in_one_folder_is_enough_and_no_cell_becomes_a_formula(corpus, tmp_path):
    (corpus / "Male/a/=2+3.wav").write_bytes(b"broken")
    sexes = {"0.wav": "male", "1.wav": "female", "=2+3.wav": "male"}
    result = extract([Utterance(corpus / "Male/a" / name, None, sex) for name, sex in sexes.items()], tmp_path / "out")
    assert read_rows(tmp_path / "out" / "male_rows.csv", "male", 1)[0].path.as_posix() == "0.wav"
    assert result.failed[0][0] == "=2+3.wav"
    assert "\n'=2+3.wav,undecodable," in (tmp_path / "out" / "failed.csv").read_text()
