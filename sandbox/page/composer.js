/** The composer for messages with files, which also opens commands. */

import { api, refusal } from "./api.js";
import { CommandBar } from "./commandbar.js";
import { chatCommands, search, signature } from "./commands.js";
import { avatar, el, icon, iconButton } from "./dom.js";
import { Listbox } from "./picker.js";
import { typingLine } from "./typing.js";
import { Tray, fileChooser, takeFiles } from "./uploads.js";

const TALLEST_PX = 200;

export class Composer {
  #state;
  #listbox;
  #command;
  #plain;
  #text;
  #tray = new Tray();
  #problem;
  #isSending = false;

  constructor({ state, root, dropTarget }) {
    this.#state = state;
    const popover = el("div", { class: "popover", hidden: true });
    this.#listbox = new Listbox({ root: popover, label: "Commands and choices" });
    this.#command = new CommandBar({ state, listbox: this.#listbox, onClose: () => this.#showPlain() });
    this.#text = this.#textArea();
    this.#problem = el("div", { class: "problem", role: "alert", hidden: true });
    this.#plain = el("div", { class: "plain" }, this.#problem, this.#tray.node, this.#plainLine());
    const box = el("div", { class: "composer-box" }, popover, this.#command.node, this.#plain);
    root.append(box, typingLine(state));
    takeFiles(dropTarget, (files) => this.#take(files));
    state.on("opened", () => this.#reset());
    state.on("world", () => this.#typed());
  }

  #textArea() {
    const combobox = { role: "combobox", "aria-expanded": "false", "aria-autocomplete": "list" };
    const text = el("textarea", { rows: 1, class: "message-input", maxlength: 2000, ...combobox });
    text.addEventListener("input", () => this.#typed());
    text.addEventListener("focus", () => this.#typed());
    text.addEventListener("blur", () => this.#listbox.hide());
    text.addEventListener("keydown", (event) => this.#key(event));
    return text;
  }

  #plainLine() {
    const files = fileChooser({
      label: "Attach files to a message",
      multiple: true,
      onFiles: (chosen) => this.#take(chosen),
    });
    const attach = iconButton({ label: "Upload a file", inside: icon("plus", 24), onclick: files.pick });
    const commands = iconButton({
      label: "Use a command",
      className: "slash",
      inside: "/",
      onclick: () => this.#startCommand(),
    });
    const send = iconButton({
      label: "Send message",
      className: "send",
      inside: icon("send"),
      onclick: () => this.#send(),
    });
    return el("div", { class: "plain-line" }, files.input, attach, this.#text, commands, send);
  }

  #reset() {
    if (this.#command.isOpen) this.#command.close();
    const { channel, world } = this.#state;
    const place = channel.kind === "dm" ? `@${world.bot.name}` : `#${channel.name}`;
    this.#text.placeholder = `Message ${place}`;
    this.#text.setAttribute("aria-label", `Message ${place}`);
    this.#clear();
  }

  #clear() {
    this.#text.value = "";
    this.#tray.clear();
    this.#typed();
  }

  #startCommand() {
    this.#text.value = "/";
    this.#text.focus();
    this.#typed();
  }

  #typed() {
    // An open command uses the list for its choices.
    if (this.#command.isOpen) return;
    this.#problem.hidden = true;
    this.#text.style.height = "auto";
    this.#text.style.height = `${Math.min(this.#text.scrollHeight, TALLEST_PX)}px`;
    const { value } = this.#text;
    const isCommand = value.startsWith("/") && !value.includes("\n");
    if (!isCommand || document.activeElement !== this.#text) return this.#listbox.hide();
    const commands = chatCommands(this.#state);
    const exact = commands.find(({ name, label }) => value === `/${name} ` || value === `/${label} `);
    if (exact) this.#choose(exact);
    else this.#offer(search(commands, value.slice(1)));
  }

  #offer(commands) {
    const bot = { ...this.#state.world.bot, bot: true };
    this.#listbox.show({
      title: [avatar(bot, "tiny"), bot.name],
      items: commands.map((command) => ({
        label: [`/${command.label} `, signature(command)],
        detail: command.description,
        side: bot.name,
        lead: avatar(bot, "small"),
        command,
      })),
      anchor: this.#text,
      onPick: ({ command }) => this.#choose(command),
      empty: bot.online ? "No command matches." : `${bot.name} is offline: it has no commands yet.`,
    });
  }

  #choose(command) {
    const files = this.#tray.uploads.map(({ file }) => file);
    this.#clear();
    this.#plain.hidden = true;
    this.#command.open(command, files);
  }

  #showPlain() {
    this.#plain.hidden = false;
    this.#text.focus();
  }

  #key(event) {
    if (this.#listbox.handleKey(event)) event.preventDefault();
    else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      this.#send();
    }
  }

  #take(files) {
    if (this.#command.isOpen) return this.#command.takeFiles(files);
    this.#tray.add(files);
    this.#text.focus();
  }

  async #send() {
    const content = this.#text.value.trim();
    if (this.#isSending || (!content && !this.#tray.uploads.length)) return;
    this.#isSending = true;
    const { viewer, channel } = this.#state;
    try {
      const uploads = await this.#tray.ids();
      await api.say({ as: viewer.id, channel: channel.id, content, uploads });
      if (channel === this.#state.channel) this.#clear();
    } catch (error) {
      this.#complain(refusal(error));
    }
    this.#isSending = false;
  }

  #complain(text) {
    this.#problem.replaceChildren(icon("alert", 16), text);
    this.#problem.hidden = false;
  }
}
