"""The model that is shipped, so that `predict` and `record` answer at once: what it is and what it can do is in CARD.md."""

from pathlib import Path

SHIPPED = Path(__file__).parent / "voice.safetensors"
