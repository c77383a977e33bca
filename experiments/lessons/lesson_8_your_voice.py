import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="8 Your voice")

with app.setup(hide_code=True):
    import marimo as mo
    import numpy as np
    from scipy.optimize import brentq
    from scipy.special import expit, logit

    from experiments.lessons import drawing, exercises
    from experiments.lessons.recorder import Recorder
    from experiments.lessons.voice import FORWARD, MODEL, NETWORK, STORED, briefly_on_disk, heard, log_odds, made_up
    from experiments.microscope import analyses
    from experiments.voices.inside.look import look
    from experiments.voices.inside.page import page
    from features.audio import BadClip
    from features.synth import PITCH

    UNITS = STORED["settings"]["units"]


@app.cell(hide_code=True)
def _():
    recorder = mo.ui.anywidget(Recorder())
    file = mo.ui.file(filetypes=["audio/*", ".wav", ".flac", ".ogg", ".mp3", ".webm", ".m4a"], label="A recording")
    throat = mo.ui.dropdown({"a woman's": "female", "a man's": "male"}, "a woman's", label="throat and mouth like")
    height = mo.ui.slider(80, 300, 5, value=210, label="the speaker's usual pitch (Hz)", show_value=True, debounce=True)
    source = mo.ui.tabs(
        {"A made-up voice": mo.hstack([throat, height], justify="start", wrap=True), "Record": recorder, "A file": file}
    )
    _text = mo.md(f"""
    # 8 Your voice

    An LSTM that was trained on {STORED["data"]["clips"]} people reading aloud listens to one more voice, and it can be yours.
    Until you press **Record**, a made-up voice takes its place. (In this clip its pitch is some semitones off the usual one.)
    The sound goes from your browser to this notebook, on the machine that runs it, and no further. It is not kept: the file
    that the network reads is deleted afterwards.
    """)
    mo.vstack([_text, source])
    return file, height, recorder, source, throat


@app.cell(hide_code=True)
def _(file, height, recorder, source, throat):
    if source.value == "Record":
        name, sound = "your recording.wav", recorder.wav
    elif source.value == "A file":
        name, sound = file.name() or "", file.contents() or b""
    else:
        name, sound = "a made-up voice.wav", made_up(throat.value, height.value)
    mo.stop(not sound, mo.md("*Nothing to hear yet. The rest of this page needs a voice.*"))
    return name, sound


@app.cell(hide_code=True)
def _(name, sound):
    try:
        judgement, frames, _wrong = heard(name, sound)
    except BadClip as _bad:
        mo.stop(True, mo.callout(f"{name}: {_bad.detail}.", kind="warn"))
    _p = judgement.probability
    _answer = judgement.label if _p is None else f"{judgement.label}, p = {_p:.3f}"
    _why = [f"Why: {judgement.why}."] if judgement.label not in ("male", "female") else []
    _answer = mo.callout(mo.md(" ".join([f"**{_answer}.**", *_why, *_wrong])))
    _note = mo.md("p is the probability of male. It is a guess about a recording, not a fact about a person.")
    _text = mo.vstack([mo.md("## What it says"), _answer, _note])
    mo.stop(_p is None, _text)  # and with it all that needs a voice
    _text
    return frames, judgement


@app.cell(hide_code=True)
def _(judgement):
    _votes, _bands = logit(judgement.p[~np.isnan(judgement.p)]), []
    _pitch = drawing.lines({"pitch": judgement.f0}, judgement.time, x_title="", y_title="pitch (Hz)", height=230)
    for _sex, _who, _colour in (("male", "men", drawing.COLOURS[0]), ("female", "women", drawing.COLOURS[1])):
        _low, _high = np.multiply(PITCH[_sex][1], (-2, 2)) + PITCH[_sex][0]
        _pitch.add_hrect(_low, _high, fillcolor=_colour, opacity=0.12, line_width=0, annotation_text=f"most {_who}")
        _bands.append(f"{_who} ({_low:.0f} to {_high:.0f} Hz)")
    _pitch.update_yaxes(range=[60, max(280.0, 1.05 * np.nanmax(judgement.f0))])
    _p = drawing.lines({"p": judgement.p}, judgement.time, x_title="time (s)", y_title="p", height=230)
    _p.add_hline(0.5, line_color="#888").update_yaxes(range=[-0.03, 1.03])
    _text = mo.md(rf"""
    The sound is cut into pieces of 20 ms. Each becomes {len(STORED["preparation"]["mean"]) + 3} numbers: the pitch, how
    voiced and how loud it is, and the MFCCs, which depend on the shape of throat and mouth. The network reads them in both
    directions and gives every piece a probability $p_t$. The T = {len(_votes)} pieces from the first voiced one to the last
    then vote with their log-odds $z_t = \ln \frac{{p_t}}{{1 - p_t}}$: 0 for an undecided piece, far from 0 for a sure one.

    $$p = \sigma\Big(\frac1T \sum_t z_t\Big) = \sigma({_votes.mean():.3f}) = {expit(_votes.mean()):.3f}$$

    Look for pieces that disagree with the rest, and for gaps in the pitch (an s, a pause, closed lips): the answer goes on.
    The MFCCs still give information there, and the cell $c$ can remember earlier pieces: hold its forget gate in the
    microscope below. Bands: the mean ± 2 standard deviations of {" and ".join(_bands)}, from words recorded by Hillenbrand
    and others (1995). The microscope shows narrower ranges, as a rule of thumb.
    """)
    mo.vstack([_text, *(_figure.update_layout(showlegend=False) for _figure in (_pitch, _p))])
    return


@app.cell(hide_code=True)
def _():
    semitones = mo.ui.slider(-15, 15, 0.5, value=0, label="semitones", show_value=True)
    _text = mo.md("""
    ## Only the pitch

    Does the pitch decide? Change only this number in every piece and leave the MFCCs as they are, which no speaker could do.
    12 semitones are an octave: twice the frequency. Where does the answer change? Where men's pitch ends above? A made-up man
    stays a man an octave higher: the network learnt from stretches whose pitch was moved, so it has to hear the throat too.
    """)
    mo.vstack([_text, semitones])
    return (semitones,)


@app.cell(hide_code=True)
def _(frames):
    steps = np.arange(-15, 15.5)
    curve = expit([log_odds(frames, _n) for _n in steps])
    return curve, steps


@app.cell(hide_code=True)
def _(curve, frames, judgement, semitones, steps):
    _p, _hz = expit(log_odds(frames, semitones.value)), judgement.f0_hz * 2 ** (semitones.value / 12)
    _figure = drawing.lines({"p": curve}, steps, x_title="semitones", y_title="p", height=260)
    _figure.add_scatter(x=[semitones.value], y=[_p], mode="markers", marker={"size": 14, "color": drawing.COLOURS[1]})
    _figure.add_hline(0.5, line_color="#888").update_layout(showlegend=False).update_yaxes(range=[-0.03, 1.03])
    mo.vstack([mo.md(f"With a median pitch of **{_hz:.0f} Hz**, p = **{_p:.3f}**."), _figure])
    return


@app.cell(hide_code=True)
def _(judgement, name, sound):
    try:
        with mo.status.spinner("Silencing every unit, holding every gate ..."), briefly_on_disk(name, sound) as _file:
            microscope = page(look(_file, MODEL))
    except ValueError as _nothing:  # a long file that begins with music, say
        mo.stop(True, mo.callout(str(_nothing), kind="warn"))
    # marimo would stretch the frame to the page's height, and the page's player and read-out would not stay in sight.
    frame = mo.iframe(microscope, height="720px").text.replace("onload='__resize", "data-onload='__resize")
    frame = mo.Html(frame.encode("ascii", "xmlcharrefreplace").decode())  # else Python takes 2 bytes for each letter
    _text = mo.md(f"""
    ## The microscope

    Every gate of every unit during {min(judgement.seconds, 10):.1f} s of this voice. Press play and follow the line. In
    **What if?**, hold the forget gate near 0, or silence a unit. How large must a change be to change the answer?
    """)
    _keep = mo.download(microscope.encode, "microscope.html", "text/html", label="Keep this page (the voice is in it)")
    mo.vstack([_text, frame, _keep])
    return frame, microscope


@app.cell(hide_code=True)
def _():
    man, woman = (heard("made up.wav", made_up(_sex, _hz))[1] for _sex, _hz in (("male", 120.0), ("female", 210.0)))
    mo.md(f"""
    {exercises.heading(8)}

    The check uses two made-up voices, a man's and a woman's. A right answer is then applied to the voice above.

    **1. The unit that matters most.** Silence a unit, so that no other unit reads it: the change of the log-odds shows how
    much the answer depends on it. The change can be positive or negative.
    """)
    return man, woman


@app.function
def answer_1(frames):
    """The unit in the forward half, from 0 to UNITS - 1, on which the answer depends most.

    log_odds(frames) is the answer; log_odds(frames, network=silence(NETWORK, FORWARD, 7)) is without unit 7.
    """
    return None


@app.cell(hide_code=True)
def _(man, woman):
    def _heaviest(frames):
        moves = analyses.by_ablation(NETWORK, FORWARD, MODEL.prepare(frames)[None], lambda p: logit(p).mean())
        return np.abs(moves).argmax()

    check_1 = exercises.check(answer_1, *[((_x,), _heaviest(_x)) for _x in (man, woman)], exercise=(8, 1))
    _next = mo.md("""
    **2. A vote that turns.** Each piece votes with its log-odds. Suppose that some pieces had said the opposite, equally
    surely. What is the smallest number that changes the answer?
    """)
    mo.vstack([check_1, _next])
    return (check_1,)


@app.function
def answer_2(z):
    """The fewest pieces whose z_t must become -z_t until the sum of z (T,), the pieces' log-odds, has the other sign."""
    return None


@app.cell(hide_code=True)
def _(man, woman):
    def _turning(z):  # the surest pieces first; each changes the sum by twice its vote
        left = abs(z.sum()) - 2 * np.cumsum(np.sort(z * np.sign(z.sum()))[::-1])
        return int((left < 0).argmax()) + 1

    check_2 = exercises.check(
        answer_2, *[((_z,), _turning(_z)) for _z in map(MODEL.frame_log_odds, (man, woman))], exercise=(8, 2)
    )
    _next = mo.md("""
    **3. Where the answer tips.** By how many semitones must a woman's pitch fall until the network is undecided? What are
    the log-odds there? Halve the interval that contains this point, again and again. (The check uses two women.)
    """)
    mo.vstack([check_2, _next])
    return (check_2,)


@app.function
def answer_3(frames, low, high):
    """The semitones, between low and high, at which p is 1/2: right to a thousandth.

    log_odds(frames, 2.5) is the answer with the pitch 2.5 semitones higher. It changes its sign once between low and high.
    """
    return None


@app.cell(hide_code=True)
def _(woman):
    _women = woman, heard("made up.wav", made_up("female", 240.0))[1]
    _tips = [((_x, -15.0, 0.0), brentq(lambda n, x=_x: log_odds(x, n), -15.0, 0.0)) for _x in _women]
    check_3 = exercises.check(answer_3, *_tips, rtol=1e-3, exercise=(8, 3))
    check_3
    return (check_3,)


@app.cell(hide_code=True)
def _(check_1, check_2, check_3, frames):
    yours = []
    if check_1.state == "right":
        yours.append(f"The answer about the voice above leans most on unit {answer_1(frames)} of the forward half.")
    if check_2.state == "right":
        _z = MODEL.frame_log_odds(frames)
        yours.append(f"It would turn if {answer_2(_z)} of its {len(_z)} pieces had said the opposite.")
    if check_3.state == "right":
        _tips = log_odds(frames, -15) * log_odds(frames, 15) < 0
        yours.append(
            f"It tips at {answer_3(frames, -15, 15):+.1f} semitones." if _tips else "It tips nowhere in this range."
        )
    yours = " ".join(yours)
    mo.md(yours)
    return (yours,)


if __name__ == "__main__":
    app.run()
