/**
 * Runs Signalsmith Stretch in the audio thread without its package's wrapper.
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

/** Compile the module of 64 kB, once, in this thread. */
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
    // Split the work of a block over several quanta.
    this.call.configure(CHANNELS, Math.round(BLOCK_S * rate), Math.round(INTERVAL_S * rate), 1);
    this.call.reset();
    this.inputLag = this.call.inputLatency();
    this.outputLag = this.call.outputLatency();
    this.length = 2 * (this.inputLag + this.outputLag);
    this.pointer = this.call.setBuffers(CHANNELS, this.length);
  }

  /** The frames by which the input is ahead of the output. */
  lag(rate) {
    return Math.round(this.inputLag + this.outputLag * rate);
  }

  /** The frames that are read beyond a target before the target is heard. */
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

  /** Feed the frames before the next ones, so that the next ones come out without a delay. */
  seek(source, count, rate) {
    this.write(source, count);
    this.call.seek(count, rate);
  }

  /** Stretch `taken` frames to `given` frames, and add them to the output, if any. */
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
