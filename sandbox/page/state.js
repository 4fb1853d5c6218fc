/** The page's state: the world, the current user, the open channel and its messages. */

import { api } from "./api.js";

const TYPING_MS = 10_000;
let lastLocalId = 0;

/** Emits: `world`, `opened`, `messages`, `message`, `removed`, `typing`, `clock`, `link`. */
export class State extends EventTarget {
  world = null;
  viewer = null;
  channel = null;
  messages = [];
  unread = new Set();
  isLinked = true;
  #dismissed = new Set();
  #typing = new Map();
  #skewMs = 0;
  #changes = 0;

  on(topic, listener) {
    this.addEventListener(topic, ({ detail }) => listener(detail));
  }

  tell(topic, detail) {
    this.dispatchEvent(new CustomEvent(topic, { detail }));
  }

  get nowMs() {
    return Date.now() + this.#skewMs;
  }

  async refreshWorld() {
    this.world = await api.state();
    if (this.viewer) this.viewer = this.world.users.find(({ id }) => id === this.viewer.id) ?? this.viewer;
    this.#skewMs = new Date(this.world.now).getTime() - Date.now();
    this.tell("world");
    this.tell("clock");
  }

  /** The channels that the user sees: the server's, and their own DM. */
  channelsOf({ id }) {
    return this.world.channels.filter(
      ({ kind, user_id: owner }) => kind === "text" || (kind === "dm" && owner === id),
    );
  }

  channels() {
    return this.channelsOf(this.viewer);
  }

  person(id) {
    const { users, bot } = this.world;
    return id === bot.id ? { ...bot, bot: true } : users.find((user) => user.id === id);
  }

  nameOf(kind, id) {
    if (kind === "user") return this.person(id)?.name;
    return kind === "channel" ? this.world.channels.find((channel) => channel.id === id)?.name : undefined;
  }

  /** Show a channel as a user. */
  async open(viewer, channel) {
    this.viewer = viewer;
    this.channel = channel;
    this.unread.delete(channel.id);
    this.messages = [];
    this.tell("opened");
    await this.reload();
  }

  /** Reload the messages, and again if one changed during the reload: the response may be stale. */
  async reload() {
    const { viewer, channel } = this;
    let seen;
    let changes;
    do {
      changes = this.#changes;
      seen = await api.messages(channel.id, viewer.id);
      if (viewer !== this.viewer || channel !== this.channel) return;
    } while (changes !== this.#changes);
    const local = this.messages.filter((message) => message.local);
    this.messages = [...seen.filter(({ id }) => !this.#dismissed.has(id)), ...local];
    this.tell("messages");
  }

  received(message) {
    this.#typing.delete(message.author?.id);
    this.tell("typing");
    if (message.channel_id !== this.channel.id) {
      this.unread.add(message.channel_id);
      this.tell("world");
      return;
    }
    this.#dropPending(message);
    this.changed(message);
  }

  changed(message) {
    this.#changes++;
    if (message.channel_id !== this.channel.id || this.#dismissed.has(message.id)) return;
    const at = this.messages.findIndex(({ id }) => id === message.id);
    if (at < 0) this.messages.push(message);
    else this.messages[at] = message;
    this.tell("message", message);
  }

  removed(id) {
    this.#changes++;
    this.messages = this.messages.filter((message) => message.id !== id);
    this.tell("removed", id);
  }

  /** Ephemeral messages are dismissed on this page only, as in Discord. */
  dismiss(id) {
    this.#dismissed.add(id);
    this.removed(id);
  }

  /** Add a note in the bot's name, visible to this viewer only. */
  addLocal({ command, pending = false, error = null }) {
    const message = {
      id: `local-${++lastLocalId}`,
      channel_id: this.channel.id,
      author: { ...this.world.bot, bot: true },
      interaction: { user: this.viewer, name: command },
      timestamp: new Date(this.nowMs).toISOString(),
      local: true,
      ephemeral: true,
      pending,
      error,
    };
    this.changed(message);
    return message;
  }

  /** Replace the bot's "thinking" note with its answer. */
  #dropPending({ interaction }) {
    if (interaction?.user.id !== this.viewer.id) return;
    const note = this.messages.find(({ pending }) => pending);
    if (note) this.removed(note.id);
  }

  typing({ channel_id: channel, user_id: user }) {
    if (channel !== this.channel.id || user === this.viewer.id) return;
    this.#typing.set(user, Date.now() + TYPING_MS);
    this.tell("typing");
    setTimeout(() => this.tell("typing"), TYPING_MS + 50);
  }

  typers() {
    const now = Date.now();
    return [...this.#typing]
      .filter(([, until]) => until > now)
      .map(([id]) => this.nameOf("user", id) ?? "Someone");
  }
}
