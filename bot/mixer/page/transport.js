/** The transport bar: play, position, loop, speed and key. */

import { button, capitalised, el, fill, icon, said } from "./dom.js";
import { clock, exact, typed } from "./times.js";

export const STEP_S = 5;
export const SPEEDS = { least: 50, most: 150, step: 5, plain: 100 };
export const KEYS = { least: -12, most: 12, step: 1, plain: 0 };

/** Return the position slider and the function that shows a time in it. */
export function position({ words, seconds }, on) {
  const slider = el("input", {
    type: "range", class: "position", min: 0, max: seconds, step: 0.01, value: 0, "aria-label": words.position,
    oninput: () => on.seek(Number(slider.value)),
  });
  let told = "";
  const show = (at) => {
    slider.value = at;
    fill(slider);
    const text = said(words.at, { at: clock(at), total: clock(seconds) });
    if (text !== told) slider.setAttribute("aria-valuetext", text);
    told = text;
  };
  return { slider, show };
}

/** Return the play button, the buttons beside it and the clock. */
export function player({ words, seconds }, on) {
  const play = button(words.play, { class: "play", "aria-keyshortcuts": "Space", onclick: on.toggle }, icon("play", 30));
  const now = el("span", { class: "now" }, clock(0));
  const box = el("div", { class: "player" },
    button(words.back, { class: "round", "aria-keyshortcuts": "ArrowLeft", onclick: () => on.move(-STEP_S) },
      icon("back", 24)),
    play,
    button(words.forward, { class: "round", "aria-keyshortcuts": "ArrowRight", onclick: () => on.move(STEP_S) },
      icon("forward", 24)),
    el("p", { class: "clock" }, now, el("span", { class: "total" }, clock(seconds))),
  );
  let shown = null;
  const show = ({ at, playing, waiting }) => {
    const time = clock(at);
    if (now.textContent !== time) now.textContent = time;
    play.classList.toggle("waiting", waiting);
    if (shown === playing) return;
    shown = playing;
    const label = playing ? words.pause : words.play;
    play.setAttribute("aria-label", label);
    play.title = label;
    play.replaceChildren(icon(playing ? "pause" : "play", 30));
  };
  return { box, play, show };
}

/** Return the loop's fields, whose times are typed or taken from the current position. */
export function loops({ words }, on) {
  const field = (end, label) => {
    const input = el("input", {
      type: "text", class: "time", inputmode: "decimal", size: 8, placeholder: "0:00.000", "aria-label": label,
      onchange: () => {
        const text = input.value.trim();
        const time = text ? typed(text) : null;
        input.setAttribute("aria-invalid", Boolean(text) && time === null);
        if (!text || time !== null) on.setLoop(end, time);
      },
    });
    return input;
  };
  const from = field("from", words.loopFrom);
  const to = field("to", words.loopTo);
  const clear = button(words.clearLoop, { class: "round small", onclick: on.clearLoop }, icon("close", 16));
  const box = el("div", { class: "group loop", role: "group", "aria-label": words.loop },
    button(words.setFrom, { class: "letter", "aria-keyshortcuts": "l", onclick: () => on.markLoop("from") }, "A"), from,
    button(words.setTo, { class: "letter", onclick: () => on.markLoop("to") }, "B"), to, clear);
  const show = (ends) => {
    for (const [input, time] of [[from, ends.from], [to, ends.to]]) {
      input.value = time === null ? "" : exact(time);
      input.removeAttribute("aria-invalid");
    }
    clear.disabled = ends.from === null && ends.to === null;
    box.classList.toggle("set", ends.from !== null && ends.to !== null);
  };
  return { box, show };
}

/** Return two buttons around the value, which is a button that resets it. */
export function stepper({ name, less, more, original, lang }, limits, { format, change }) {
  const { least, most, step, plain } = limits;
  let value = plain;
  const set = (wanted) => {
    value = Math.max(least, Math.min(most, wanted));
    change(value);
    show();
  };
  const lower = button(`${name}: ${less}`, { class: "round", onclick: () => set(value - step) }, icon("minus", 18));
  const higher = button(`${name}: ${more}`, { class: "round", onclick: () => set(value + step) }, icon("plus", 18));
  const shown = el("span", { class: "amount" });
  const reset = el("button", { type: "button", class: "value", title: original, onclick: () => set(plain) },
    el("span", { class: "caption" }, capitalised(name, lang)), shown);
  const show = () => {
    shown.textContent = format(value);
    reset.setAttribute("aria-label", `${name} ${format(value)}, ${original}`);
    reset.classList.toggle("changed", value !== plain);
    lower.disabled = value <= least;
    higher.disabled = value >= most;
  };
  show();
  const box = el("div", { class: "group stepper", role: "group", "aria-label": name }, lower, reset, higher);
  const disable = (reason) => {
    for (const each of [lower, reset, higher]) {
      each.disabled = true;
      each.setAttribute("aria-describedby", reason.id);
    }
  };
  return { box, disable };
}
