/** The server's sounds in the sidebar. One plays at a time, even while the list changes. */

import { mediaUrl } from "./api.js";
import { el, icon } from "./dom.js";
import { stopOthers } from "./player.js";

const audio = el("audio", { hidden: true });
document.body.append(audio);
let chosenId = null;
let shown = [];

function look({ button, sound }) {
  const isPlaying = sound.id === chosenId && !audio.paused;
  button.setAttribute("aria-label", `${isPlaying ? "Stop" : "Play"} sound ${sound.name}`);
  button.classList.toggle("playing", isPlaying);
  button.querySelector(".sound-sign").replaceChildren(icon(isPlaying ? "pause" : "play", 18));
}

const lookAtAll = () => shown.forEach(look);
for (const event of ["play", "pause", "ended", "error"]) audio.addEventListener(event, lookAtAll);

function toggle(sound) {
  if (sound.id === chosenId && !audio.paused) return audio.pause();
  chosenId = sound.id;
  audio.src = mediaUrl(sound.url);
  audio.volume = sound.volume;
  stopOthers(audio);
  audio.play().catch(lookAtAll);
}

const soundButton = (sound) =>
  el(
    "button",
    {
      type: "button",
      class: "channel sound",
      title: `${sound.name}, added by ${sound.creator}`,
      onclick: () => toggle(sound),
    },
    el("span", { class: "sound-sign" }),
    el("span", { class: "channel-name" }, sound.emoji && `${sound.emoji} `, sound.name),
  );

/** Return a list of buttons that play the sounds. */
export function soundList(sounds) {
  shown = sounds.map((sound) => ({ sound, button: soundButton(sound) }));
  lookAtAll();
  const buttons = shown.map(({ button }) => button);
  return el("div", { role: "group", "aria-label": "Soundboard" }, buttons);
}
