/** Composes the page and handles navigation, incoming events and user actions. */

import { messageActions } from "./actions.js";
import { EventStream, Refused, api, refusal } from "./api.js";
import { Composer } from "./composer.js";
import { el } from "./dom.js";
import { showModal } from "./modal.js";
import { drawChatHeader, drawSidebar } from "./sidebar.js";
import { State } from "./state.js";
import { drawStrip, keepTime } from "./strip.js";
import { Timeline } from "./timeline.js";

const RETRY_MS = 1_000;
const NOTICE_MS = 6_000;
const at = (id) => document.getElementById(id);

class App {
  #state = new State();
  #stream = null;
  #timeline;

  constructor() {
    const state = this.#state;
    const use = messageActions({ state, nodeOf: (id) => this.#timeline.nodeOf(id) });
    this.#timeline = new Timeline({ state, scroller: at("timeline"), list: at("messages"), use });
    new Composer({ state, root: at("composer"), dropTarget: document.querySelector(".chat") });
    for (const topic of ["world", "opened", "link"]) state.on(topic, () => this.#drawFrame());
    state.on("clock", () => state.viewer && drawStrip(at("strip"), this.#frame()));
    keepTime(at("strip"), state);
    at("scrim").addEventListener("click", () => this.#showSidebar(false));
    addEventListener("hashchange", () => this.#follow());
  }

  async start() {
    await this.#state.refreshWorld();
    await this.#follow();
  }

  /** The address names user and channel (`#/Ada/karaoke`), so two tabs can act as two users. */
  async #follow() {
    const { world } = this.#state;
    // Unlike decodeURIComponent, this accepts a mistyped address without throwing.
    const address = new URLSearchParams(`at=${location.hash.slice(1)}`).get("at");
    const [, who, where] = address.split("/");
    const viewer = world.users.find(({ name, id }) => who === name || who === id) ?? world.users[0];
    const seen = this.#state.channelsOf(viewer);
    const channel =
      seen.find((each) => where === this.#slug(each) || where === each.id) ??
      seen.find(({ kind }) => kind === "text");
    const isNewViewer = viewer.id !== this.#state.viewer?.id;
    if (isNewViewer) this.#state.unread.clear();
    const opened = this.#state.open(viewer, channel);
    if (isNewViewer) this.#listen();
    await opened;
  }

  #slug({ kind, name }) {
    return kind === "dm" ? "@me" : name;
  }

  #go(viewer, channel) {
    this.#showSidebar(false);
    location.hash = `/${encodeURIComponent(viewer.name)}/${encodeURIComponent(this.#slug(channel))}`;
  }

  #listen() {
    this.#stream?.close();
    let wasLost = false;
    this.#stream = new EventStream({
      as: this.#state.viewer.id,
      onEvent: (event) => this.#take(event),
      onOpen: () => {
        this.#linked(true);
        // Events may have been missed between loading and connecting, or after a lost connection.
        this.#state.reload();
        if (wasLost) this.#state.refreshWorld();
      },
      onLost: () => {
        wasLost = true;
        this.#linked(false);
        this.#checkWorld();
      },
    });
  }

  /** Start over, because a restarted sandbox has different users. */
  async #checkWorld() {
    const { viewer } = this.#state;
    const world = await api.state().catch((error) => (refusal(error), null));
    if (world && !world.users.some(({ id }) => id === viewer.id)) location.reload();
  }

  #linked(isLinked) {
    if (this.#state.isLinked === isLinked) return;
    this.#state.isLinked = isLinked;
    this.#state.tell("link");
  }

  #take(event) {
    const state = this.#state;
    switch (event.type) {
      case "message_create":
        return state.received(event);
      case "message_update":
        return state.changed(event);
      case "message_delete":
        return state.removed(event.id);
      case "typing":
        return state.typing(event);
      case "modal":
        return showModal(event, state);
      case "locale":
        return state.refreshWorld().then(() => state.reload());
      default:
        return state.refreshWorld();
    }
  }

  #frame() {
    return {
      state: this.#state,
      onViewer: (user) => this.#go(user, this.#sameChannelFor(user)),
      onOpen: (channel) => this.#go(this.#state.viewer, channel),
      onMenu: () => this.#showSidebar(true),
    };
  }

  #sameChannelFor(user) {
    const { channel } = this.#state;
    return channel.kind === "dm" ? this.#state.channelsOf(user).find(({ kind }) => kind === "dm") : channel;
  }

  #drawFrame() {
    if (!this.#state.viewer) return;
    const { channel, viewer, world } = this.#state;
    drawStrip(at("strip"), this.#frame());
    drawSidebar(at("sidebar"), this.#frame());
    drawChatHeader(at("chat-header"), this.#frame());
    document.title = `${channel.kind === "dm" ? world.bot.name : `#${channel.name}`} as ${viewer.name} | Stemcord sandbox`;
  }

  #showSidebar(isShown) {
    at("sidebar").classList.toggle("shown", isShown);
    at("scrim").hidden = !isShown;
  }
}

/** Report an error that no other part of the page shows. */
function notice({ reason }) {
  if (!(reason instanceof Refused)) return;
  const toast = el("div", { class: "notice", role: "alert" }, reason.message);
  document.body.append(toast);
  setTimeout(() => toast.remove(), NOTICE_MS);
}

async function start() {
  addEventListener("unhandledrejection", notice);
  const app = new App();
  for (;;) {
    try {
      return await app.start();
    } catch (error) {
      at("messages").textContent = `${refusal(error)} Trying again…`;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

start();
