/** The list of messages; redraws only those that changed. */

import { el, icon } from "./dom.js";
import { sameDay } from "./format.js";
import { refreshTimestamps } from "./markdown.js";
import { dayDivider, isGrouped, messageNode } from "./messages.js";
import { welcome } from "./welcome.js";

const NEAR_BOTTOM_PX = 60;
const TICK_MS = 1_000;

export class Timeline {
  #state;
  #use;
  #scroller;
  #list;
  #jump;
  #isPinned = true;

  constructor({ state, scroller, list, use }) {
    this.#state = state;
    this.#use = use;
    this.#scroller = scroller;
    this.#list = list;
    this.#jump = el(
      "button",
      { type: "button", class: "jump", hidden: true, onclick: () => this.#toBottom() },
      "New messages",
      icon("down", 18),
    );
    scroller.after(this.#jump);
    scroller.addEventListener("scroll", () => this.#scrolled());
    // Images and cards can grow after they are drawn.
    new ResizeObserver(() => this.#isPinned && this.#toBottom()).observe(list);
    new ResizeObserver(() => this.#isPinned && this.#toBottom()).observe(scroller);
    state.on("opened", () => (this.#isPinned = true));
    state.on("messages", () => this.#drawAll());
    state.on("message", (message) => this.#drawOne(message));
    state.on("removed", () => this.#drawAll());
    const refresh = () => refreshTimestamps(list, state.nowMs, state.viewer?.locale);
    setInterval(refresh, TICK_MS);
    state.on("clock", refresh);
  }

  nodeOf(id) {
    return [...this.#list.children].find((node) => node.dataset.id === id);
  }

  #drawAll() {
    const old = new Map([...this.#list.children].map((node) => [node.dataset.id, node]));
    const nodes = [welcome(this.#state)];
    this.#state.messages.forEach((message, index) => {
      const previous = this.#state.messages[index - 1];
      const date = new Date(message.timestamp);
      if (!previous || !sameDay(date, new Date(previous.timestamp))) nodes.push(dayDivider(date));
      nodes.push(this.#draw(message, old.get(message.id)));
    });
    this.#list.replaceChildren(...nodes);
    this.#settle();
  }

  #drawOne(message) {
    const old = this.nodeOf(message.id);
    if (old) old.replaceWith(this.#draw(message, old));
    else this.#append(message);
    this.#settle();
  }

  #append(message) {
    const previous = this.#state.messages.at(-2);
    const date = new Date(message.timestamp);
    if (!previous || !sameDay(date, new Date(previous.timestamp))) this.#list.append(dayDivider(date));
    this.#list.append(this.#draw(message));
    // Users want to see what they just sent.
    if (message.pending || message.author.id === this.#state.viewer.id) this.#isPinned = true;
    this.#jump.hidden = this.#isPinned;
  }

  #draw(message, old) {
    const { messages } = this.#state;
    const previous = messages[messages.indexOf(message) - 1];
    return messageNode(message, {
      state: this.#state,
      grouped: isGrouped(message, previous),
      old,
      ...this.#use,
    });
  }

  #settle() {
    if (this.#isPinned) this.#toBottom();
  }

  #toBottom() {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#jump.hidden = true;
  }

  #scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    this.#isPinned = scrollHeight - scrollTop - clientHeight < NEAR_BOTTOM_PX;
    if (this.#isPinned) this.#jump.hidden = true;
  }
}
