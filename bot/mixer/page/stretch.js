/**
 * Signalsmith Stretch in the audio thread, without the wrapper that its package has around it.
 *
 * The archive is pinned, so the names that its compiler gave the functions do not change.
 */

const NAMES = {
  memory: "e", construct: "f", setBuffers: "h", inputLatency: "k", outputLatency: "l", reset: "m",
  configure: "p", transpose: "r", seek: "v", process: "w", main: "y",
};
const BLOCK_S = 0.12;
const INTERVAL_S = 0.03;
const TONALITY_HZ = 8000;
const CHANNELS = 2;

/** Compile the module; the bytes are 64 kB, and this thread may take its time over them once. */
export const compiled = (bytes) => new WebAssembly.Module(bytes);

export class Stretcher {
  constructor(module, rate) {
    let memory = null;
    const random = (pointer, size) => {
      const bytes = new Uint8Array(memory.buffer, pointer, size);
      for (let i = 0; i < size; i += 1) bytes[i] = Math.random() * 256;
      return 0;
    };
    const grow = (size) => {
      const pages = Math.ceil((size - memory.buffer.byteLength) / 65536);
      return memory.grow(pages) >= 0 ? 1 : 0;
    };
    const copy = (to, from, size) => new Uint8Array(memory.buffer).copyWithin(to, from, from + size);
    const abort = () => {
      throw new Error("the time stretcher gave up");
    };
    const { exports } = new WebAssembly.Instance(module, { a: { a: random, b: grow, c: copy, d: abort } });
    memory = exports[NAMES.memory];
    this.memory = memory;
    this.call = Object.fromEntries(Object.entries(NAMES).map(([name, short]) => [name, exports[short]]));
    this.tonality = TONALITY_HZ / rate;
    this.call.construct();
    this.call.main(0, 0);
    // Split, so that no quantum does all the work of a block.
    this.call.configure(CHANNELS, Math.round(BLOCK_S * rate), Math.round(INTERVAL_S * rate), 1);
    this.call.reset();
    this.inputLag = this.call.inputLatency();
    this.outputLag = this.call.outputLatency();
    this.length = 2 * (this.inputLag + this.outputLag);
    this.pointer = this.call.setBuffers(CHANNELS, this.length);
  }

  /** By how many frames the input is ahead of what is heard. */
  lag(rate) {
    return Math.round(this.inputLag + this.outputLag * rate);
  }

  /** How many frames beyond a target are read before it is heard. */
  reach(rate) {
    return this.lag(rate) + 1;
  }

  begin(semitones) {
    this.call.reset();
    this.transpose(semitones);
  }

  transpose(semitones) {
    this.call.transpose(semitones, this.tonality);
  }

  /** Take in what comes before the next frames, so that they need not wait for it. */
  seek(source, count, rate) {
    this.write(source, count);
    this.call.seek(count, rate);
  }

  /** Turn `taken` frames into `given`, and add them to the output, if there is one. */
  process(source, taken, output, given) {
    this.write(source, taken);
    this.call.process(taken, given);
    if (!output) return;
    for (let channel = 0; channel < CHANNELS; channel += 1) {
      const made = this.buffer(CHANNELS + channel, given);
      for (let i = 0; i < given; i += 1) output[channel][i] += made[i];
    }
  }

  write(source, count) {
    for (let channel = 0; channel < CHANNELS; channel += 1)
      this.buffer(channel, count).set(source[channel].subarray(0, count));
  }

  buffer(index, count) {
    return new Float32Array(this.memory.buffer, this.pointer + 4 * this.length * index, count);
  }
}
