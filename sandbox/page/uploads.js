/** Uploads each file immediately, and shows it as a card until it is used. */

import { Refused, api, refusal } from "./api.js";
import { el, icon, iconButton } from "./dom.js";
import { fileSize } from "./format.js";

const MOST_FILES = 10;

export class Upload {
  id = null;
  error = null;
  #node;
  #status;

  constructor({ file, onRemove }) {
    this.file = file;
    this.#status = el("span", { class: "file-size", role: "status" }, "Uploading…");
    const remove = iconButton({
      label: `Remove ${file.name}`,
      className: "danger",
      inside: icon("close", 18),
      onclick: onRemove,
    });
    this.#node = el(
      "div",
      { class: "upload busy" },
      el("span", { class: "file-icon" }, icon(file.type.startsWith("audio/") ? "note" : "file", 30)),
      el(
        "div",
        { class: "file-text" },
        el("span", { class: "file-name", title: file.name }, file.name),
        this.#status,
      ),
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

/** The chosen files of a message being written, or of a form's field. */
export class Tray {
  uploads = [];
  node = el("div", { class: "tray" });
  #most;

  constructor({ most = MOST_FILES } = {}) {
    this.#most = most;
  }

  /** Add as many files as there is room for; return how many were added. */
  add(files) {
    const taken = files.slice(0, this.#most - this.uploads.length);
    for (const file of taken) {
      const upload = new Upload({ file, onRemove: () => this.#keep((other) => other !== upload) });
      this.uploads.push(upload);
    }
    this.#keep(() => true);
    return taken.length;
  }

  clear() {
    this.#keep(() => false);
  }

  /** Wait for all uploads; throw the first error. */
  async ids() {
    const uploads = [...this.uploads];
    await Promise.all(uploads.map(({ finished }) => finished));
    const failed = uploads.find(({ error }) => error);
    if (failed) throw new Refused(failed.error);
    return uploads.map(({ id }) => id);
  }

  #keep(isKept) {
    this.uploads = this.uploads.filter(isKept);
    this.node.replaceChildren(...this.uploads.map(({ node }) => node));
  }
}

/** A hidden file input, opened by `pick()`. It is cleared so a file can be chosen twice. */
export function fileChooser({ label, accept, multiple = false, onFiles }) {
  const input = el("input", {
    type: "file",
    hidden: true,
    "aria-label": label,
    accept,
    multiple,
  });
  input.addEventListener("change", () => {
    const files = [...input.files];
    input.value = "";
    if (files.length) onFiles(files);
  });
  return { input, pick: () => input.click() };
}

/** Handle files dropped on or pasted into `target`. */
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
