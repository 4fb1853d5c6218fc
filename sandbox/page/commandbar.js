/** Shows a chosen command with its option fields, validates it and sends it. */

import { OPTION } from "./commands.js";
import { avatar, el, icon, iconButton } from "./dom.js";
import { fieldFor } from "./fields.js";
import { suggestions, useCommand } from "./interactions.js";

export class CommandBar {
  #state;
  #listbox;
  #onClose;
  #command = null;
  #fields = [];
  #problem;
  #slots;
  #line;
  #more;

  /** `onClose` is called when the bar closes, sent or not. */
  constructor({ state, listbox, onClose }) {
    this.#state = state;
    this.#listbox = listbox;
    this.#onClose = onClose;
    this.#problem = el("div", { class: "problem", role: "alert", hidden: true });
    this.#slots = el("div", { class: "file-slots" });
    this.#line = el("div", { class: "option-line" });
    this.#more = el("div", { class: "more-options", role: "group", "aria-label": "Optional options" });
    this.node = el(
      "div",
      { class: "command", role: "form", hidden: true },
      this.#problem,
      this.#slots,
      this.#line,
    );
    this.node.addEventListener("keydown", (event) => this.#key(event));
    this.node.addEventListener("input", () => this.#forgive());
  }

  get isOpen() {
    return this.#command !== null;
  }

  open(command, files = []) {
    this.#command = command;
    this.#fields = [];
    this.#problem.hidden = true;
    this.#slots.replaceChildren();
    this.node.setAttribute("aria-label", `Command ${command.label}`);
    this.node.hidden = false;
    this.#drawLine();
    for (const option of command.options.filter(({ required }) => required)) this.#add(option);
    if (files.length) this.takeFiles(files);
    this.#focusNext();
  }

  close() {
    this.#command = null;
    this.#listbox.hide();
    this.node.hidden = true;
    this.#onClose();
  }

  /** Assign a dropped or pasted file to the first empty attachment option. */
  takeFiles([file]) {
    const slots = this.#fields.filter((field) => field.take);
    const empty = slots.find((field) => field.isEmpty) ?? slots[0];
    const unused = this.#unused().find(({ type }) => type === OPTION.ATTACHMENT);
    const field = empty ?? (unused && this.#add(unused));
    field?.take(file);
  }

  #drawLine() {
    const { bot } = this.#state.world;
    const cancel = iconButton({
      label: "Leave this command",
      inside: icon("close", 18),
      onclick: () => this.close(),
    });
    const send = iconButton({
      label: "Send command",
      className: "send",
      inside: icon("send"),
      onclick: () => this.#send(),
    });
    const name = el(
      "span",
      { class: "command-name" },
      avatar({ ...bot, bot: true }, "tiny"),
      `/${this.#command.label}`,
    );
    this.#line.replaceChildren(el("div", { class: "options" }, name, this.#more), cancel, send);
    this.#drawMore();
  }

  #unused() {
    const used = new Set(this.#fields.map(({ option }) => option));
    return this.#command.options.filter((option) => !used.has(option));
  }

  #drawMore() {
    const chip = (option) =>
      el(
        "button",
        {
          type: "button",
          class: "more-chip",
          title: option.description,
          onclick: () => this.#add(option).focus(),
        },
        icon("plus", 14),
        option.label,
      );
    this.#more.replaceChildren(...this.#unused().map(chip));
  }

  #add(option) {
    const field = fieldFor(option, {
      world: this.#state.world,
      listbox: this.#listbox,
      onPicked: () => this.#forgive(),
      onChanged: () => this.#fileChanged(),
      ask: (asked, typed) => this.#ask(asked, typed),
    });
    this.#fields.push(field);
    this.#more.before(field.node);
    if (field.card) this.#slots.append(field.card);
    this.#drawMore();
    return field;
  }

  #remove(field) {
    this.#fields = this.#fields.filter((other) => other !== field);
    field.node.remove();
    field.card?.remove();
    this.#drawMore();
    this.#focusNext();
  }

  #fileChanged() {
    this.#forgive();
    this.#focusNext();
  }

  /** Focus the next empty required field, or the end of the line, ready for Enter. */
  #focusNext() {
    const next = this.#fields.find((field) => field.option.required && field.isEmpty);
    const target = next ?? this.#fields.at(-1) ?? this.#line.querySelector(".send");
    target.focus();
  }

  #key(event) {
    const field = this.#fields.find(({ node }) => node.contains(event.target));
    const isText = event.target.matches("input");
    if (isText && this.#listbox.handleKey(event)) event.preventDefault();
    else if (event.key === "Escape") this.close();
    else if (event.key === "Enter" && (isText || field?.problem() === null)) {
      event.preventDefault();
      this.#send();
    } else if (event.key === "Backspace" && field && (!isText || !event.target.value)) this.#backspace(field);
  }

  #backspace(field) {
    if (field.clear && !field.isEmpty) field.clear();
    else if (field.option.required) this.close();
    else this.#remove(field);
  }

  async #ask(option, typed) {
    const isGiven = (field) => !field.take && !field.isEmpty && field.problem() === null;
    const options = values(this.#fields.filter((field) => field.option !== option && isGiven(field)));
    const found = await suggestions(this.#state, { command: this.#command, option, typed, options });
    if (!found) this.#complain("Loading options failed.");
    return found ?? [];
  }

  #complain(text, field) {
    this.#problem.replaceChildren(icon("alert", 16), text);
    this.#problem.hidden = false;
    this.#fields.forEach(({ node }) => node.classList.toggle("wrong", node === field?.node));
    field?.focus();
  }

  #forgive() {
    this.#problem.hidden = true;
    this.#fields.forEach(({ node }) => node.classList.remove("wrong"));
  }

  async #send() {
    const command = this.#command;
    await Promise.all(this.#fields.map((field) => field.finished?.()));
    if (command !== this.#command) return;
    const wrong = this.#fields.find((field) => field.problem() !== null);
    if (wrong) return this.#complain(`${wrong.option.label}: ${wrong.problem()}`, wrong);
    const options = values(this.#fields.filter((field) => !field.isEmpty));
    this.close();
    useCommand(this.#state, command, options);
  }
}

const values = (fields) => Object.fromEntries(fields.map((field) => [field.option.name, field.value()]));
