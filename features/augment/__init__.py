"""The same voice in another room, through another microphone: random changes of a clip, for training a model that travels.

A step is called with samples (n,), their rate in Hz and a generator, and gives new samples; steps compose. The contract:
float32 out, finite, peak at most 1 (a louder result is turned down as a whole, never clipped), a clip that sounds never
falls silent, and the same generator state gives the same bytes. Ranges are drawn from uniformly and are fields; where no
source stands beside one, it is our choice.
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

# A voice, its room, the noise there, the microphone, the recorder: the order in which they come to a real recording.
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
