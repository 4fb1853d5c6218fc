/** Dialogs: the bot's forms, and an enlarged image. */

import { Refused, api, refusal } from "./api.js";
import { selectNode } from "./components.js";
import { el, icon } from "./dom.js";
import { markdown } from "./markdown.js";
import { Upload, fileChooser } from "./uploads.js";

const KIND = { ROW: 1, SELECT: 3, TEXT_INPUT: 4, TEXT_DISPLAY: 10, LABEL: 18, FILE_UPLOAD: 19 };
const PARAGRAPH = 2;

function dialog(className, label, ...children) {
  const node = el("dialog", { class: className, "aria-label": label }, children);
  node.addEventListener("close", () => node.remove());
  node.addEventListener("click", (event) => event.target === node && node.close());
  document.body.append(node);
  node.showModal();
  return node;
}

export function showPicture(url, alt) {
  const node = dialog("lightbox", alt || "Picture", el("img", { src: url, alt }));
  node.addEventListener("click", () => node.close());
}

function textInput(component) {
  const isLong = component.style === PARAGRAPH;
  const input = el(isLong ? "textarea" : "input", {
    type: isLong ? null : "text",
    rows: isLong ? 4 : null,
    placeholder: component.placeholder,
    minlength: component.min_length,
    maxlength: component.max_length ?? 4000,
    required: component.required ?? true,
  });
  input.value = component.value ?? "";
  return { node: input, value: () => input.value };
}

function fileUpload({ custom_id: id, required = true }) {
  let upload = null;
  const tray = el("div", { class: "tray" });
  const put = (next) => {
    upload = next;
    tray.replaceChildren(...(next ? [next.node] : []));
  };
  const chooser = fileChooser({
    label: id,
    onFiles: ([file]) => put(new Upload({ file, onRemove: () => put(null) })),
  });
  const pick = el(
    "button",
    { type: "button", class: "button secondary", onclick: chooser.pick },
    icon("upload", 18),
    "Choose a file",
  );
  return {
    node: el("div", { class: "modal-files" }, chooser.input, pick, tray),
    async value() {
      await upload?.finished;
      if (upload?.error) throw new Refused(upload.error);
      if (required && !upload) throw new Refused("A file is required.");
      return upload ? { upload: upload.id } : undefined;
    },
  };
}

function selectInput(component, world) {
  let chosen = (component.options ?? []).filter((option) => option.default).map(({ value }) => value);
  const onPress = (_, values) => (chosen = values);
  return {
    node: selectNode(component, { world, onPress }),
    async value() {
      if ((component.required ?? true) && !chosen.length) throw new Refused("Make a selection.");
      return chosen;
    },
  };
}

function inputFor(component, world) {
  if (component.type === KIND.TEXT_INPUT) return textInput(component);
  return component.type === KIND.FILE_UPLOAD ? fileUpload(component) : selectInput(component, world);
}

/** Normalize rows and labels to `{ label, description, component }`. */
function questions(components) {
  return components.flatMap((outer) => {
    if (outer.type === KIND.TEXT_DISPLAY) return [{ text: outer.content }];
    if (outer.type === KIND.LABEL)
      return [{ label: outer.label, description: outer.description, component: outer.component }];
    return (outer.components ?? []).map((component) => ({ label: component.label, component }));
  });
}

function questionNode({ text, label, description, component }, fields, world) {
  if (text) return el("div", { class: "content" }, markdown(text));
  const field = inputFor(component, world);
  fields.set(component.custom_id, field);
  const isRequired = component.required ?? true;
  return el(
    component.type === KIND.TEXT_INPUT ? "label" : "div",
    { class: "question" },
    el(
      "span",
      { class: "question-label" },
      label,
      isRequired && el("span", { class: "required", "aria-hidden": "true" }, "*"),
    ),
    description && el("span", { class: "question-detail" }, description),
    field.node,
  );
}

async function answers(fields) {
  const pairs = [...fields].map(async ([id, field]) => [id, await field.value()]);
  return Object.fromEntries(await Promise.all(pairs));
}

/** Show the bot's form until it is submitted or closed. */
export function showModal({ modal_id: id, title, components }, state) {
  const fields = new Map();
  const problem = el("div", { class: "problem", role: "alert", hidden: true });
  const submit = el("button", { type: "submit", class: "button primary" }, "Submit");
  const close = el(
    "button",
    { type: "button", class: "button secondary", onclick: () => node.close() },
    "Cancel",
  );
  const form = el(
    "form",
    { method: "dialog" },
    el("h2", {}, title),
    questions(components).map((question) => questionNode(question, fields, state.world)),
    problem,
    el("div", { class: "modal-actions" }, close, submit),
  );
  const node = dialog("modal", title, form);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    submit.disabled = true;
    try {
      await api.answerModal({ as: state.viewer.id, modal_id: id, fields: await answers(fields) });
      node.close();
    } catch (error) {
      problem.replaceChildren(icon("alert", 16), refusal(error));
      problem.hidden = false;
    }
    submit.disabled = false;
  });
}
