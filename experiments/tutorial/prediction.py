"""What a model says of one recording: the row that `predict` and `record` print."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Prediction:
    """One clip: the probability of male, the label and the pitch in Hz, or the reason why the clip could not be measured.

    Only models of frames fill why, seconds and voice_s. picture: the file that was drawn. parts: the stretches of more than
    one voice, each with start_s, end_s, label and probability; then the clip has no probability and no pitch of its own.
    """

    file: str
    probability: float | None = None
    label: str | None = None
    pitch_hz: float | None = None
    error: str | None = None
    why: str | None = None
    seconds: float | None = None
    voice_s: float | None = None
    picture: str | None = None
    parts: list[dict[str, Any]] | None = None
