/** Where a person writes: plain messages with files, and the way into commands. */

import { api, refusal } from "./api.js";
import { CommandBar } from "./commandbar.js";
import { chatCommands, search, signature } from "./commands.js";
import { avatar, el, icon } from "./dom.js";
import { Listbox } from "./picker.js";
import { Upload, fileChooser, takeFiles } from "./uploads.js";

const MOST_FILES = 10;
const TALLEST_PX = 200;

export class Composer {
  #state;
  #listbox;
  #command;
  #plain;
  #text;
  #tray;
  #problem;
  #typing;
  #uploads = [];

  constructor({ state, root, dropTarget }) {
    this.#state = state;
    const popover = el("div", { class: "popover", hidden: true });
    this.#listbox = new Listbox({ root: popover, label: "Commands and choices" });
    this.#command = new CommandBar({ state, listbox: this.#listbox, onClose: () => this.#showPlain() });
    this.#typing = el("div", { class: "typing", "aria-live": "polite" });
    this.#buildPlain();
    root.append(el("div", { class: "composer-box" }, popover, this.#command.node, this.#plain), this.#typing);
    takeFiles(dropTarget, (files) => (this.#command.isOpen ? this.#command.takeFiles(files) : this.#addFiles(files)));
    state.on("opened", () => this.#reset());
    state.on("world", () => this.#typed());
    state.on("typing", () => this.#drawTyping());
  }

  focus() {
    this.#text.focus();
  }

  #buildPlain() {
    const files = fileChooser({ label: "Attach files to a message", multiple: true, onFiles: (chosen) => this.#addFiles(chosen) });
    this.#text = el("textarea", { rows: 1, class: "message-input", maxlength: 2000, role: "combobox", "aria-expanded": "false", "aria-autocomplete": "list" });
    this.#text.addEventListener("input", () => this.#typed());
    this.#text.addEventListener("keydown", (event) => this.#key(event));
    this.#text.addEventListener("blur", () => this.#listbox.hide());
    this.#text.addEventListener("focus", () => this.#typed());
    this.#tray = el("div", { class: "tray" });
    this.#problem = el("div", { class: "problem", role: "alert", hidden: true });
    const attach = el("button", { type: "button", class: "icon-button attach", "aria-label": "Upload a file", onclick: files.pick }, icon("plus", 24));
    const commands = el("button", { type: "button", class: "icon-button slash", "aria-label": "Use a command", title: "Use a command", onclick: () => this.#startCommand() }, "/");
    const send = el("button", { type: "button", class: "icon-button send", "aria-label": "Send message", onclick: () => this.#send() }, icon("send"));
    this.#plain = el("div", { class: "plain" }, this.#problem, this.#tray, el("div", { class: "plain-line" }, files.input, attach, this.#text, commands, send));
  }

  #reset() {
    if (this.#command.isOpen) this.#command.close();
    const { channel, world } = this.#state;
    const place = channel.kind === "dm" ? `@${world.bot.name}` : `#${channel.name}`;
    this.#text.placeholder = `Message ${place}`;
    this.#text.setAttribute("aria-label", `Message ${place}`);
    this.#text.value = "";
    this.#uploads = [];
    this.#drawTray();
    this.#typed();
    this.#drawTyping();
  }

  #startCommand() {
    this.#text.value = "/";
    this.#text.focus();
    this.#typed();
  }

  #typed() {
    this.#problem.hidden = true;
    this.#text.style.height = "auto";
    this.#text.style.height = `${Math.min(this.#text.scrollHeight, TALLEST_PX)}px`;
    const { value } = this.#text;
    if (!value.startsWith("/") || value.includes("\n") || document.activeElement !== this.#text) return this.#listbox.hide();
    const commands = chatCommands(this.#state);
    const exact = value.endsWith(" ") && commands.find(({ name }) => value === `/${name} `);
    if (exact) this.#choose(exact);
    else this.#offer(search(commands, value.slice(1)));
  }

  #offer(commands) {
    const { bot } = this.#state.world;
    this.#listbox.show({
      title: [avatar({ ...bot, bot: true }, "tiny"), bot.name],
      items: commands.map((command) => ({
        label: [`/${command.name} `, signature(command)],
        detail: command.description,
        side: bot.name,
        lead: avatar({ ...bot, bot: true }, "small"),
        command,
      })),
      anchor: this.#text,
      onPick: ({ command }) => this.#choose(command),
      empty: bot.online ? "No command matches." : `${bot.name} is offline: it has no commands yet.`,
    });
  }

  #choose(command) {
    const files = this.#uploads.map(({ file }) => file);
    this.#text.value = "";
    this.#uploads = [];
    this.#drawTray();
    this.#listbox.hide();
    this.#plain.hidden = true;
    this.#command.open(command, files);
  }

  #showPlain() {
    this.#plain.hidden = false;
    this.focus();
  }

  #key(event) {
    if (this.#listbox.handleKey(event)) event.preventDefault();
    else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      this.#send();
    }
  }

  #addFiles(files) {
    for (const file of files.slice(0, MOST_FILES - this.#uploads.length)) {
      const upload = new Upload({ file, onRemove: () => this.#removeUpload(upload) });
      this.#uploads.push(upload);
    }
    this.#drawTray();
    this.focus();
  }

  #removeUpload(upload) {
    this.#uploads = this.#uploads.filter((other) => other !== upload);
    this.#drawTray();
  }

  #drawTray() {
    this.#tray.replaceChildren(...this.#uploads.map(({ node }) => node));
  }

  async #send() {
    const content = this.#text.value.trim();
    const uploads = this.#uploads;
    const { viewer, channel } = this.#state;
    if (!content && !uploads.length) return;
    await Promise.all(uploads.map(({ finished }) => finished));
    if (uploads !== this.#uploads || channel !== this.#state.channel) return;
    const failed = uploads.find(({ error }) => error);
    if (failed) return this.#complain(failed.error);
    try {
      await api.say({ as: viewer.id, channel: channel.id, content, uploads: uploads.map(({ id }) => id) });
    } catch (error) {
      return this.#complain(refusal(error));
    }
    this.#text.value = "";
    this.#uploads = [];
    this.#drawTray();
    this.#typed();
  }

  #complain(text) {
    this.#problem.replaceChildren(icon("alert", 16), text);
    this.#problem.hidden = false;
  }

  #drawTyping() {
    const names = this.#state.typers();
    const verb = names.length > 1 ? "are" : "is";
    const dots = el("span", { class: "dots", "aria-hidden": "true" }, el("i"), el("i"), el("i"));
    this.#typing.replaceChildren(...(names.length ? [dots, el("strong", {}, names.join(", ")), ` ${verb} typing…`] : []));
  }
}
