/** The page's own strip, which is not part of Discord: the user, the clock and the bot's state. */

import { api } from "./api.js";
import { clusterButton } from "./cluster.js";
import { avatar, el, icon } from "./dom.js";
import { clockTime } from "./format.js";
import { languageButton } from "./languages.js";
import { vendorsButton } from "./vendors.js";

const STEP_MINUTES = 15;
const TICK_MS = 5_000;

function people(state, onViewer) {
  const person = (user) =>
    el(
      "button",
      {
        type: "button",
        class: "person",
        role: "radio",
        "aria-checked": String(user.id === state.viewer.id),
        title: `See this page as ${user.name}`,
        onclick: () => onViewer(user),
      },
      avatar(user, "tiny"),
      el("span", {}, user.name),
    );
  return el(
    "div",
    { class: "people", role: "radiogroup", "aria-label": "See this page as" },
    state.world.users.map(person),
  );
}

function botState({ world, isLinked }) {
  const [kind, text] = !isLinked
    ? ["lost", "Reconnecting…"]
    : world.bot.online
      ? ["online", `${world.bot.name} is online`]
      : ["offline", `${world.bot.name} is offline`];
  return el(
    "span",
    { class: `bot-state ${kind}`, role: "status" },
    el("i", { class: "dot" }),
    el("span", {}, text),
  );
}

function clock(state) {
  const time = el("time", { class: "sandbox-time" }, clockTime(new Date(state.nowMs)));
  const forward = async () => {
    await api.advanceClock(STEP_MINUTES * 60);
    await state.refreshWorld();
  };
  return el(
    "span",
    { class: "sandbox-clock", title: "The sandbox's clock: move it ahead to see what happens later" },
    icon("clock", 16),
    time,
    el("button", { type: "button", class: "strip-button", onclick: forward }, `+${STEP_MINUTES} min`),
  );
}

export function drawStrip(root, { state, onViewer }) {
  root.replaceChildren(
    el(
      "span",
      { class: "strip-name", title: "A stand-in for Discord on this computer; nothing leaves it" },
      "Sandbox",
    ),
    people(state, onViewer),
    languageButton(state),
    el("span", { class: "strip-hint" }, "Type ", el("kbd", {}, "/split"), " and attach a song"),
    botState(state),
    state.world.cluster ? clusterButton() : vendorsButton(state.world),
    clock(state),
  );
}

export function keepTime(root, state) {
  setInterval(() => {
    const time = root.querySelector(".sandbox-time");
    if (time) time.textContent = clockTime(new Date(state.nowMs));
  }, TICK_MS);
}
