/** The stems' rows: name, mute, solo, level, waveform and downloads. */

import { button, capitalised, el, fill, icon, said } from "./dom.js";
import { FULL, isHeard } from "./mix.js";
import { wave } from "./waves.js";

/** Return a row and the function that shows a mix in it; `on` has the handlers for its controls. */
export function lane(stem, index, { song, on }) {
  const { words, lang } = song;
  const name = stem.label;
  const mute = button(said(words.mute, { stem: name }), {
    class: "toggle mute", "aria-pressed": "false", "aria-keyshortcuts": `${index + 1} m`,
    onclick: () => on.mute(index),
  }, "M");
  const solo = button(said(words.solo, { stem: name }), {
    class: "toggle solo", "aria-pressed": "false", "aria-keyshortcuts": `Shift+${index + 1} s`,
    onclick: () => on.solo(index),
  }, "S");
  const level = el("input", {
    type: "range", class: "level", min: 0, max: FULL, step: 1, value: FULL, "aria-label": name, title: name,
    oninput: () => on.level(index, Number(level.value)),
  });
  const waves = wave(stem, on.seek);
  const row = el(
    "section",
    { class: "lane", "aria-label": name, "data-stem": stem.id, tabindex: "-1" },
    el("h2", { class: "name" }, el("i", { class: "dot" }), capitalised(name, lang)),
    el("div", { class: "controls" }, mute, solo, level),
    waves.box,
  );
  row.style.setProperty("--stem", stem.colour);
  const show = (mix) => {
    const { level: set, muted, solo: alone } = mix[index];
    mute.setAttribute("aria-pressed", muted);
    solo.setAttribute("aria-pressed", alone);
    row.classList.toggle("unheard", !isHeard(mix, index));
    level.value = set;
    level.setAttribute("aria-valuetext", `${set} %`);
    fill(level);
  };
  return { row, show, showHeard: waves.show };
}

/** Return a menu of the downloadable stems, or null if there are none. */
export function downloads({ stems, save, words, lang }) {
  const links = stems.flatMap((stem) =>
    (save[stem.id] ?? []).map(({ format, url }) =>
      el("a", {
        href: url, download: "", rel: "noreferrer",
        "aria-label": said(words.download, { stem: stem.label, format }),
      }, icon("save", 18), el("span", {}, capitalised(stem.label, lang)), el("b", {}, format)),
    ),
  );
  if (!links.length) return null;
  return el("details", { class: "downloads" },
    el("summary", { "aria-label": words.downloads, title: words.downloads }, icon("save", 18),
      el("span", {}, words.downloads)), el("div", { class: "menu" }, ...links));
}
