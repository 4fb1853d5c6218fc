/** Renders a message's buttons and selects. The caller handles their use. */

import { el, icon } from "./dom.js";
import { Listbox } from "./picker.js";

const ROW = 1;
const BUTTON = 2;
const SELECTS = { 3: "options", 5: "users", 6: "roles", 7: "users", 8: "channels" };
const STYLES = { 1: "primary", 2: "secondary", 3: "success", 4: "danger", 5: "link" };
const LINK = 5;

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

export function selectNode(component, { onPress, world }) {
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
    { type: "button", class: "select", disabled: component.disabled },
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
    if (most === 1) picked.clear();
    if (!picked.delete(value) && picked.size < most) picked.add(value);
    text.textContent = chosenLabel(items, picked, placeholder);
    if (most > 1) return show();
    listbox.hide();
    onPress(component.custom_id, [value], button);
  };
  const show = () => {
    popover.classList.remove("above");
    listbox.show({
      items: items.map((item) => ({ ...item, checked: picked.has(item.value) })),
      anchor: button,
      onPick: pick,
    });
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
