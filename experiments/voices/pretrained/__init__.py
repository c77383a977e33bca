"""The shipped model: `predict` and `record` use it by default. CARD.md describes it; `make.py` makes both files."""

from pathlib import Path

SHIPPED = Path(__file__).parent / "voice.safetensors"
