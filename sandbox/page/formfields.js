/**
 * The inputs of the bot's forms.
 * Each has `node`, `control` (the focusable element), `value()`, `problem()` (a sentence or null)
 * and `isGroup` where it consists of several inputs.
 */

import { selectNode } from "./components.js";
import { el, icon } from "./dom.js";
import { Tray, fileChooser, takeFiles } from "./uploads.js";

export const KIND = {
  TEXT_INPUT: 4,
  FILE_UPLOAD: 19,
  RADIO_GROUP: 21,
  CHECKBOX_GROUP: 22,
  CHECKBOX: 23,
};
const PARAGRAPH = 2;
const LONGEST_TEXT = 4000;

const counted = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

export const isRequired = ({ type, required }) => type !== KIND.CHECKBOX && (required ?? true);

/** Return what is wrong with the number of choices; an optional field may be empty. */
function amountProblem(component, count, most, word) {
  const least = Math.max(component.min_values ?? 1, 1);
  if (!count) return isRequired(component) ? `Choose at least ${counted(least, word)}.` : null;
  if (count < least) return `Choose at least ${counted(least, word)}.`;
  return count > most ? `Choose at most ${counted(most, word)}.` : null;
}

function textField(component, { naming }) {
  const { style, placeholder, min_length: least = 0, max_length: most = LONGEST_TEXT } = component;
  const isLong = style === PARAGRAPH;
  const control = el(isLong ? "textarea" : "input", {
    type: isLong ? null : "text",
    rows: isLong ? 4 : null,
    autocomplete: "off",
    maxlength: most,
    placeholder,
    ...naming,
  });
  control.value = component.value ?? "";
  return {
    node: control,
    control,
    value: () => control.value,
    problem() {
      const { length } = control.value;
      if (!length) return isRequired(component) ? "This field is required." : null;
      return length < least ? `Enter at least ${counted(least, "character")}.` : null;
    },
  };
}

function selectField(component, { naming, world }) {
  let chosen = (component.options ?? []).filter((option) => option.default).map(({ value }) => value);
  const node = selectNode(component, { world, naming, onChange: (values) => (chosen = values) });
  return {
    node,
    control: node.querySelector(".select"),
    value: () => chosen,
    problem: () => amountProblem(component, chosen.length, component.max_values ?? 1, "option"),
  };
}

function choice({ label, description, ...input }) {
  const box = el("input", input);
  box.checked = Boolean(input.default);
  const text = el(
    "span",
    { class: "choice-text" },
    label,
    description && el("span", { class: "choice-detail" }, description),
  );
  return { box, node: el("label", { class: "choice" }, box, text) };
}

function choices({ type, custom_id: name, options = [] }, { naming, role }) {
  const all = options.map((option) =>
    choice({ ...option, type: type === KIND.RADIO_GROUP ? "radio" : "checkbox", name }),
  );
  const node = el(
    "div",
    { class: "choices", role, ...naming },
    all.map((each) => each.node),
  );
  const chosen = () => all.map(({ box }) => box).filter(({ checked }) => checked);
  return { node, control: all[0].box, chosen: () => chosen().map(({ value }) => value), isGroup: true };
}

function radioField(component, { naming }) {
  const { chosen, ...field } = choices(component, { naming, role: "radiogroup" });
  return {
    ...field,
    value: () => chosen()[0] ?? null,
    problem: () => (chosen().length || !isRequired(component) ? null : "Choose one of these."),
  };
}

function checkboxesField(component, { naming: { "aria-required": _, ...naming } }) {
  const { chosen, ...field } = choices(component, { naming, role: "group" });
  const most = component.max_values ?? component.options.length;
  return {
    ...field,
    value: chosen,
    problem: () => amountProblem(component, chosen().length, most, "option"),
  };
}

function checkboxField(component, { naming: { "aria-required": _, ...naming }, label }) {
  const { box, node } = choice({ label, type: "checkbox", default: component.default, ...naming });
  return { node, control: box, value: () => box.checked, problem: () => null };
}

function filesField(component, { naming, label }) {
  const most = component.max_values ?? 1;
  const note = el("span", { class: "question-detail", role: "status" });
  const tray = new Tray({ most });
  const take = (files) => {
    if (most === 1) tray.clear();
    const left = files.length - tray.add(files);
    note.textContent = left > 0 ? `${counted(most, "file")} at most: ${left} left out.` : "";
  };
  const chooser = fileChooser({ label, multiple: most > 1, onFiles: take });
  const text = el("span", { id: `${naming.id}-text` }, most > 1 ? `Choose up to ${most} files` : "Choose a file");
  const { "aria-required": _, ...named } = naming;
  const names = `${naming["aria-labelledby"]} ${text.id}`;
  const control = el(
    "button",
    { type: "button", class: "drop-card", ...named, "aria-labelledby": names, onclick: chooser.pick },
    icon("upload", 22),
    text,
    el("span", { class: "drop-hint" }, "or drop them here"),
  );
  const node = el("div", { class: "form-files" }, control, chooser.input, note, tray.node);
  takeFiles(node, take);
  return {
    node,
    control,
    value: async () => (await tray.ids()).map((upload) => ({ upload })),
    problem: () => amountProblem(component, tray.uploads.length, most, "file"),
  };
}

const FIELDS = {
  [KIND.TEXT_INPUT]: textField,
  [KIND.FILE_UPLOAD]: filesField,
  [KIND.RADIO_GROUP]: radioField,
  [KIND.CHECKBOX_GROUP]: checkboxesField,
  [KIND.CHECKBOX]: checkboxField,
};

/** `naming` holds the ARIA attributes that tie the field to its label, detail and problem. */
export const formField = (component, use) => (FIELDS[component.type] ?? selectField)(component, use);
