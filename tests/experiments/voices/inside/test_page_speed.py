"""The command that measures a page's speed. No test depends on how fast this machine is."""

import pytest

from experiments.voices.inside import page_speed
from experiments.voices.inside.page import page


@pytest.mark.slow
@pytest.mark.parametrize("sides", [1, 2])
def test_every_act_is_timed_as_often_as_it_is_done(browser, seen, seen_elsewhere, sides, tmp_path, monkeypatch):
    pytest.importorskip("plotly", reason="needs plotly: pip install plotly")
    file = tmp_path / "page.html"
    file.write_text(page(*[seen, seen_elsewhere][:sides]), encoding="utf-8")
    monkeypatch.setattr(page_speed, "OPENINGS", 1)
    monkeypatch.setattr(page_speed, "STEPS", 4)
    first, every, *acts = page_speed.measure(browser, file)
    assert 0 < first.tries[0] <= every.tries[0]
    assert [len(act.tries) for act in acts] == [4, 4, 4, 4]
    assert all(took > 0 for act in acts for took in act.tries)
    assert 0 < first.cpu <= every.cpu
    assert all(act.cpu > 0 for act in acts)


def test_a_page_must_be_named(monkeypatch):
    monkeypatch.setattr("sys.argv", ["page_speed"])
    with pytest.raises(SystemExit, match=r"usage: .* page\.html"):
        page_speed.main()
