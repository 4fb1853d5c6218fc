/** Renders a message's buttons and selects. The caller handles their use. */

import { el, icon } from "./dom.js";
import { Listbox } from "./picker.js";

const ROW = 1;
const BUTTON = 2;
const SELECTS = { 3: "options", 5: "users", 6: "roles", 7: "users", 8: "channels" };
const STYLES = { 1: "primary", 2: "secondary", 3: "success", 4: "danger", 5: "link" };
const LINK = 5;
const LIST_PX = 300;

const emojiNode = (emoji) =>
  emoji && el("span", { class: "emoji" }, emoji.id ? `:${emoji.name}:` : emoji.name);

function buttonNode(component, { onPress }) {
  const { style, label, emoji, disabled, url } = component;
  const inside = [emojiNode(emoji), label && el("span", {}, label)];
  const look = `button ${STYLES[style] ?? "secondary"}`;
  if (style === LINK && /^https?:\/\//.test(url ?? ""))
    return el(
      "a",
      { class: look, href: url, target: "_blank", rel: "noopener noreferrer nofollow" },
      inside,
      icon("external", 16),
    );
  const node = el(
    "button",
    { type: "button", class: look, disabled, "aria-label": label ?? emoji?.name },
    inside,
  );
  node.addEventListener("click", () => onPress(component.custom_id, undefined, node));
  return node;
}

/** A select's choices: its own options, or users and channels of the server. */
function choices(component, world) {
  const kind = SELECTS[component.type];
  if (kind === "users") return world.users.map(({ id, name }) => ({ label: name, value: id }));
  if (kind === "channels")
    return world.channels
      .filter((c) => c.kind === "text")
      .map(({ id, name }) => ({ label: `#${name}`, value: id }));
  return (component.options ?? []).map((option) => ({ ...option, detail: option.description }));
}

function chosenLabel(items, picked, placeholder) {
  const labels = items.filter(({ value }) => picked.has(value)).map(({ label }) => label);
  return labels.length ? labels.join(", ") : placeholder;
}

const ignore = () => {};
const GAP_PX = 4;
const EDGE_PX = 8;

/** Place a dialog's list over it, on the side with more room: inside, it would be cut off. */
function float(popover, anchor) {
  const { left, top, bottom, width } = anchor.getBoundingClientRect();
  const below = innerHeight - bottom - GAP_PX - EDGE_PX;
  const above = top - GAP_PX - EDGE_PX;
  const isBelow = below >= Math.min(popover.scrollHeight, LIST_PX) || below >= above;
  Object.assign(popover.style, {
    position: "fixed",
    left: `${left}px`,
    right: "auto",
    width: `${width}px`,
    maxHeight: `${Math.min(isBelow ? below : above, LIST_PX)}px`,
    top: isBelow ? `${bottom + GAP_PX}px` : "auto",
    bottom: isBelow ? "auto" : `${innerHeight - top + GAP_PX}px`,
  });
}

/**
 * `onPress` gets a finished choice, `onChange` every step towards it; `naming` holds ARIA
 * attributes, if something other than the placeholder names the select.
 */
export function selectNode(component, { onPress = ignore, onChange = ignore, world, naming }) {
  const items = choices(component, world);
  const picked = new Set(items.filter((item) => item.default).map(({ value }) => value));
  const most = component.max_values ?? 1;
  const placeholder = component.placeholder ?? "Make a selection";
  const text = el(
    "span",
    { class: picked.size ? "" : "placeholder" },
    chosenLabel(items, picked, placeholder),
  );
  const button = el(
    "button",
    {
      type: "button",
      class: "select",
      role: "combobox",
      disabled: component.disabled,
      "aria-haspopup": "listbox",
      "aria-expanded": "false",
      ...(naming ?? { "aria-label": placeholder }),
    },
    text,
    icon("down", 18),
  );
  const popover = el("div", { class: "popover below", hidden: true });
  const wrap = el("div", { class: "select-wrap" }, button, popover);
  const listbox = new Listbox({ root: popover, label: placeholder });

  const close = () => {
    listbox.hide();
    if (most > 1 && picked.size >= (component.min_values ?? 1))
      onPress(component.custom_id, [...picked], button);
  };
  const pick = ({ value }) => {
    const isDropped = picked.has(value) && (most > 1 || (naming && component.required === false));
    if (most === 1) picked.clear();
    if (isDropped) picked.delete(value);
    else if (picked.size < most) picked.add(value);
    text.textContent = chosenLabel(items, picked, placeholder);
    text.classList.toggle("placeholder", !picked.size);
    onChange([...picked]);
    if (most > 1) return show();
    listbox.hide();
    onPress(component.custom_id, [...picked], button);
  };
  const follow = () => listbox.isOpen && float(popover, button);
  const show = () => {
    popover.classList.remove("above");
    popover.removeAttribute("style");
    listbox.show({
      items: items.map((item) => ({ ...item, checked: picked.has(item.value) })),
      anchor: button,
      onPick: pick,
    });
    const dialog = button.closest("dialog");
    if (dialog) {
      // Adding the same listener again has no effect.
      dialog.addEventListener("scroll", follow, true);
      return follow();
    }
    const room = button.closest(".timeline")?.getBoundingClientRect().bottom ?? innerHeight;
    popover.classList.toggle("above", popover.getBoundingClientRect().bottom > room);
  };

  button.addEventListener("click", () => (listbox.isOpen ? close() : show()));
  button.addEventListener("keydown", (event) => {
    if (listbox.isOpen && listbox.handleKey(event)) event.preventDefault();
    else if (event.key === "ArrowDown") show();
  });
  button.addEventListener("blur", () => listbox.isOpen && close());
  return wrap;
}

export function componentRows(rows, use) {
  return rows
    .filter(({ type }) => type === ROW)
    .map(({ components }) =>
      el(
        "div",
        { class: "row" },
        components.map((component) => componentNode(component, use)),
      ),
    );
}

function componentNode(component, use) {
  if (component.type === BUTTON) return buttonNode(component, use);
  return component.type in SELECTS ? selectNode(component, use) : null;
}
