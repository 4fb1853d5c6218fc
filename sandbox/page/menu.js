/** A message's menu: the bot's message commands under Apps, and the page's own actions. */

import { el } from "./dom.js";

const EDGE_PX = 8;

function item({ label, lead, onPick, isDanger }, close) {
  const pick = () => {
    close();
    onPick();
  };
  return el(
    "button",
    { type: "button", role: "menuitem", class: isDanger ? "menu-item danger" : "menu-item", onclick: pick },
    lead,
    label,
  );
}

function place(menu, { left, bottom, right }) {
  const { width, height } = menu.getBoundingClientRect();
  const x = Math.min(right ? right - width : left, innerWidth - width - EDGE_PX);
  const y = Math.min(bottom, innerHeight - height - EDGE_PX);
  menu.style.left = `${Math.max(x, EDGE_PX)}px`;
  menu.style.top = `${Math.max(y, EDGE_PX)}px`;
}

function moveFocus(menu, by) {
  const items = [...menu.querySelectorAll("[role=menuitem]")];
  const at = items.indexOf(document.activeElement);
  items[(at + by + items.length) % items.length]?.focus();
}

/** `groups`: `{ title?, items: [{ label, lead?, onPick, isDanger? }] }`, shown in this order. */
export function showMenu({ groups, at, label }) {
  const before = document.activeElement;
  const menu = el("div", { class: "menu", role: "menu", "aria-label": label, popover: "auto" });
  const close = () => menu.hidePopover();
  for (const { title, items } of groups.filter(({ items }) => items.length))
    menu.append(
      el(
        "div",
        { class: "menu-group", role: "group", "aria-label": title },
        title && el("div", { class: "menu-title" }, title),
        items.map((each) => item(each, close)),
      ),
    );
  menu.addEventListener("keydown", (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    moveFocus(menu, by);
  });
  menu.addEventListener("toggle", ({ newState }) => {
    if (newState !== "closed") return;
    menu.remove();
    before?.focus?.();
  });
  document.body.append(menu);
  menu.showPopover();
  place(menu, at);
  moveFocus(menu, 1);
}
