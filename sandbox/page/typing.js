/** The list of typing users below the composer. */

import { el } from "./dom.js";

export function typingLine(state) {
  const line = el("div", { class: "typing", "aria-live": "polite" });
  const draw = () => {
    const names = state.typers();
    const dots = el("span", { class: "dots", "aria-hidden": "true" }, el("i"), el("i"), el("i"));
    const text = [el("strong", {}, names.join(", ")), names.length > 1 ? " are typing…" : " is typing…"];
    line.replaceChildren(...(names.length ? [dots, ...text] : []));
  };
  state.on("typing", draw);
  state.on("opened", draw);
  return line;
}
