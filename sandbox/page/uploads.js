/** Files on their way up: each is sent at once and shown as a card until it is used. */

import { api, refusal } from "./api.js";
import { el, icon } from "./dom.js";
import { fileSize } from "./format.js";

export class Upload {
  id = null;
  error = null;
  #node;
  #status;

  constructor({ file, onRemove }) {
    this.file = file;
    this.#status = el("span", { class: "file-size", role: "status" }, "Uploading…");
    const remove = el("button", { type: "button", class: "icon-button danger", "aria-label": `Remove ${file.name}`, onclick: onRemove }, icon("close", 18));
    this.#node = el(
      "div",
      { class: "upload busy" },
      el("span", { class: "file-icon" }, icon(file.type.startsWith("audio/") ? "note" : "file", 30)),
      el("div", { class: "file-text" }, el("span", { class: "file-name", title: file.name }, file.name), this.#status),
      remove,
    );
    this.finished = this.#send();
  }

  get node() {
    return this.#node;
  }

  async #send() {
    try {
      this.id = (await api.upload(this.file)).id;
      this.#status.textContent = fileSize(this.file.size);
    } catch (error) {
      this.error = refusal(error);
      this.#status.textContent = this.error;
      this.#node.classList.add("failed");
    }
    this.#node.classList.remove("busy");
  }
}

/** A hidden chooser; `pick()` opens it. Its value is cleared so that the same file can be chosen twice. */
export function fileChooser({ label, accept, multiple = false, onFiles }) {
  const input = el("input", { type: "file", class: "visually-hidden", tabindex: "-1", "aria-label": label, accept, multiple });
  input.addEventListener("change", () => {
    const files = [...input.files];
    input.value = "";
    if (files.length) onFiles(files);
  });
  return { input, pick: () => input.click() };
}

/** Files dropped on or pasted into `target`. */
export function takeFiles(target, onFiles) {
  const hasFiles = ({ dataTransfer }) => dataTransfer?.types.includes("Files");
  const mark = (isOver) => target.classList.toggle("drag-over", isOver);
  target.addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    mark(true);
  });
  target.addEventListener("dragleave", (event) => target.contains(event.relatedTarget) || mark(false));
  target.addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    mark(false);
    onFiles([...event.dataTransfer.files]);
  });
  target.addEventListener("paste", (event) => {
    const files = [...event.clipboardData.files];
    if (!files.length) return;
    event.preventDefault();
    onFiles(files);
  });
}
