/** Connects the song's manifest, the engine and the controls. */

import { button, capitalised, el, icon, said } from "./dom.js";
import { Engine, isPossible } from "./engine.js";
import { follow } from "./keyboard.js";
import { downloads, lane } from "./lanes.js";
import { memory } from "./memory.js";
import { changed, fresh, gainsOf, isFresh, restored } from "./mix.js";
import { loopOf } from "./times.js";
import { KEYS, SPEEDS, loops, player, position, stepper } from "./transport.js";

const WAITING_MS = 350; // shorter waits show no message
const SHOW_MS = 100; // every visible change makes the browser compute styles
const page = document.getElementById("page");
const statusLine = document.getElementById("status");

const say = (text) => {
  if (statusLine.textContent !== text) statusLine.textContent = text;
};

/** Fetch the manifest, with the pauses that the server asks for. */
async function manifest() {
  for (;;) {
    const answer = await fetch(new URL("song.json", document.baseURI), { cache: "no-store" });
    if (answer.status !== 503 && answer.status !== 429) return { status: answer.status, song: await answer.json() };
    const pause = Number(answer.headers.get("Retry-After")) || 1;
    await new Promise((resolve) => setTimeout(resolve, pause * 1000));
  }
}

function farewell({ lang, gone }) {
  document.documentElement.lang = lang;
  page.replaceChildren(el("p", { class: "notice" }, gone));
  page.removeAttribute("aria-busy");
}

function heading(song, tools) {
  const ends = new Date(song.ends).toLocaleString(song.lang, { dateStyle: "medium", timeStyle: "short" });
  return el("header", {},
    el("div", { class: "song" },
      el("h1", {}, song.title),
      el("p", { class: "artist" }, song.artist ?? ""),
      el("p", { class: "artist" }, song.heard),
    ),
    el("div", { class: "tools" }, el("span", { class: "ends" }, said(song.words.ends, { time: ends })), ...tools),
  );
}

/** An open song: its settings and the controls that show them. */
class Mixer {
  constructor(song) {
    this.song = song;
    this.engine = new Engine(song);
    this.memory = memory(location.pathname);
    const kept = this.memory.read();
    this.mix = restored(kept?.mix, song.stems.length);
    this.loop = { from: kept?.loop?.from ?? null, to: kept?.loop?.to ?? null };
    this.pace = { rate: 1, semitones: 0 };
    this.damaged = new Set();
    this.waitingSince = null;
    this.shown = {};
  }

  build() {
    const { song } = this;
    const { words } = song;
    const on = {
      mute: (i) => this.setMix(changed(this.mix, i, { muted: !this.mix[i].muted })),
      solo: (i) => this.setMix(changed(this.mix, i, { solo: !this.mix[i].solo })),
      level: (i, level) => this.setMix(changed(this.mix, i, { level })),
      seek: (share) => this.engine.seek(share * song.seconds),
    };
    this.lanes = song.stems.map((stem, i) => lane(stem, i, { song, on }));
    this.player = player(song, { toggle: () => this.toggle(), move: (seconds) => this.move(seconds) });
    this.position = position(song, { seek: (at) => this.engine.seek(at) });
    this.loops = loops(song, {
      setLoop: (end, time) => this.setLoop({ ...this.loop, [end]: time }),
      markLoop: (end) => this.setLoop({ ...this.loop, [end]: this.engine.at }),
      clearLoop: () => this.setLoop({ from: null, to: null }),
    });
    this.reset = button(words.reset, { class: "plain reset", onclick: () => this.setMix(fresh(song.stems.length)) },
      capitalised(words.reset, song.lang));
    this.note = el("p", { class: "note", id: "note" });
    this.transport = el("fieldset", { class: "transport" },
      this.player.box, this.loops.box, ...this.steppers().map(({ box }) => box), this.note);
    const lanes = el("fieldset", { class: "stems" }, this.position.slider,
      el("div", { class: "lanes" }, ...this.lanes.map(({ row }) => row)));
    const hint = el("p", { class: "keys" }, words.keys);
    page.replaceChildren(heading(song, [this.reset, downloads(song)].filter(Boolean)), lanes, hint, this.transport);
    page.removeAttribute("aria-busy");
    this.controls = [lanes, this.transport];
  }

  steppers() {
    const { words, lang, stretch } = this.song;
    const speed = stepper(
      { name: words.speed, less: words.slower, more: words.faster, original: words.original, lang }, SPEEDS,
      { format: (value) => `${value} %`, change: (value) => this.setPace({ rate: value / 100 }) },
    );
    const key = stepper(
      { name: words.key, less: words.lower, more: words.higher, original: words.original, lang }, KEYS,
      { format: (value) => (value > 0 ? `+${value}` : `${value}`).replace("-", "−"),
        change: (value) => this.setPace({ semitones: value }) },
    );
    if (!stretch) {
      this.note.textContent = words.noStretch;
      for (const each of [speed, key]) each.disable(this.note);
    }
    return [speed, key];
  }

  async open() {
    const { engine, song } = this;
    this.showPosition();
    this.showLoop();
    this.showMix();
    if (!isPossible()) {
      this.close(window.isSecureContext ? song.words.unsupported : song.words.insecure);
      return;
    }
    engine.setGains(gainsOf(this.mix));
    engine.setLoop(loopOf(this.loop, song.seconds));
    engine.addEventListener("change", () => this.showSometimes());
    engine.addEventListener("status", () => this.tell());
    engine.addEventListener("over", () => this.disable());
    engine.addEventListener("damaged", ({ detail }) => this.complain(detail));
    follow(document, {
      toggle: () => this.toggle(),
      move: (seconds) => this.move(seconds),
      loop: () => this.stepLoop(),
      mute: (i) => this.lanes[i] && this.setMix(changed(this.mix, i, { muted: !this.mix[i].muted })),
      solo: (i) => this.lanes[i] && this.setMix(changed(this.mix, i, { solo: !this.mix[i].solo })),
      focused: () => this.lanes.findIndex(({ row }) => row.contains(document.activeElement)),
    });
    try {
      await engine.open();
    } catch {
      this.close(song.words.unsupported);
    }
  }

  toggle() {
    if (this.engine.playing) this.engine.pause();
    else this.engine.play();
  }

  move(seconds) {
    this.engine.seek(this.engine.at + seconds);
  }

  /** Set A, then B, then clear both. */
  stepLoop() {
    const { at } = this.engine;
    if (this.loop.from === null) this.setLoop({ from: at, to: null });
    else if (this.loop.to === null) this.setLoop({ ...this.loop, to: at });
    else this.setLoop({ from: null, to: null });
  }

  setLoop(ends) {
    this.loop = ends;
    this.engine.setLoop(loopOf(ends, this.song.seconds));
    this.keep();
    this.showLoop();
  }

  setMix(mix) {
    this.mix = mix;
    this.engine.setGains(gainsOf(mix));
    this.keep();
    this.showMix();
  }

  async setPace(change) {
    this.pace = { ...this.pace, ...change };
    const { stems, words } = this.song;
    const mixed = this.pace.semitones ? stems.find(({ drums }) => drums) : null;
    this.note.textContent = mixed ? said(words.drumsToo, { stem: mixed.label }) : "";
    try {
      await this.engine.setPace(this.pace);
    } catch {
      this.note.textContent = words.noStretch;
    }
  }

  keep() {
    this.memory.write({ mix: this.mix, loop: this.loop });
  }

  #share(seconds) {
    return `${(100 * seconds) / this.song.seconds}%`;
  }

  /** Show the position ten times a second, and state changes and seeks at once. */
  showSometimes() {
    const { at, playing, starved } = this.engine;
    const { shown } = this;
    const isSteady = shown.playing === playing && shown.starved === starved && Math.abs(at - shown.at) < 0.5;
    if (!isSteady || performance.now() - shown.when >= SHOW_MS) this.showPosition();
  }

  showPosition() {
    const { at, playing, starved } = this.engine;
    this.shown = { at, playing, starved, when: performance.now() };
    for (const { showHeard } of this.lanes) showHeard(at / this.song.seconds);
    this.position.show(at);
    this.player.show({ at, playing, waiting: this.isWaiting() });
    this.tell();
  }

  showLoop() {
    const { from, to } = this.loop;
    const loop = loopOf(this.loop, this.song.seconds);
    page.classList.toggle("looping", Boolean(loop));
    page.classList.toggle("marked", from !== null || to !== null);
    page.style.setProperty("--from", this.#share(loop?.from ?? from ?? to ?? 0));
    page.style.setProperty("--to", this.#share(loop?.to ?? from ?? to ?? 0));
    this.loops.show(this.loop);
  }

  showMix() {
    for (const { show } of this.lanes) show(this.mix);
    this.reset.disabled = isFresh(this.mix);
  }

  isWaiting() {
    const { playing, starved } = this.engine;
    if (!playing || !starved) this.waitingSince = null;
    else this.waitingSince ??= performance.now();
    return this.waitingSince !== null;
  }

  tell() {
    const { words } = this.song;
    const { status } = this.engine;
    if (this.closed) return;
    const isLate = this.waitingSince !== null && performance.now() - this.waitingSince > WAITING_MS;
    if (status) say(words[status]);
    else if (isLate) say(words.loading);
    else if (this.waitingSince === null) say(this.complaint ?? "");
    if (this.waitingSince !== null && !isLate) setTimeout(() => this.tell(), WAITING_MS);
  }

  complain(stem) {
    if (this.damaged.has(stem)) return;
    this.damaged.add(stem);
    this.complaint = said(this.song.words.damaged, { stem: this.song.stems[stem].label });
    this.tell();
  }

  disable() {
    for (const each of this.controls) each.disabled = true;
    this.reset.disabled = true;
    page.classList.add("over");
    page.querySelector(".downloads")?.remove();
  }

  close(sentence) {
    this.closed = true;
    for (const each of this.controls) each.disabled = true;
    say(sentence);
  }
}

async function open() {
  const { status, song } = await manifest();
  if (status === 410) {
    farewell(song);
    return;
  }
  document.documentElement.lang = song.lang;
  document.title = song.artist ? `${song.title} · ${song.artist}` : song.title;
  const mixer = new Mixer(song);
  mixer.build();
  await mixer.open();
}

/** Show a retry button without words, because the manifest has the translated sentences. */
function retry() {
  page.removeAttribute("aria-busy");
  statusLine.replaceChildren(button("↻", { class: "round", onclick: () => location.reload() }, icon("loop")));
}

open().catch(retry);
