/**
 * The audio thread: holds every stem's sound by frame, with one read head for all stems.
 *
 * The shared head keeps the stems in sync: a seek, a loop or a change of speed moves all stems at
 * once. Seeks crossfade over 256 frames.
 */

import { Stretcher, compiled } from "./stretch.js";

const FADE = 256;
const REPORT = 2048;
const RISE = Float32Array.from({ length: FADE }, (_, i) => 0.5 - 0.5 * Math.cos((Math.PI * (i + 0.5)) / FADE));
const BUSES = 2;

/** Decoded packs: each has a pair of channels per stem, or null for silence. */
class Packs {
  constructor({ length, total }) {
    this.length = length;
    this.total = total;
    this.sounds = new Map();
  }

  /** Return whether all frames of a range are loaded. */
  cover(from, count) {
    const last = Math.min(from + count, this.total) - 1;
    for (let n = Math.floor(Math.max(from, 0) / this.length); n * this.length <= last; n += 1)
      if (!this.sounds.has(n)) return false;
    return true;
  }
}

/** Reads all stems at one position into buses, with loops and crossfades. */
class Head {
  constructor({ packs, buses }) {
    this.packs = packs;
    this.buses = buses; // one per stem
    this.at = 0;
    this.risen = FADE; // frames of the head's fade-in so far
    this.tails = []; // earlier heads that fade out
    this.loop = null;
    this.gains = buses.map(() => ({ from: 1, to: 1, done: FADE }));
    this.curves = buses.map(() => null); // each stem's gain by frame, while it changes
    this.running = false;
  }

  /** Change the stems' gains, without a click. */
  turn(targets) {
    this.gains = this.gains.map(({ from, to, done }, stem) => {
      const now = done < FADE ? from + (to - from) * RISE[done] : to;
      return now === targets[stem] ? { from: now, to: now, done: FADE } : { from: now, to: targets[stem], done: 0 };
    });
  }

  settle() {
    this.gains = this.gains.map(({ to }) => ({ from: to, to, done: FADE }));
  }

  jump(to) {
    if (this.running) this.leave();
    this.at = to;
    this.risen = 0;
  }

  leave() {
    this.tails.push({ at: this.at, done: FADE - this.risen });
  }

  stop() {
    if (this.running) this.leave();
    this.running = false;
    this.risen = 0;
  }

  /** Return whether the next frames, and a fade after them, are loaded. */
  ready(count) {
    const { loop, at } = this;
    const needed = count + FADE;
    if (!loop || at >= loop.to || at + needed <= loop.to) return this.packs.cover(at, needed);
    const again = Math.min(needed, loop.to - loop.from + FADE);
    return this.packs.cover(at, loop.to - at + FADE) && this.packs.cover(loop.from, again);
  }

  /** Add the next frames to the buses, and advance. */
  read(into, count) {
    this.gains.forEach((gain, stem) => {
      this.curves[stem] = gain.done < FADE ? this.curve(gain, count) : null;
    });
    for (const tail of this.tails) this.trail(tail, into, 0, count);
    for (let to = 0; this.running && to < count; ) to += this.advance(into, to, count);
    this.tails = this.tails.filter(({ done }) => done < FADE);
  }

  curve(gain, count) {
    const made = new Float32Array(count);
    for (let i = 0; i < count; i += 1)
      made[i] = gain.done + i < FADE ? gain.from + (gain.to - gain.from) * RISE[gain.done + i] : gain.to;
    gain.done += count;
    return made;
  }

  trail(tail, into, to, count) {
    const length = Math.min(count - to, FADE - tail.done);
    this.mix(into, { at: tail.at, to, length, fade: RISE, from: FADE - 1 - tail.done, by: -1 });
    tail.at += length;
    tail.done += length;
  }

  advance(into, to, count) {
    let length = count - to;
    if (this.loop && this.at < this.loop.to) length = Math.min(length, this.loop.to - this.at);
    if (this.risen < FADE) length = Math.min(length, FADE - this.risen);
    const fade = this.risen < FADE ? RISE : null;
    this.mix(into, { at: this.at, to, length, fade, from: this.risen, by: 1 });
    this.risen = Math.min(FADE, this.risen + length);
    this.at += length;
    if (this.loop && this.at === this.loop.to) {
      this.jump(this.loop.from);
      this.trail(this.tails.at(-1), into, to + length, count);
    }
    return length;
  }

  mix(into, { at, to, length, ...rest }) {
    const { packs } = this;
    for (let done = 0; done < length; ) {
      const frame = at + done;
      const n = Math.floor(frame / packs.length);
      const offset = frame - n * packs.length;
      const piece = Math.min(length - done, packs.length - offset);
      const sounds = frame >= 0 && frame < packs.total ? packs.sounds.get(n) : undefined;
      if (sounds)
        for (let stem = 0; stem < sounds.length; stem += 1)
          if (sounds[stem])
            this.add(into[this.buses[stem]], sounds[stem], { stem, offset, to: to + done, piece, done, ...rest });
      done += piece;
    }
  }

  add(bus, sound, { stem, offset, to, piece, done, fade, from, by }) {
    const curve = this.curves[stem];
    const gain = this.gains[stem].to;
    if (!curve && gain === 0) return;
    const length = Math.min(piece, sound[0].length - offset);
    for (let channel = 0; channel < 2; channel += 1) {
      const out = bus[channel];
      const samples = sound[channel];
      if (!fade && !curve) {
        for (let i = 0; i < length; i += 1) out[to + i] += samples[offset + i] * gain;
        continue;
      }
      for (let i = 0; i < length; i += 1) {
        const envelope = fade ? fade[from + by * (done + i)] : 1;
        out[to + i] += samples[offset + i] * (curve ? curve[to + i] : gain) * envelope;
      }
    }
  }
}

class Tape extends AudioWorkletProcessor {
  constructor({ processorOptions: { stems, length, total, orders = [] } }) {
    super();
    const buses = stems.map(({ tuned }) => (tuned ? 0 : 1));
    this.packs = new Packs({ length, total });
    this.head = new Head({ packs: this.packs, buses });
    this.orders = [];
    this.playing = false;
    this.seeks = 0; // the number of the last seek
    this.starved = false;
    this.cautious = false; // after an underrun, wait for one more pack
    this.pace = { rate: 1, semitones: 0 };
    this.stretchers = null;
    this.stretched = false;
    this.looped = false; // since the stretchers were primed
    this.due = 0;
    this.ducked = 0; // frames of the fade-out before `afterwards` so far
    this.afterwards = null;
    this.surfaced = FADE; // frames of the fade-in after it so far
    this.sinceReport = REPORT;
    this.sources = Array.from({ length: BUSES }, () => [new Float32Array(4096), new Float32Array(4096)]);
    for (const order of orders) this.take(order);
    this.port.onmessage = ({ data }) => this.take(data);
  }

  /** Carry out an order, at a frame of the context's clock if the order has one. */
  take(order) {
    if (order.when > currentFrame) {
      this.orders.push(order);
      this.orders.sort((one, other) => one.when - other.when);
    } else this[order.op](order);
  }

  put({ n, sounds }) {
    this.packs.sounds.set(n, sounds);
  }

  /** Transfer a pack's memory back, because a thread that allocates nothing runs no collector. */
  drop({ n }) {
    const done = (this.packs.sounds.get(n) ?? []).flatMap((sound) => sound?.map(({ buffer }) => buffer) ?? []);
    this.packs.sounds.delete(n);
    this.port.postMessage({ done }, done);
  }

  gains({ gains }) {
    this.head.turn(gains);
  }

  play() {
    this.playing = true;
    this.starved = true; // until the next block has its frames
    this.cautious = false;
    this.tell();
  }

  pause() {
    this.playing = false;
    this.starved = false;
    this.still();
    this.tell();
  }

  /** Move to a frame; from then on, reports bear the number of this seek. */
  seek({ to, number = this.seeks }) {
    const target = Math.max(0, Math.min(Math.round(to), this.packs.total));
    if (this.stretched && this.head.running) {
      this.duck(() => {
        this.move(target);
        this.seeks = number;
      });
      this.tell();
      return;
    }
    this.seeks = number;
    if (this.stretched || !this.head.ready(0) || !this.packs.cover(target, FADE)) {
      this.still();
      this.move(target);
    } else this.head.jump(target);
    this.tell();
  }

  move(target) {
    this.head.running = false;
    this.head.at = target;
    this.head.risen = 0;
    this.starved = this.playing;
    this.cautious = false;
  }

  loop({ from, to }) {
    const { head } = this;
    head.loop = from === null ? null : { from: Math.round(from), to: Math.round(to) };
    // A head past the loop's end would never reach the end.
    if (head.loop && head.at >= head.loop.to) this.seek({ to: head.loop.from });
  }

  tempo({ rate, semitones }) {
    const wanted = this.stretchers !== null && (rate !== 1 || semitones !== 0);
    this.pace = { rate, semitones };
    if (this.stretchers) this.stretchers[0].transpose(semitones);
    if (wanted === this.stretched) return;
    const change = () => {
      const at = this.heard();
      this.stretched = wanted;
      this.move(at);
    };
    if (this.head.running) this.duck(change);
    else change();
  }

  stretch({ bytes }) {
    const module = compiled(bytes);
    this.stretchers = Array.from({ length: BUSES }, () => new Stretcher(module, sampleRate));
    this.tempo(this.pace);
  }

  /** Stop the head with a fade-out. */
  still() {
    if (this.stretched && this.head.running) {
      const at = this.heard();
      this.duck(() => {
        if (!this.head.running) return; // a seek came first
        this.head.running = false;
        this.head.at = at;
      });
    } else this.head.stop();
  }

  /** Fade the output out, then run a function. */
  duck(afterwards) {
    const before = this.afterwards;
    if (!before) this.ducked = 0;
    this.afterwards = before ? () => (before(), afterwards()) : afterwards;
  }

  /** The frame that is heard now, which is behind the stretchers' input. */
  heard() {
    const { head } = this;
    if (!this.stretched || !head.running) return head.at;
    const at = head.at - this.stretchers[0].lag(this.pace.rate);
    if (head.loop && this.looped && at < head.loop.from) return at + head.loop.to - head.loop.from;
    return Math.max(0, at);
  }

  process(_, [output]) {
    const count = output[0].length;
    while (this.orders.length && this.orders[0].when <= currentFrame) {
      const order = this.orders.shift();
      this[order.op](order);
    }
    this.watch(count);
    if (this.stretched) this.renderStretched(output, count);
    else this.renderPlain(output, count);
    this.shade(output, count);
    this.sinceReport += count;
    if (this.playing && this.sinceReport >= REPORT) this.tell();
    return true;
  }

  /** Start and stop the head as packs arrive and run out. */
  watch(count) {
    const { head, packs } = this;
    if (!this.playing || this.afterwards) return;
    if (this.heard() >= packs.total) {
      this.playing = false;
      head.stop();
      head.at = packs.total;
      this.tell();
      return;
    }
    const reach = this.stretched ? Math.ceil(count * this.pace.rate) + 1 : count;
    if (head.running) {
      if (head.ready(reach)) return;
      this.starved = true;
      this.cautious = true;
      this.still();
      this.tell();
      return;
    }
    const lead = this.stretched ? this.stretchers[0].reach(this.pace.rate) : 0;
    if (!head.ready(reach + lead + (this.cautious ? packs.length : 0))) return;
    this.starved = false;
    if (this.stretched) this.prime();
    head.running = true;
    this.tell();
  }

  renderPlain(output, count) {
    this.head.read([output, output], count);
  }

  renderStretched(output, count) {
    if (!this.head.running) return;
    this.due += count * this.pace.rate;
    const taken = Math.floor(this.due);
    this.due -= taken;
    this.feed(taken);
    this.stretchers.forEach((stretcher, bus) => stretcher.process(this.sources[bus], taken, output, count));
  }

  feed(count) {
    for (const source of this.sources) for (const channel of source) channel.fill(0, 0, count);
    const before = this.head.at;
    this.head.read(this.sources, count);
    if (this.head.at < before) this.looped = true;
  }

  /** Prime the stretchers so that their next output frame is the head's frame. */
  prime() {
    const { head, pace } = this;
    const [{ inputLag, outputLag }] = this.stretchers;
    const history = inputLag + outputLag;
    const target = head.at;
    const taken = Math.round(outputLag * pace.rate);
    const room = Math.max(history, taken);
    if (room > this.sources[0][0].length)
      this.sources = this.sources.map((source) => source.map(() => new Float32Array(room)));
    this.looped = false;
    this.due = 0;
    this.surfaced = 0;
    this.stretchers.forEach((each, bus) => each.begin(bus === 0 ? pace.semitones : 0));
    head.running = true;
    head.risen = FADE;
    head.tails = [];
    head.settle();
    head.at = target + inputLag - history;
    this.feed(history);
    this.stretchers.forEach((each, bus) => each.seek(this.sources[bus], history, pace.rate));
    this.feed(taken);
    this.stretchers.forEach((each, bus) => each.process(this.sources[bus], taken, null, outputLag));
  }

  /** Apply the fade-out before a change that cannot be crossfaded, and the fade-in after it. */
  shade(output, count) {
    if (this.afterwards) {
      for (let i = 0; i < count; i += 1) {
        const gain = this.ducked + i < FADE ? RISE[FADE - 1 - this.ducked - i] : 0;
        for (const channel of output) channel[i] *= gain;
      }
      this.ducked += count;
      if (this.ducked >= FADE) {
        const afterwards = this.afterwards;
        this.afterwards = null;
        afterwards();
        this.surfaced = 0;
        this.tell();
      }
    } else if (this.surfaced < FADE && this.head.running) {
      for (let i = 0; i < count && this.surfaced + i < FADE; i += 1)
        for (const channel of output) channel[i] *= RISE[this.surfaced + i];
      this.surfaced += count;
    }
  }

  tell() {
    this.sinceReport = 0;
    const { seeks, playing, starved } = this;
    this.port.postMessage({ at: this.heard(), seeks, playing, starved });
  }
}

registerProcessor("tape", Tape);
