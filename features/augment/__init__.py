"""Augmentation: random changes of a clip, such as another room or microphone, to train a model that works on new recordings.

A step is called with samples (n,), their rate in Hz and a generator, and returns new samples; steps can be combined. The
contract: the result is float32 and finite; its peak is at most 1 (a louder result is scaled down, never clipped); a clip with
sound never becomes silent; the same state of the generator gives the same bytes. A step's fields are the ranges from which it
draws uniformly; a range without a source is our choice. Open step.py first.
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
