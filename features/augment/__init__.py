"""Augmentation: random changes of a clip, such as another room or microphone, to train a model that works on new recordings.

Open `step.py` first: what a step takes and guarantees, and how steps combine. A step's fields are the ranges from which it
draws uniformly; a range without a source is our choice.
"""

from features.augment.channel import BandLimit, Clipping, Gain, Tilt
from features.augment.codec import CODERS, Codec
from features.augment.room import Babble, Hum, Noise, Reverb
from features.augment.step import Chain, OneOf, Sometimes, Step
from features.augment.voice import Formants, Pitch, Speed

__all__ = [
    "CODERS", "TELEPHONE", "VOICES", "Babble", "BandLimit", "Chain", "Clipping", "Codec", "Formants", "Gain", "Hum",
    "Noise", "OneOf", "Pitch", "Reverb", "Sometimes", "Speed", "Step", "Tilt",
]  # fmt: skip

TELEPHONE = Chain(BandLimit(low_hz=(300.0, 300.0), high_hz=(3400.0, 3400.0)), Codec(("mulaw",)))

# The voice, the room, its noise, the microphone, the recorder: the order in which they change a real recording.
VOICES = Chain(
    Sometimes(0.5, OneOf(Speed(), Pitch(), Formants())),
    Sometimes(0.4, Reverb()),
    Sometimes(0.5, Noise()),
    Sometimes(0.1, Hum()),
    Sometimes(0.7, Tilt()),
    Sometimes(0.3, BandLimit()),
    Sometimes(0.1, Clipping()),
    Sometimes(0.2, OneOf(Codec(), TELEPHONE)),
    Gain(),
)
