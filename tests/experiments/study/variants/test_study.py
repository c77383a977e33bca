"""study variants: rates are chosen apart from what is reported, what is done is kept, and words follow from the numbers."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from experiments.study.goals import MostRecent
from experiments.study.variants import report, study, training
from experiments.study.variants.network import count_weights

from ..conftest import write_digits
from .conftest import SMALL, shrink

# -- digits ------------------------------------------------------------------------------------------------------------


def test_a_choice_hears_no_test_speaker(digit_corpus, other_test_speakers):
    folders = (digit_corpus, other_test_speakers)
    one, same = (training.held_out(SMALL.digits, str(folder), "V", 0.03, 100) for folder in folders)
    assert one["by_speaker"] == same["by_speaker"]
    assert one["accuracy"] > 0
    train = {f"s{n:02}" for n in range(10)}
    assert set(one["by_speaker"]) < train
    other = training.held_out(SMALL.digits, str(digit_corpus), "V", 0.03, 101)
    assert not set(one["by_speaker"]) & set(other["by_speaker"])


def test_digits_are_learnt_and_judged_on_the_test_speakers(digit_corpus):
    result = training.tested(replace(SMALL.digits, units=12, epochs=12), str(digit_corpus), False, "V", 0.03, 0)
    assert set(result["by_speaker"]) == {"s10", "s11", "s12", "s13"}
    assert [who["sex"] for who in result["by_speaker"].values()] == [0, 1, 0, 1]
    right = "".join(who["right"] for who in result["by_speaker"].values())
    assert len(right) == 80
    assert result["accuracy"] == right.count("1") / 80 > 0.5  # guessing has .1


def test_units_for_v_s_number_of_weights():
    settings = replace(SMALL.digits, units=32)
    assert [training.equal_units(settings, 13, name) for name in ("V", "NP", "NOAF")] == [32] * 3
    wanted = count_weights("V", 13, 32, 10)
    for name in ("NIG", "CIFG", "FGR"):
        units = training.equal_units(settings, 13, name)
        near = [abs(count_weights(name, 13, units + k, 10) - wanted) for k in (-1, 0, 1)]
        assert min(near) == near[1]
        assert (units > 32) == (name != "FGR")


# -- the study ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(digit_corpus, tmp_path_factory):
    """The folder of a whole study with two seeds, and what it returned. Not to be changed."""
    folder = tmp_path_factory.mktemp("variants")
    with pytest.MonkeyPatch.context() as m:
        shrink(m)
        return folder, study.study(folder, digit_corpus, seeds=2)


@pytest.fixture
def undrawn(monkeypatch):
    """For tests that do not ask for the picture: drawing takes longer than all else."""
    monkeypatch.setattr(report, "picture", lambda results, settings: Figure())


def test_the_study_writes_its_tables_page_and_numbers(whole):
    folder, numbers = whole
    v, fgr = numbers["adding"]
    assert (v["variant"], v["solved"], v["seeds"], v["sequences_of_solved"]["mean"]) == ("V", 2, 2, 40.0)
    assert fgr["weights"] > v["weights"]
    assert [row["variant"] for row in numbers["digits"]] == ["V", "FGR"]
    assert numbers["digits"][1]["equal"]["units"] < SMALL.digits.units
    assert "equal" not in numbers["digits"][0]
    assert [row["part"] for row in numbers["choices"]] == ["adding"] * 4 + ["digits"] * 4
    assert json.loads((folder / "variants.json").read_text()) == json.loads(json.dumps(numbers))
    table = pd.read_csv(folder / "trainings.csv")
    assert table.groupby(["part", "variant"], sort=False).size().tolist() == [2, 2, 2, 2, 2]
    assert table[table.part == "digits"]["sequences_if_solved"].isna().all()
    page = (folder / "report.html").read_text()
    assert "FGR overlaps with V" in page
    assert "until at most 40 wrong of the 40 latest sequences: 3 units" in page
    assert "<th>sequences, of those that solved it</th>" in page
    assert "<th>wrong of 30, of those that solved it</th>" in page
    assert "lstm-engine study variants --digits FOLDER --seeds 2" in page
    assert "A quick run" not in page


def test_the_rate_is_the_one_that_the_choosing_seeds_favour(small, undrawn, tmp_path):
    study.train(tmp_path, seeds=1)
    for rate, trained in (("0.01", 90), ("0.03", 50)):
        path = tmp_path / "results" / f"adding-V-choice-{rate}-100.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"trained": trained}))
    for path in (tmp_path / "results").glob("adding-V-[0-9].json"):
        path.unlink()
    v, _ = study.study(tmp_path, seeds=1)["adding"]
    assert v["rate"] == 0.03
    page = (tmp_path / "report.html").read_text()
    assert "50 (1 of 1) *" in page
    assert "90 (1 of 1)<" in page


def test_trainings_go_by_their_rate(small, digit_corpus):
    one, other = (training.on_adding(SMALL.adding, False, "V", rate, 0) for rate in (0.01, 0.03))
    assert (one["rate"], other["rate"]) == (0.01, 0.03)
    assert one["curve"] != other["curve"]
    at_0, at_3 = (training.held_out(SMALL.digits, str(digit_corpus), "V", rate, 0) for rate in (0.0, 0.03))
    assert at_0["by_speaker"] != at_3["by_speaker"]


def test_what_is_done_is_not_trained_again_and_digits_stay_in_the_report(small, digit_corpus, tmp_path):
    study.train(tmp_path, digit_corpus, seeds=1)
    kept = tmp_path / "results" / "adding-V-0.json"
    kept.write_text(json.dumps(json.loads(kept.read_text()) | {"sequences": 7}))
    _, results, *_, commands = study.train(tmp_path, seeds=2)
    assert [result["sequences"] for result in results["adding"]["V"]] == [7, 40]
    assert len(results["digits"]["V"]) == 1
    assert commands == ["lstm-engine study variants --seeds 2"]  # the first was not reported
    _, results, *_ = study.train(tmp_path, seeds=1, force=True)
    assert results["digits"]["V"] == []


def test_other_settings_or_data_are_refused(small, digit_corpus, tmp_path, monkeypatch):
    study.train(tmp_path / "o", digit_corpus, seeds=1)
    with pytest.raises(FileExistsError, match="digits data"):
        study.train(tmp_path / "o", write_digits(tmp_path / "other", 10, 4, lambda x: 2 * x), seeds=1)
    with monkeypatch.context() as m:
        m.setattr(study, "CODE", ("cells", "loops"))
        with pytest.raises(FileExistsError, match="code"):
            study.train(tmp_path / "o", seeds=1)
    changed = replace(SMALL, adding=replace(SMALL.adding, goal=MostRecent(41, wrong=41)))
    monkeypatch.setattr(study, "FULL", changed)
    with pytest.raises(FileExistsError, match="adding goal count 40 and 41"):
        study.train(tmp_path / "o", seeds=1)


def test_a_study_of_the_code_with_other_names_is_continued(small, tmp_path):
    (earlier, *_), (present,), config = study.ALIKE, set(study.ALIKE.values()), tmp_path / "config.json"
    assert present == study.code_digest()  # where the code has changed since, such a study must not be continued
    study.train(tmp_path, seeds=1)
    made = config.read_text()
    kept = tmp_path / "results" / "adding-V-0.json"
    kept.write_text(json.dumps(json.loads(kept.read_text()) | {"sequences": 7}))
    config.write_text(made.replace(present, earlier))
    _, results, *_ = study.train(tmp_path, seeds=1)
    assert results["adding"]["V"][0]["sequences"] == 7  # as it lay there
    assert config.read_text() == made
    config.write_text(made.replace(present, earlier[::-1]))
    with pytest.raises(FileExistsError, match="code"):
        study.train(tmp_path, seeds=1)


def test_quick_has_two_seeds_at_most_and_says_so(small, undrawn, tmp_path):
    assert study.study(tmp_path / "a", seeds=6, quick=True)["adding"][0]["seeds"] == 2
    _, results, *_ = study.train(tmp_path / "b", seeds=1, quick=True)
    assert len(results["adding"]["V"]) == 1
    assert "A quick run" in (tmp_path / "a" / "report.html").read_text()


# -- which variants differ --------------------------------------------------------------------------------------------


def test_groups_are_separated_where_all_of_one_are_below_all_of_the_other():
    six, above = [1, 2, 3, 4, 5, 6], [7, 8, 9, 10, 11, 12]
    assert report.separated(six, above) == "better"
    assert report.separated(above, six) == "worse"
    assert report.separated(six, [6, *above[1:]]) == ""
    assert report.separated(six, [np.inf] * 6) == "better"


def test_how_often_groups_are_separated_by_chance():
    """Counted: of all ways to deal n + n ranks, two have one group wholly below the other."""
    for n in (2, 3, 4):
        hands = [set(hand) for hand in itertools.combinations(range(2 * n), n)]
        apart = [h for h in hands if report.separated(sorted(h), sorted(set(range(2 * n)) - h))]
        assert report.once_in(n) == len(hands) / len(apart)


def test_six_seeds_count_and_three_do_not():
    few, many = ({"adding": [{"seeds": n}] * 9, "digits": [{"seeds": n}] * 9} for n in (3, 6))
    assert report.worth(few).startswith("By chance alone 1.6 of these 16 comparisons of 3 seeds with 3 would differ: ")
    assert "By chance alone 0.035 of these 16 comparisons of 6 seeds" in report.worth(many)
    assert report.worth(many).endswith("rare enough to count.")


def trained(sequences):
    """Trainings on adding, that needed so many sequences; None failed."""
    shared = {"weights": 9, "rate": 0.01, "units": 3, "seconds": 1.0, "trained": 99, "curve": [[99, 0.5]]}
    return [shared | {"seed": k, "sequences": n, "wrong": None if n is None else 0} for k, n in enumerate(sequences)]


def test_words_on_adding_follow_from_the_numbers():
    by_variant = {
        "V": trained(range(60, 66)),
        "NIG": trained([None] * 6),
        "NFG": trained(range(20, 26)),
        "NP": trained([62] * 6),
    }
    rows = report.adding_rows(by_variant)
    assert [row["against_v"] for row in rows] == ["", "worse", "better", ""]
    assert report.verdict({"adding": rows, "digits": []}, SMALL).startswith(
        "On adding (T = 24), NIG is solved by 0 of 6 seeds, V by 6 of 6; every seed of NFG needs fewer sequences than every "
        "seed of V (mean 22, V 62); NP overlaps with V. By chance"
    )
    shown = report.adding_frame({"adding": rows})["against V"].tolist()
    assert shown == ["", "every seed worse", "every seed better", "ranges overlap"]
    assert rows[1]["solved_interval_95"] == pytest.approx([0, 0.39], abs=0.01)  # Wilson's


def heard(shares, rng):
    """Trainings on digits with about these accuracies: 20 test speakers of 100 clips, sexes even."""
    results = []
    for seed, share in enumerate(shares):
        right = rng.random((20, 100)) < share
        who = {
            f"s{n:02}": {"sex": n % 2, "right": "".join("01"[int(answer)] for answer in r)} for n, r in enumerate(right)
        }
        results.append({"seed": seed, "rate": 0.01, "units": 3, "weights": 9, "seconds": 1.0, "by_speaker": who})
        results[-1]["accuracy"] = right.mean()
    return results


def test_words_on_digits_follow_from_the_numbers():
    rng, none = np.random.default_rng(0), {"V": [], "NFG": [], "NP": []}
    by_variant = {"V": heard([0.9] * 6, rng), "NFG": heard([0.7] * 6, rng), "NP": heard([0.9] * 6, rng)}
    rows = report.digits_rows(by_variant, none)
    assert [row["against_v"] for row in rows] == ["", "worse", ""]
    low, high = rows[1]["difference_interval_95"]
    assert low < rows[1]["difference"] < high < 0
    assert rows[1]["difference"] == pytest.approx(-0.2, abs=0.02)
    low, high = rows[0]["interval_95"]
    assert low < rows[0]["accuracy"]["mean"] < high
    words = report.verdict({"adding": report.adding_rows({"V": trained([9])}), "digits": rows}, SMALL)
    assert "On the digits, every seed of NFG is worse than every seed of V (mean 7" in words


# -- the command -------------------------------------------------------------------------------------------------------


def test_the_command_shows_the_table_or_json(small, undrawn, lstm_engine, tmp_path):
    arguments = ["study", "variants", "--seeds", 1, "--jobs", 1, "--out", tmp_path / "o"]
    shown = lstm_engine(*arguments)
    assert shown.code == 0
    assert "40 (40 to 40)" in shown.out
    assert json.loads(lstm_engine(*arguments, "--json").out)["adding"][0]["solved"] == 1


def test_a_folder_without_digits_is_one_line(lstm_engine, tmp_path):
    shown = lstm_engine("study", "variants", "--digits", tmp_path, "--out", tmp_path / "o")
    assert shown.code == 2
    assert "has no sad.npz and no metadata.csv" in shown.err
    assert not (tmp_path / "o").exists()
