"""The command that measures a page's speed. No test depends on how fast this machine is."""

import pytest

from experiments.microscope import page_speed
from experiments.voices.inside.page import page


@pytest.mark.slow
@pytest.mark.parametrize("sides", [1, 2])
def test_every_act_is_timed_as_often_as_it_is_done(browser, seen, seen_elsewhere, sides, tmp_path, monkeypatch):
    file = tmp_path / "page.html"
    file.write_text(page(*[seen, seen_elsewhere][:sides]), encoding="utf-8")
    monkeypatch.setattr(page_speed, "OPENINGS", 1)
    monkeypatch.setattr(page_speed, "STEPS", 4)
    _, tries, cpu = zip(*page_speed.measure(browser, file), strict=True)
    assert 0 < tries[0][0] <= tries[1][0]
    assert [len(of_act) for of_act in tries[2:]] == [4, 4, 4, 4]
    assert all(took > 0 for of_act in tries[2:] for took in of_act)
    assert 0 < cpu[0] <= cpu[1]
    assert all(of_act > 0 for of_act in cpu[2:])


def test_a_page_must_be_named(monkeypatch):
    monkeypatch.setattr("sys.argv", ["page_speed"])
    with pytest.raises(SystemExit, match=r"usage: .* page\.html"):
        page_speed.main()
