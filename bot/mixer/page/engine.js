/**
 * Fetches and decodes the packs around the playing position, and sends them to the tape.
 *
 * Its events are "change" (position or state), "status" and "damaged". It does not use the page.
 */

import { payloads, wanted } from "./packs.js";

/** Seconds to hold ahead of and behind the playing position, and bytes of packs to cache. */
const PROFILES = {
  desktop: { ahead: 20, behind: 5, kept: 48e6 },
  phone: { ahead: 10, behind: 2, kept: 4e6 },
};
const RETRIES_S = [1, 2, 4, 8];
const FAILED_AFTER_S = 5; // a server that asks for a longer pause has failed
const STARTS_WITHIN_MS = 3000; // a browser that takes longer waits for another press
const FIRST = 2; // packs that are loaded before the first play
const CLIP =
  "T2dnUwACAAAAAAAAAAABAAAAAAAAAAJihVwBE09wdXNIZWFkAQI4AYC7AAAAAABPZ2dTAAAAAAAAAAAAAAEAAAABAAAAe5TpeQEY" +
  "T3B1c1RhZ3MIAAAAc3RlbWNvcmQAAAAAT2dnUwAEGAMAAAAAAAABAAAAAgAAACeN6SkBBwgL5jsjq2A=";

const bytesOf = (base64) => Uint8Array.from(atob(base64), (char) => char.charCodeAt(0)).buffer;

/** Decode a sample, because browsers misreport their support for Ogg Opus. */
export async function codecOf(codecs) {
  try {
    await new OfflineAudioContext(2, 1, codecs.opus).decodeAudioData(bytesOf(CLIP));
    return "opus";
  } catch {
    return "flac";
  }
}

/**
 * Free memory at once. Garbage collectors underestimate decoded sound and would let hundreds of
 * megabytes pile up. Buffers that are transferred to an unreferenced port are freed.
 */
const discard = (buffers) => {
  const { port1, port2 } = new MessageChannel();
  port2.close();
  port1.postMessage(null, buffers);
  port1.close();
};

export const isPossible = () => window.isSecureContext && "AudioWorkletNode" in window;

const isPhone = () => (navigator.deviceMemory ?? 8) <= 2 || matchMedia("(pointer: coarse)").matches;

export class Engine extends EventTarget {
  #song;
  #context = null;
  #tape = null;
  #codec = null;
  #profile;
  #kept = new Map(); // encoded packs, least recently used first
  #loaded = new Set(); // packs that the tape holds
  #underway = new Map(); // pack to AbortController
  #failures = 0;
  #retry = null;
  #over = false;
  #loop = null;
  #stretcher = null;
  #seeks = 0;

  constructor(song, profile = isPhone() ? "phone" : "desktop") {
    super();
    this.#song = song;
    this.#profile = PROFILES[profile];
    this.at = 0; // seconds
    this.playing = false; // as requested
    this.starved = false;
    this.status = null; // a status for the page, or null
    this.pace = { rate: 1, semitones: 0 };
    this.gains = null;
  }

  get rate() {
    return this.#song.codecs[this.#codec];
  }

  /** Prepare to play; throws the browser's errors. */
  async open() {
    this.#codec = await codecOf(this.#song.codecs);
    // At another rate, browsers would resample each pack separately, with audible seams.
    const context = new AudioContext({ sampleRate: this.rate, latencyHint: "balanced" });
    this.#context = context;
    await context.audioWorklet.addModule(new URL("tape.js", import.meta.url));
    this.#tape = new AudioWorkletNode(context, "tape", {
      numberOfInputs: 0,
      outputChannelCount: [2],
      processorOptions: {
        stems: this.#song.stems.map(({ tuned }) => ({ tuned })),
        length: this.#song.chunk * this.rate,
        total: this.#frame(this.#song.seconds),
      },
    });
    this.#tape.port.onmessage = ({ data }) => this.#hear(data);
    this.#tape.connect(context.destination);
    context.addEventListener("statechange", () => this.#watchContext());
    addEventListener("online", () => this.#again());
    this.#catchUp();
  }

  /** Send the tape the requests made before it existed. */
  #catchUp() {
    if (this.gains) this.setGains(this.gains);
    if (this.#loop) this.setLoop(this.#loop);
    this.seek(this.at);
    if (this.#isChanged()) this.setPace(this.pace).catch(() => this.#say("noStretch"));
    if (this.playing) this.play();
  }

  #isChanged() {
    return this.pace.rate !== 1 || this.pace.semitones !== 0;
  }

  #frame(seconds) {
    return Math.round(seconds * this.rate);
  }

  #order(op, facts = {}, transfer = []) {
    this.#tape?.port.postMessage({ op, ...facts }, transfer);
  }

  /** Play, or start playing as soon as the engine is ready. */
  async play() {
    this.playing = true;
    if (this.at >= this.#song.seconds) this.seek(this.#loop?.from ?? 0);
    if (navigator.audioSession) navigator.audioSession.type = "playback";
    // Safari starts the sound only during a press, so this must not wait for the tape.
    const started = this.#context && this.#started();
    this.#changed();
    if (!this.#tape) return;
    if (!(await started)) {
      this.pause();
      return;
    }
    if (this.playing) this.#order("play");
    if (this.status === "paused") this.#say(null);
    this.#pump();
    this.#changed();
  }

  /** Start the sound; return whether the browser did. */
  async #started() {
    const late = new Promise((resolve) => setTimeout(resolve, STARTS_WITHIN_MS));
    await Promise.race([this.#context.resume().catch(() => {}), late]);
    return this.#context.state === "running";
  }

  pause() {
    this.playing = false;
    this.#order("pause");
    this.#changed();
  }

  seek(seconds) {
    this.at = Math.max(0, Math.min(seconds, this.#song.seconds));
    this.#seeks += 1;
    this.#order("seek", { to: this.#tape ? this.#frame(this.at) : 0, number: this.#seeks });
    this.#pump();
    this.#changed();
  }

  /** Loop between two times in seconds, or stop looping. */
  setLoop(loop) {
    this.#loop = loop;
    if (this.#tape)
      this.#order("loop", loop ? { from: this.#frame(loop.from), to: this.#frame(loop.to) } : { from: null });
    this.#pump();
  }

  setGains(gains) {
    this.gains = gains;
    this.#order("gains", { gains });
  }

  /** Change speed and key; the first change fetches the time stretcher. */
  async setPace(pace) {
    this.pace = pace;
    if (!this.#tape) return;
    if (this.#isChanged()) {
      this.#stretcher ??= this.#fetchStretcher();
      try {
        await this.#stretcher;
      } catch (error) {
        this.#stretcher = null; // the next change tries again
        throw error;
      }
    }
    if (this.pace === pace) this.#order("tempo", pace);
  }

  async #fetchStretcher() {
    const answer = await fetch(this.#song.stretch);
    if (!answer.ok) throw new Error(`the time stretcher: ${answer.status}`);
    const bytes = await answer.arrayBuffer();
    this.#order("stretch", { bytes }, [bytes]);
  }

  #hear({ at, seeks, playing, starved, done }) {
    if (done) {
      discard(done);
      return;
    }
    // A report from before the last seek would undo it, and a quick second press would start there.
    if (seeks === this.#seeks) this.at = Math.min(at / this.rate, this.#song.seconds);
    this.starved = starved;
    if (this.playing && !playing && at >= this.#frame(this.#song.seconds)) this.playing = false;
    this.#pump();
    this.#changed();
  }

  #watchContext() {
    if (this.#context.state === "running" || !this.playing) return;
    // A call or another app has taken the audio output.
    this.pause();
    this.#say("paused");
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }

  #say(status) {
    if (this.status === status) return;
    this.status = status;
    this.dispatchEvent(new Event("status"));
  }

  // Packs

  #wanted() {
    const { chunk, packs: count } = this.#song;
    const { ahead, behind } = this.#profile;
    const found = wanted({ at: this.at, chunk, count, ahead, behind, loop: this.#loop });
    const isIdle = !this.playing && !this.#context?.currentTime;
    return isIdle ? found.slice(0, FIRST) : found;
  }

  /** Drop packs that are not wanted, and fetch missing packs, most urgent first. */
  #pump() {
    if (!this.#tape) return;
    const needed = this.#wanted();
    const isNeeded = new Set(needed);
    for (const n of this.#loaded) if (!isNeeded.has(n)) this.#drop(n);
    for (const [n, fetching] of this.#underway) if (!isNeeded.has(n)) fetching.abort();
    if (this.#over || this.#retry) return;
    const missing = needed.filter((n) => !this.#loaded.has(n));
    // The next pack is fetched alone, because a second download would slow it down.
    const atOnce = missing[0] === needed[0] || missing[0] === needed[1] ? 1 : 2;
    const urgent = missing.slice(0, atOnce);
    if (missing.length && !this.#underway.has(missing[0]) && this.#underway.size >= atOnce) {
      for (const [n, fetching] of this.#underway) if (!urgent.includes(n)) fetching.abort();
    }
    for (const n of urgent) if (!this.#underway.has(n)) this.#load(n);
  }

  #drop(n) {
    this.#loaded.delete(n);
    this.#order("drop", { n });
  }

  async #load(n) {
    const fetching = new AbortController();
    this.#underway.set(n, fetching);
    try {
      const pack = this.#kept.get(n) ?? (await this.#fetch(n, fetching.signal));
      if (!pack) return;
      this.#keep(n, pack);
      const sounds = await this.#decoded(pack);
      const buffers = sounds.flatMap((sound) => sound?.map(({ buffer }) => buffer) ?? []);
      if (fetching.signal.aborted) {
        discard(buffers);
        return;
      }
      this.#loaded.add(n);
      this.#order("put", { n, sounds }, buffers);
    } catch (error) {
      if (error.name !== "AbortError") this.#wait(RETRIES_S[Math.min(this.#failures++, 3)], "offline");
    } finally {
      if (this.#underway.get(n) === fetching) this.#underway.delete(n);
      this.#pump();
    }
  }

  /** Return a pack, or null if it is not made yet or was deleted. */
  async #fetch(n, signal) {
    const answer = await fetch(new URL(`${n}.${this.#codec}`, document.baseURI), { signal, cache: "no-store" });
    if (answer.ok) {
      const pack = await answer.arrayBuffer();
      this.#failures = 0;
      this.#say(null);
      return pack;
    }
    if (answer.status === 410 || answer.status === 404) {
      this.#over = true;
      this.#say("gone");
      this.dispatchEvent(new Event("over"));
    } else {
      const pause = Number(answer.headers.get("Retry-After")) || 1;
      const isPreparing = answer.status === 503 && pause <= FAILED_AFTER_S;
      this.#wait(pause, isPreparing ? "preparing" : answer.status === 503 ? "failed" : this.status);
    }
    return null;
  }

  #wait(seconds, status) {
    if (this.#over) return;
    this.#say(status);
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#again(), seconds * 1000);
  }

  #again() {
    clearTimeout(this.#retry);
    this.#retry = null;
    this.#pump();
  }

  /** Cache a pack while there is room, so that seeking back needs no network. */
  #keep(n, pack) {
    this.#kept.delete(n);
    this.#kept.set(n, pack);
    let size = [...this.#kept.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
    for (const [oldest, buffer] of this.#kept) {
      if (size <= this.#profile.kept || oldest === n) break;
      this.#kept.delete(oldest);
      size -= buffer.byteLength;
      discard([buffer]);
    }
  }

  #decoded(pack) {
    return Promise.all(payloads(pack).map((payload, stem) => payload && this.#decodedStem(payload, stem)));
  }

  async #decodedStem(payload, stem) {
    try {
      const sound = await this.#context.decodeAudioData(payload);
      // Transferred to the tape, because copies would stay here until a garbage collection.
      return [0, 1].map((channel) => sound.getChannelData(channel));
    } catch {
      this.dispatchEvent(new CustomEvent("damaged", { detail: stem }));
      return null;
    }
  }
}
