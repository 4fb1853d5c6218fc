/** Dialogs: the bot's forms, and an enlarged image. */

import { api, refusal } from "./api.js";
import { el, icon } from "./dom.js";
import { KIND, formField, isRequired } from "./formfields.js";
import { markdown } from "./markdown.js";

const TEXT_DISPLAY = 10;
const LABEL = 18;
let lastQuestionId = 0;

function dialog(className, label, ...children) {
  const node = el("dialog", { class: className, "aria-label": label }, children);
  let isPressedOutside = false;
  node.addEventListener("close", () => node.remove());
  // A press that starts inside and ends outside selects text; it must not close the form.
  node.addEventListener("pointerdown", ({ target }) => (isPressedOutside = target === node));
  node.addEventListener("click", ({ target }) => target === node && isPressedOutside && node.close());
  document.body.append(node);
  node.showModal();
  return node;
}

export function showPicture(url, alt) {
  const node = dialog("lightbox", alt || "Picture", el("img", { src: url, alt }));
  node.addEventListener("click", () => node.close());
}

/** Rows and labels alike become `{ label, description, component }`. */
function questions(components) {
  return components.flatMap((outer) => {
    if (outer.type === TEXT_DISPLAY) return [{ text: outer.content }];
    if (outer.type === LABEL)
      return [{ label: outer.label, description: outer.description, component: outer.component }];
    return (outer.components ?? []).map((component) => ({ label: component.label, component }));
  });
}

/** A question of a form: its label, its field and the problem with its answer. */
class Question {
  #problem;

  constructor({ label, description, component }, world) {
    const id = `question-${++lastQuestionId}`;
    this.customId = component.custom_id;
    const required = isRequired(component);
    const detail = description && el("span", { class: "question-detail", id: `${id}-detail` }, description);
    this.#problem = el("span", { class: "question-problem", id: `${id}-problem`, role: "alert", hidden: true });
    const naming = {
      id,
      "aria-labelledby": `${id}-label`,
      "aria-describedby": `${id}-detail ${id}-problem`,
      "aria-required": String(required),
    };
    this.field = formField(component, { naming, world, label });
    const name = el(
      this.field.isGroup ? "span" : "label",
      { class: "question-label", id: `${id}-label`, for: this.field.isGroup ? null : id },
      label,
      required && el("span", { class: "required", "aria-hidden": "true" }, "*"),
    );
    // A single checkbox has its label beside the box.
    name.classList.toggle("visually-hidden", component.type === KIND.CHECKBOX);
    this.node = el("div", { class: "question" }, name, detail, this.field.node, this.#problem);
    this.node.addEventListener("input", () => this.#show(null));
    this.node.addEventListener("click", () => this.#show(null));
  }

  /** Return whether the answer can be sent, and show its problem if not. */
  check() {
    const problem = this.field.problem();
    this.#show(problem);
    return problem === null;
  }

  /** Focus the question's field and scroll to the question. */
  ask() {
    this.field.control.focus();
    this.node.scrollIntoView({ block: "nearest" });
  }

  #show(problem) {
    this.#problem.textContent = problem ?? "";
    this.#problem.hidden = problem === null;
    this.node.classList.toggle("wrong", problem !== null);
    if (problem === null) this.field.control.removeAttribute("aria-invalid");
    else this.field.control.setAttribute("aria-invalid", "true");
  }
}

async function answers(asked) {
  const pairs = asked.map(async ({ customId, field }) => [customId, await field.value()]);
  return Object.fromEntries(await Promise.all(pairs));
}

/** Show the bot's form until it is submitted or closed. */
export function showModal({ modal_id: id, title, components }, state) {
  const { bot } = state.world;
  const asked = [];
  const part = (question) => {
    if (question.text) return el("div", { class: "content" }, markdown(question.text));
    asked.push(new Question(question, state.world));
    return asked.at(-1).node;
  };
  const problem = el("div", { class: "problem", role: "alert", hidden: true });
  const submit = el("button", { type: "submit", class: "button primary" }, "Submit");
  const close = el(
    "button",
    { type: "button", class: "button secondary", onclick: () => node.close() },
    "Cancel",
  );
  const form = el(
    "form",
    { method: "dialog", novalidate: true },
    el(
      "header",
      { class: "modal-head" },
      el("h2", {}, title),
      el("p", { class: "question-detail" }, `This form goes to ${bot.name}.`),
    ),
    el("div", { class: "modal-body" }, questions(components).map(part), problem),
    el("footer", { class: "modal-actions" }, close, submit),
  );
  const node = dialog("modal", title, form);
  asked[0]?.field.control.focus();
  const send = async () => {
    const wrong = asked.filter((question) => !question.check());
    problem.hidden = true;
    if (wrong.length) return wrong[0].ask();
    try {
      await api.answerModal({ as: state.viewer.id, modal_id: id, fields: await answers(asked) });
      node.close();
    } catch (error) {
      problem.replaceChildren(icon("alert", 16), refusal(error));
      problem.hidden = false;
      problem.scrollIntoView({ block: "nearest" });
    }
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    submit.disabled = true;
    await send().finally(() => (submit.disabled = false));
  });
}
