// A sound with its Play button, its slider, and the part that is shown; its line moves through the pictures of the sides that
// hear it.

class Clip extends Timeline {
  constructor({ seconds, frames }, letter, longest, moved) {    // longest: seconds of the longest clip, for one scale of time
    super({ frames, frameS: D.frame_s, start: 0, end: seconds, longest, axis: { ticksuffix: " s" }, least: .1, moved });
    Object.assign(this, { letter, seconds, sides: [] });
    this.sound = $(`sound-${letter}`);
    this.player = this.put("player", $("players"));
    this.stretch = this.put("stretch", $("stretches"));
    this.player.play.onclick = () => this.toggle();
    this.player.time.oninput = () => this.seek(+this.player.time.value);
    this.sound.onplay = () => { this.playing(true); this.follow(); };
    this.sound.onpause = this.sound.onended = () => this.playing(false);
    this.stretch.from.max = this.stretch.to.max = this.seconds;
    this.stretch.from.onchange = this.stretch.to.onchange = () => this.choose(this.stretch.from.valueAsNumber, this.stretch.to.valueAsNumber);
    this.stretch.near.onclick = () => { const t = this.time(this.frame); this.zoom(t - .5, t + .5); };
    this.stretch.whole.onclick = () => this.show(0, longest);
  }

  put(template, place) {                             // the template's controls by class, each with an id of this clip
    const copy = $(template).content.cloneNode(true), controls = {};
    for (const control of copy.querySelectorAll("button, input, output")) {
      controls[control.className] = control;
      control.id = `${control.className}-${this.letter}`;
      if (D.clips.length > 1) control.ariaLabel = `${control.ariaLabel || control.textContent}, ${this.letter}`;
    }
    if (D.clips.length > 1) copy.firstElementChild.prepend(make("strong", { textContent: this.letter }));
    place.append(copy);
    return controls;
  }

  // -- the part shown -------------------------------------------------------------------------------------------------

  choose(from, to) {                                 // seconds that the user typed; an impossible choice gets a note
    const end = this.seconds, last = `The clip ends at ${end.toFixed(2)} s`;
    const why = Number.isNaN(from + to) ? "Both fields need a number of seconds"
      : from >= end ? last : to <= from ? `${from} to ${to} s is impossible: the end must come after the start` : "";
    if (why) this.stretch.whole.disabled = false;    // the button restores the fields
    else this.zoom(Math.max(0, from), Math.min(end, to));
    const still = `. The pictures still show ${+this.from.toFixed(2)} to ${+Math.min(this.to, end).toFixed(2)} s.`;
    this.stretch.note.textContent = why ? why + still : to > end + .01 ? `${last}.` : from < 0 ? "The clip starts at 0 s." : "";
  }

  show(from, to) {
    this.stretch.note.textContent = "";
    [this.from, this.to] = [from, to];
    this.showStretch();
    super.show(from, to);
  }

  cutSilence(first, last) {                          // frames that a network reads; whether there is enough else to cut
    if (last - first > .9 * this.frames) return false;
    this.zoom(this.time(first), this.time(last));
    return true;
  }

  showStretch() {
    const { from, to, whole } = this.stretch, { time } = this.player;
    from.value = +this.from.toFixed(2);
    to.value = +Math.min(this.to, this.seconds).toFixed(2);
    whole.disabled = this.from === 0 && this.to === this.longest;
    [time.min, time.max] = this.ends();
  }

  // -- the line -------------------------------------------------------------------------------------------------------

  seek(frame, fromSound = false) {
    const [first, last] = this.ends(), at = Math.max(first, Math.min(last, frame));
    if (!fromSound) this.sound.currentTime = this.time(at);
    this.player.time.value = at;
    this.player.clock.textContent = `${this.time(at).toFixed(2)} s`;
    super.seek(at);
  }

  // -- playing: only the part that is shown ---------------------------------------------------------------------------

  toggle() { return this.sound.paused ? this.play() : this.sound.pause(); }

  play() {
    const [first, last] = this.ends();
    if (this.frame >= last) this.seek(first);
    return this.sound.play();
  }

  follow() {
    if (this.sound.paused) return;
    const frame = Math.round(this.sound.currentTime / D.frame_s), last = this.ends()[1];
    if (frame > last) this.sound.pause();
    this.seek(frame, frame <= last);
    requestAnimationFrame(() => this.follow());
  }

  playing(on) {
    const { play } = this.player;
    play.textContent = on ? "Pause" : "Play";
    play.setAttribute("aria-pressed", on);
    for (const other of clips) if (on && other !== this) other.sound.pause();
  }
}
