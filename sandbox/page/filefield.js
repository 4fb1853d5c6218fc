/** The field of an attachment option, and the frame shared by all fields. */

import { el } from "./dom.js";
import { Upload, fileChooser } from "./uploads.js";

/** `file_types` holds kinds (`audio`) or extensions (`mp3`), as in Discord's API. */
const acceptOf = ({ file_types: types = [] }) =>
  types
    .map((type) => (["audio", "video", "image"].includes(type) ? `${type}/*` : `.${type.replace(/^\./, "")}`))
    .join(",") || null;

export function frame(option, inside) {
  const name = el(
    "span",
    { class: "field-label" },
    option.label,
    option.required && el("span", { class: "required", "aria-hidden": "true" }, "*"),
  );
  return el("div", { class: "option-field", data: { option: option.name } }, name, inside);
}

/** Rendered twice: as a pill in the bar, and above it as a card that accepts files. */
export class FileField {
  #upload = null;

  constructor({ option, onChanged }) {
    this.option = option;
    this.onChanged = onChanged;
    this.chooser = fileChooser({
      label: `${option.label}: ${option.description}`,
      accept: acceptOf(option),
      onFiles: ([file]) => this.take(file),
    });
    this.pill = el("button", { type: "button", class: "option-file", onclick: () => this.chooser.pick() });
    this.node = frame(option, this.pill);
    this.card = el("div", { class: "file-slot" });
    this.#draw();
  }

  focus() {
    this.pill.focus();
  }

  get isEmpty() {
    return !this.#upload;
  }

  take(file) {
    this.#upload = new Upload({ file, onRemove: () => this.clear() });
    this.#draw();
    this.onChanged(this);
  }

  problem() {
    if (this.#upload) return this.#upload.error;
    return this.option.required ? "This option is required. Choose a file." : null;
  }

  async finished() {
    await this.#upload?.finished;
  }

  value() {
    return { upload: this.#upload.id };
  }

  clear() {
    this.#upload = null;
    this.#draw();
    this.focus();
  }

  #draw() {
    this.pill.textContent = this.#upload?.file.name ?? "choose a file";
    const drop = el(
      "button",
      { type: "button", class: "drop-card", tabindex: "-1", onclick: () => this.chooser.pick() },
      el("strong", {}, this.option.description),
      "Drag and drop or click to upload",
    );
    this.card.replaceChildren(this.chooser.input, this.#upload ? this.#upload.node : drop);
  }
}
