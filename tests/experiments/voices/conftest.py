"""What the tests of voices share."""

import pytest


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports without their pictures, for tests about something else: rendering takes most of a short run's time."""
    for form in ("png", "svg"):
        monkeypatch.setattr(f"experiments.reports.pictures.{form}", lambda figure: b"picture")
