// Records samples without a codec, and without the browser's noise filters for calls, which would change the voice.
// For anywidget: the recording goes to Python as the bytes of a 16-bit WAV, in the trait `wav`.

const TAP = `registerProcessor("tap", class extends AudioWorkletProcessor {
  process([input]) { if (input.length) this.port.postMessage(input[0].slice()); return true; }
});`;
const AS_IT_IS = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };
const WHY = {
  NotAllowedError: "The browser may not use the microphone: allow it with the icon beside the address, then press again.",
  NotFoundError: "No microphone was found: connect one and press again.",
  NotReadableError: "The microphone cannot be used: perhaps another program holds it.",
};

function render({ model, el }) {
  el.innerHTML = `<div class="recorder">
    <div><button type="button">Record</button><meter min="-60" max="0" low="-45" value="-60" aria-label="Level"></meter>
    <output></output></div><p role="status"></p><audio controls hidden></audio></div>`;
  const [button, meter, clock, status, audio] = ["button", "meter", "output", "p", "audio"].map((s) => el.querySelector(s));
  const most = model.get("seconds");
  let stop = null;                                   // while it records: ends it
  say(`Press, speak for 3 to ${most} s, press again. Record only people who have agreed to it.`);
  button.onclick = () => (stop ? stop() : record().catch((error) => say(WHY[error.name] ?? `It cannot record: ${error}`)));

  function say(text) { status.textContent = text; }

  async function record() {
    if (!navigator.mediaDevices || !globalThis.AudioWorkletNode)
      return say("Browsers give the microphone only to pages on https or on this machine (localhost): open this one there.");
    button.disabled = true;
    const blocks = [], stream = await navigator.mediaDevices.getUserMedia({ audio: AS_IT_IS }).finally(() => (button.disabled = false));
    const context = new AudioContext(), rate = context.sampleRate;
    let heard = 0;
    stop = () => {
      stop = null;
      stream.getTracks().forEach((track) => track.stop());
      context.close();
      button.textContent = "Record again";
      meter.value = -60;
      keep(blocks, rate);
    };
    button.textContent = "Stop";
    say("Speak now.");
    await context.audioWorklet.addModule(URL.createObjectURL(new Blob([TAP], { type: "text/javascript" })));
    const tap = new AudioWorkletNode(context, "tap", { channelCount: 1, channelCountMode: "explicit" });
    tap.port.onmessage = ({ data }) => {
      if (!stop) return;
      blocks.push(data);
      heard += data.length;
      const loudness = Math.sqrt(data.reduce((sum, x) => sum + x * x, 0) / data.length);
      meter.value = Math.max(meter.value - 0.2, 20 * Math.log10(loudness + 1e-9));   // falls slowly
      clock.textContent = `${(heard / rate).toFixed(1)} s`;
      if (heard >= most * rate) stop();
    };
    context.createMediaStreamSource(stream).connect(tap).connect(context.destination);   // the tap itself is silent
    await context.resume();
  }

  function keep(blocks, rate) {
    if (!blocks.length) return say("Nothing came from the microphone: press again.");
    const file = wav(blocks, rate);
    URL.revokeObjectURL(audio.src);
    audio.src = URL.createObjectURL(new Blob([file], { type: "audio/wav" }));
    audio.hidden = false;
    say("This is what the network hears. Reload the page to forget it.");
    model.set("wav", new DataView(file));
    model.save_changes();
  }

  return () => stop?.();
}

function wav(blocks, rate) {                         // blocks of floats, full scale 1 -> RIFF, mono, 16 bits
  const n = blocks.reduce((sum, block) => sum + block.length, 0), file = new DataView(new ArrayBuffer(44 + 2 * n));
  const text = (at, letters) => [...letters].forEach((ch, k) => file.setUint8(at + k, ch.charCodeAt(0)));
  text(0, "RIFF"); file.setUint32(4, 36 + 2 * n, true); text(8, "WAVEfmt "); file.setUint32(16, 16, true);
  file.setUint16(20, 1, true); file.setUint16(22, 1, true); file.setUint32(24, rate, true); file.setUint32(28, 2 * rate, true);
  file.setUint16(32, 2, true); file.setUint16(34, 16, true); text(36, "data"); file.setUint32(40, 2 * n, true);
  let at = 44;
  for (const block of blocks) for (const x of block) {
    file.setInt16(at, Math.round(32767 * Math.max(-1, Math.min(1, x))), true);
    at += 2;
  }
  return file.buffer;
}

export default { render };
