// Frames in time, or steps: the part of them that is shown, and the line that moves through the pictures of this timeline.
// moved() is called when the line moves.

class Timeline {
  constructor({ frames, frameS = 1, origin = 0, start, end, longest = end, axis = {}, least, moved }) {   // longest: what the pictures show at most
    Object.assign(this, { frames, frameS, origin, start, end, longest, axis, least, moved, plots: [], frame: 0, hover: null, from: start, to: longest });
  }

  time(frame) { return this.origin + frame * this.frameS; }   // seconds, or steps

  zoom(from, to) {                                   // no narrower than `least`, and no wider than there is
    const wide = Math.min(Math.max(to - from, this.least), this.end - this.start);
    const begin = Math.max(this.start, Math.min(from, this.end - wide));
    this.show(begin, begin + wide);
  }

  show(from, to) {
    [this.from, this.to] = [from, to];
    for (const plot of this.plots) plot.redraw();
    this.seek(this.frame);
  }

  ends() {                                           // the first and the last frame shown
    const last = Math.min(this.frames - 1, Math.floor((this.to - this.origin) / this.frameS + 1e-6));
    return [Math.max(0, Math.min(last, Math.ceil((this.from - this.origin) / this.frameS - 1e-6))), last];
  }

  seek(frame) {
    const [first, last] = this.ends();
    this.frame = Math.max(first, Math.min(last, frame));
    for (const plot of this.plots) this.mark(plot.playhead, this.frame);
    this.moved();
  }

  mark(element, frame) { element.style.setProperty("--at", (this.time(frame) - this.from) / (this.to - this.from)); }

  frameAt(share) {
    const [first, last] = this.ends();
    return Math.max(first, Math.min(last, Math.round((this.from + share * (this.to - this.from) - this.origin) / this.frameS)));
  }

  point(frame) {                                     // the dashed line of the mouse; null: there is none
    this.hover = frame;
    for (const { pointer } of this.plots) {
      pointer.hidden = frame === null;
      if (frame !== null) this.mark(pointer, frame);
    }
  }
}
