/** An audio player like Discord's, with a play button, a seek bar and a volume control. */

import { el, icon } from "./dom.js";
import { duration } from "./format.js";

const slider = (label, className, max) =>
  el("input", { type: "range", class: className, "aria-label": label, min: 0, max, step: "any", value: 0 });

function fill(range) {
  const share = Number(range.value) / (Number(range.max) || 1);
  range.style.setProperty("--filled", `${Math.min(share, 1) * 100}%`);
}

export function stopOthers(audio) {
  for (const other of document.querySelectorAll("audio")) if (other !== audio) other.pause();
}

export function player({ url, name, describedBy }) {
  const audio = el("audio", { src: url, preload: "metadata" });
  const button = el(
    "button",
    { type: "button", class: "play", "aria-label": `Play ${name}` },
    icon("play", 22),
  );
  const clock = el("span", { class: "clock" }, "0:00 / 0:00");
  const seek = slider(`Seek in ${name}`, "seek", 1);
  const volume = slider("Volume", "volume", 1);
  volume.value = 1;
  [seek, volume].forEach(fill);

  const showTime = () => {
    seek.max = audio.duration || 1;
    seek.value = audio.currentTime;
    fill(seek);
    clock.textContent = `${duration(audio.currentTime)} / ${duration(audio.duration)}`;
  };
  const showButton = () => {
    button.replaceChildren(icon(audio.paused ? "play" : "pause", 22));
    button.setAttribute("aria-label", `${audio.paused ? "Play" : "Pause"} ${name}`);
  };
  const failed = () => {
    clock.textContent = "Cannot be played";
    button.disabled = true;
  };

  for (const event of ["loadedmetadata", "timeupdate", "durationchange"])
    audio.addEventListener(event, showTime);
  for (const event of ["play", "pause", "ended"]) audio.addEventListener(event, showButton);
  audio.addEventListener("play", () => stopOthers(audio));
  audio.addEventListener("error", failed);
  button.addEventListener("click", () => (audio.paused ? audio.play().catch(failed) : audio.pause()));
  seek.addEventListener("input", () => {
    audio.currentTime = Number(seek.value);
    fill(seek);
  });
  volume.addEventListener("input", () => {
    audio.volume = Number(volume.value);
    fill(volume);
  });

  const about = { role: "group", "aria-label": name, "aria-describedby": describedBy };
  return el("div", { class: "player", ...about }, audio, button, clock, seek, icon("volume", 18), volume);
}
