/** One list to pick from with keys or the mouse: commands, choices, values of a select. */

import { el, icon } from "./dom.js";

let lastListId = 0;

export class Listbox {
  #root;
  #list;
  #rows = [];
  #items = [];
  #active = -1;
  #anchor = null;
  #onPick = null;

  /** `root` is an empty element that this list shows and hides. */
  constructor({ root, label }) {
    this.#root = root;
    this.#list = el("div", {
      class: "listbox",
      role: "listbox",
      "aria-label": label,
      id: `list-${++lastListId}`,
    });
    // Keeps the focus in the field; otherwise a press would blur it and close the list first.
    root.addEventListener("mousedown", (event) => event.preventDefault());
  }

  get isOpen() {
    return !this.#root.hidden;
  }

  /**
   * Show `items` (`{label, detail?, lead?, side?, checked?}`); the first or the
   * checked one is active.
   * `anchor` keeps the focus and is told which item is active.
   */
  show({ items, anchor, onPick, title, empty = "No results match your search" }) {
    const checked = items.findIndex((item) => item.checked);
    const active = this.#anchor === anchor && this.isOpen ? this.#active : Math.max(checked, 0);
    this.#items = items;
    this.#onPick = onPick;
    this.#anchor = anchor;
    this.#rows = items.map((item, index) => this.#row(item, index));
    this.#list.replaceChildren(...(items.length ? this.#rows : [el("p", { class: "empty" }, empty)]));
    this.#root.replaceChildren(...(title ? [el("div", { class: "popover-title" }, title)] : []), this.#list);
    this.#root.hidden = false;
    anchor.setAttribute("aria-expanded", "true");
    anchor.setAttribute("aria-controls", this.#list.id);
    this.#activate(Math.min(active, items.length - 1));
  }

  hide() {
    this.#root.hidden = true;
    this.#root.replaceChildren();
    this.#anchor?.setAttribute("aria-expanded", "false");
    this.#anchor?.removeAttribute("aria-activedescendant");
    this.#anchor = null;
    this.#active = -1;
  }

  /** Whether the list handled the key. */
  handleKey({ key }) {
    if (!this.isOpen) return false;
    if (key === "Escape") this.hide();
    else if (key === "ArrowDown") this.#step(1);
    else if (key === "ArrowUp") this.#step(-1);
    else if (key === "Enter" && this.#active >= 0) this.#pick(this.#active);
    else return false;
    return true;
  }

  #row({ label, detail, lead, side, checked }, index) {
    return el(
      "div",
      {
        class: "option",
        role: "option",
        id: `${this.#list.id}-${index}`,
        "aria-selected": String(checked ?? false),
        onclick: () => this.#pick(index),
        onmousemove: () => this.#activate(index, false),
      },
      lead && el("span", { class: "option-lead" }, lead),
      el(
        "span",
        { class: "option-text" },
        el("span", { class: "option-label" }, label),
        detail && el("span", { class: "option-detail" }, detail),
      ),
      side && el("span", { class: "option-side" }, side),
      checked && icon("check", 18),
    );
  }

  #step(by) {
    const count = this.#items.length;
    if (count) this.#activate((this.#active + by + count) % count);
  }

  #activate(index, scroll = true) {
    this.#rows[this.#active]?.classList.remove("active");
    this.#active = index;
    const row = this.#rows[index];
    if (!row) return this.#anchor.removeAttribute("aria-activedescendant");
    row.classList.add("active");
    this.#anchor.setAttribute("aria-activedescendant", row.id);
    if (scroll) row.scrollIntoView({ block: "nearest" });
  }

  #pick(index) {
    this.#onPick(this.#items[index]);
  }
}
