/** The top of a channel, with its name and a first step for new users. */

import { avatar, el, icon } from "./dom.js";

function firstStep({ world }) {
  if (!world.bot.online)
    return [`${world.bot.name} is offline. Its commands work here as soon as it connects.`];
  return ["Type ", el("kbd", {}, "/split"), " and attach a song: it comes back as its stems."];
}

export function welcome(state) {
  const { channel, world } = state;
  const isDm = channel.kind === "dm";
  const name = isDm ? world.bot.name : channel.name;
  const sign = isDm
    ? avatar({ ...world.bot, bot: true }, "huge")
    : el("span", { class: "welcome-sign" }, icon("hash", 40));
  return el(
    "li",
    { class: "welcome" },
    sign,
    el("h2", {}, isDm ? name : `Welcome to #${name}!`),
    el(
      "p",
      {},
      isDm
        ? `This is the beginning of your direct messages with ${name}.`
        : `This is the start of the #${name} channel.`,
    ),
    el("p", { class: "first-step" }, firstStep(state), isDm && " Or just send it a song."),
  );
}
