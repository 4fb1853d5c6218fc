/** A stem's waveform, drawn dim and bright; the bright one is clipped at the position. */

import { el } from "./dom.js";

const BAR = 3;
const PITCH = 4;
const LOWEST = 0.03;

const levels = (base64) => Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));

/** Return `count` heights from 0 to 1, each the maximum of its slice. */
export function bars(peaks, count) {
  return Array.from({ length: count }, (_, i) => {
    const from = Math.floor((i * peaks.length) / count);
    const to = Math.max(from + 1, Math.floor(((i + 1) * peaks.length) / count));
    return Math.max(...peaks.subarray(from, to)) / 255;
  });
}

function draw(canvas, peaks, colour) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const scale = window.devicePixelRatio || 1;
  if (!width || !height) return;
  canvas.width = width * scale;
  canvas.height = height * scale;
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  context.fillStyle = colour;
  bars(peaks, Math.max(1, Math.floor(width / PITCH))).forEach((level, i) => {
    const half = Math.max(LOWEST, level) * (height / 2 - 2);
    context.beginPath();
    context.roundRect(i * PITCH, height / 2 - half, BAR, 2 * half, BAR / 2);
    context.fill();
  });
}

/**
 * Return the waveform's element, and the function that shows the played share, from 0 to 1.
 *
 * Only the two moving elements are styled, because an inherited property would make the browser
 * recompute every style of the page twenty times a second.
 */
export function wave({ peaks, colour }, onseek) {
  const found = levels(peaks);
  const dim = el("canvas", { class: "dim" });
  const bright = el("canvas", { class: "bright" });
  const head = el("i", { class: "head" });
  const box = el("div", { class: "wave", "aria-hidden": "true" }, dim, bright, head);
  new ResizeObserver(() => [dim, bright].forEach((canvas) => draw(canvas, found, colour))).observe(box);
  const seek = ({ clientX }) => {
    const { left, width } = box.getBoundingClientRect();
    onseek(Math.max(0, Math.min(1, (clientX - left) / width)));
  };
  box.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    box.setPointerCapture(event.pointerId);
    seek(event);
  });
  box.addEventListener("pointermove", (event) => {
    if (box.hasPointerCapture(event.pointerId)) seek(event);
  });
  let shown = "";
  const show = (share) => {
    const at = `${(100 * share).toFixed(2)}%`;
    if (at === shown) return;
    shown = at;
    head.style.left = at;
    bright.style.clipPath = `inset(0 calc(100% - ${at}) 0 0)`;
  };
  show(0);
  return { box, show };
}
