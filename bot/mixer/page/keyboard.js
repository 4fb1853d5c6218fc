/** Page-wide keyboard shortcuts, except while typing and for keys that browsers use. */

import { STEP_S } from "./transport.js";

const isTyping = (target) => target.matches?.("input:not([type=range]), textarea, select, [contenteditable]");
const takesSpace = (target) => target.matches?.("button, summary, a");
// The position's own step is too small for a key.
const takesArrows = (target) => target.matches?.("input[type=range]:not(.position)");

/** Call a key's action; `focused` returns the index of the stem with the focus, or -1. */
export function follow(document, on) {
  document.addEventListener("keydown", (event) => {
    const { key, code, target, shiftKey } = event;
    if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || isTyping(target)) return;
    const done = () => event.preventDefault();
    // With Shift, digit keys give other characters on most keyboards.
    const digit = /^(?:Digit|Numpad)([1-9])$/.exec(code)?.[1];
    if (digit) {
      on[shiftKey ? "solo" : "mute"](Number(digit) - 1);
      done();
    } else if (key === " " && !takesSpace(target)) {
      on.toggle();
      done();
    } else if ((key === "ArrowLeft" || key === "ArrowRight") && !takesArrows(target)) {
      on.move(key === "ArrowLeft" ? -STEP_S : STEP_S);
      done();
    } else if (!event.repeat && key.toLowerCase() === "l") {
      on.loop();
      done();
    } else if (!event.repeat && (key === "m" || key === "s") && on.focused() >= 0) {
      on[key === "m" ? "mute" : "solo"](on.focused());
      done();
    }
  });
}
