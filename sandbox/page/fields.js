/** The fields of a command's options, each with its value, its error and its node. */

import { OPTION } from "./commands.js";
import { el } from "./dom.js";
import { FileField, frame } from "./filefield.js";

const AUTOCOMPLETE_DELAY_MS = 200;
const MOST_SHOWN = 25;
const NUMERIC = new Set([OPTION.INTEGER, OPTION.NUMBER]);
const TRUTH = [
  { name: "True", value: true },
  { name: "False", value: false },
];

function rangeOf({ type, min_value: min, max_value: max }) {
  return NUMERIC.has(type) && min != null && max != null ? `${min} to ${max}` : null;
}

const inputFor = (option) =>
  el("input", {
    type: "text",
    class: "option-input",
    autocomplete: "off",
    spellcheck: "false",
    // A phone's number keys have no minus.
    inputmode: NUMERIC.has(option.type) && option.min_value >= 0 ? "decimal" : null,
    placeholder: rangeOf(option),
    "aria-label": `${option.label}: ${option.description}`,
    "aria-required": String(Boolean(option.required)),
  });

/** A field that grows with its text, as Discord's do. */
function fit(input) {
  const { length } = input.value || input.placeholder;
  input.style.width = `${Math.min(Math.max(length + 1, 5), 40)}ch`;
}

class TextField {
  constructor({ option }) {
    this.option = option;
    this.input = inputFor(option);
    this.input.addEventListener("input", () => fit(this.input));
    this.node = frame(option, this.input);
    fit(this.input);
  }

  focus() {
    this.input.focus();
  }

  get isEmpty() {
    return !this.input.value.trim();
  }

  problem() {
    if (this.isEmpty) return this.option.required ? "This option is required. Specify a value." : null;
    return NUMERIC.has(this.option.type) ? this.#numberProblem() : this.#lengthProblem();
  }

  value() {
    return NUMERIC.has(this.option.type) ? Number(this.input.value) : this.input.value;
  }

  #numberProblem() {
    const { type, min_value: min = -Infinity, max_value: max = Infinity } = this.option;
    const number = Number(this.input.value);
    const isRight = type === OPTION.INTEGER ? Number.isSafeInteger(number) : Number.isFinite(number);
    if (!isRight) return type === OPTION.INTEGER ? "Enter a whole number." : "Enter a number.";
    if (number < min) return `Enter a number of at least ${min}.`;
    return number > max ? `Enter a number of at most ${max}.` : null;
  }

  #lengthProblem() {
    const { min_length: min = 0, max_length: max = 6000 } = this.option;
    const { length } = this.input.value;
    if (length < min) return `Enter at least ${min} characters.`;
    return length > max ? `Enter at most ${max} characters.` : null;
  }
}

/** A text field with a list: fixed choices, users, channels, or the bot's suggestions. */
class ListField extends TextField {
  #picked = null;
  #asked = 0;
  #timer = 0;

  constructor({ option, listbox, suggest, onPicked }) {
    super({ option });
    Object.assign(this, { listbox, suggest, onPicked });
    this.input.setAttribute("role", "combobox");
    this.input.setAttribute("aria-autocomplete", "list");
    this.input.setAttribute("aria-expanded", "false");
    this.input.addEventListener("focus", () => this.#offer(0));
    this.input.addEventListener("click", () => this.#offer(0));
    this.input.addEventListener("blur", () => this.#leave());
    this.input.addEventListener("input", () => {
      this.#picked = null;
      this.#offer(this.option.autocomplete ? AUTOCOMPLETE_DELAY_MS : 0);
    });
  }

  problem() {
    const mustPick = !this.option.autocomplete;
    if (!this.isEmpty && mustPick && !this.#picked) return "Choose one of the list.";
    return this.#picked ? null : super.problem();
  }

  value() {
    return this.#picked ? this.#picked.value : super.value();
  }

  #leave() {
    clearTimeout(this.#timer);
    this.#asked++;
    this.listbox.hide();
  }

  #offer(delayMs) {
    clearTimeout(this.#timer);
    const asked = ++this.#asked;
    const typed = this.#picked ? "" : this.input.value;
    this.#timer = setTimeout(async () => {
      const choices = await this.suggest(this.option, typed);
      if (asked === this.#asked) this.#show(choices);
    }, delayMs);
  }

  #show(choices) {
    const { label: name, description } = this.option;
    this.listbox.show({
      title: [el("strong", {}, name), " ", description],
      items: choices.slice(0, MOST_SHOWN).map((choice) => ({
        label: choice.label ?? choice.name,
        value: choice.value,
        checked: choice.value === this.#picked?.value,
      })),
      anchor: this.input,
      onPick: ({ label, value }) => this.#pick({ name: label, value }),
    });
  }

  #pick(choice) {
    this.#picked = choice;
    this.input.value = choice.name;
    fit(this.input);
    this.listbox.hide();
    this.onPicked(this);
  }
}

/** Return the page's own choices, or null if the bot provides them or free text is allowed. */
function fixedChoices({ type, choices }, world) {
  const users = () => world.users.map(({ id, name }) => ({ name, value: id }));
  if (choices?.length) return choices;
  if (type === OPTION.BOOLEAN) return TRUTH;
  if (type === OPTION.USER || type === OPTION.MENTIONABLE) return users();
  if (type !== OPTION.CHANNEL) return null;
  return world.channels
    .filter(({ kind }) => kind === "text")
    .map(({ id, name }) => ({ name: `#${name}`, value: id }));
}

const matching = (choices, typed) =>
  choices.filter(({ name, label = name }) => label.toLowerCase().includes(typed.trim().toLowerCase()));

export function fieldFor(option, { world, listbox, onPicked, onChanged, ask }) {
  if (option.type === OPTION.ATTACHMENT) return new FileField({ option, onChanged });
  const fixed = fixedChoices(option, world);
  if (!fixed && !option.autocomplete) return new TextField({ option });
  const suggest = fixed ? async (_, typed) => matching(fixed, typed) : ask;
  return new ListField({ option, listbox, suggest, onPicked });
}
