/** Renders a message as Discord does. */

import { attachmentNodes, keptAudio } from "./attachments.js";
import { usedName } from "./commands.js";
import { componentRows } from "./components.js";
import { avatar, el, icon, iconButton } from "./dom.js";
import { embedNode, namesShown } from "./embed.js";
import { clockTime, longDate, messageTime } from "./format.js";
import { markdown } from "./markdown.js";

const GROUP_MS = 7 * 60_000;
const EXCERPT_CHARACTERS = 120;

/** Consecutive messages of one author share a header, except a command's answer. */
export function isGrouped(message, previous) {
  if (!previous || message.interaction || message.reply_to || message.author.id !== previous.author.id)
    return false;
  if (Boolean(message.ephemeral) !== Boolean(previous.ephemeral)) return false;
  return new Date(message.timestamp) - new Date(previous.timestamp) < GROUP_MS;
}

export function dayDivider(date) {
  return el(
    "li",
    { class: "divider", role: "separator", "aria-label": longDate(date) },
    el("span", {}, longDate(date)),
  );
}

/** Only commands have names to show. Those of buttons and forms are internal. */
function interactionLine({ interaction }, state) {
  const name = interaction && usedName(interaction.name, state);
  if (!name) return null;
  const user = state.person(interaction.user.id) ?? interaction.user;
  return el(
    "div",
    { class: "used" },
    avatar(user, "tiny"),
    el("strong", {}, user.name),
    " used ",
    el("span", { class: "used-command" }, name),
  );
}

/** Render the referenced message in one line. */
function replyLine({ reply_to: id }, state) {
  if (!id) return null;
  const target = state.messages.find((message) => message.id === id);
  if (!target) return el("div", { class: "used" }, el("em", {}, "Original message was deleted"));
  const author = state.person(target.author.id) ?? target.author;
  const excerpt =
    target.content?.slice(0, EXCERPT_CHARACTERS) || target.attachments?.[0]?.filename || "A message";
  return el(
    "div",
    { class: "used" },
    avatar(author, "tiny"),
    el("strong", {}, author.name),
    el("span", { class: "excerpt" }, excerpt),
  );
}

function headline({ author, timestamp }, state) {
  const date = new Date(timestamp);
  return el(
    "h3",
    { class: "headline" },
    el("span", { class: author.bot ? "author bot" : "author" }, author.name),
    author.bot && el("span", { class: "tag" }, "APP"),
    el(
      "time",
      { class: "when", datetime: date.toISOString(), title: date.toLocaleString("en") },
      messageTime(date, state.nowMs),
    ),
  );
}

function thinking(text) {
  const dots = el("span", { class: "dots", "aria-hidden": "true" }, el("i"), el("i"), el("i"));
  return el("div", { class: "thinking" }, dots, text);
}

function text(message, context) {
  if (message.pending) return thinking("Sending command…");
  if (message.loading) return thinking(`${message.author.name} is thinking…`);
  if (message.error) return el("div", { class: "failed" }, icon("alert", 18), message.error);
  const edited = message.edited && el("span", { class: "edited" }, "(edited)");
  if (!message.content) return null;
  return el("div", { class: "content" }, markdown(message.content, context), edited && " ", edited);
}

function ephemeralNote(message, { onDismiss }) {
  if (!message.ephemeral || message.pending) return null;
  const dismiss = el(
    "button",
    { type: "button", class: "text-link", onclick: () => onDismiss(message) },
    "Dismiss message",
  );
  return el("div", { class: "ephemeral-note" }, icon("eye", 16), "Only you can see this • ", dismiss);
}

function tools(message, { onMenu }) {
  if (message.local) return null;
  const open = (event) => onMenu(message, event.currentTarget.getBoundingClientRect());
  const label = "More: apps and message actions";
  const more = iconButton({ label, inside: icon("dots"), "aria-haspopup": "menu", onclick: open });
  return el("div", { class: "tools" }, more);
}

function accessories(message, { state, context, kept, onOpen, onPress }) {
  const { embeds = [], attachments = [], components = [] } = message;
  const press = (customId, values, node) => onPress(message, customId, values, node);
  const files = attachmentNodes(attachments, {
    shownElsewhere: namesShown(embeds, attachments),
    kept,
    onOpen,
  });
  return [
    embeds.map((embed) => embedNode(embed, { attachments, context, onOpen })),
    files.length > 0 && el("div", { class: "files" }, files),
    componentRows(components, { onPress: press, world: state.world }),
  ];
}

/** `old` is the message's previous node, whose audio keeps playing in the new one. */
export function messageNode(message, { state, grouped, old, ...use }) {
  const context = {
    nowMs: state.nowMs,
    locale: state.viewer.locale,
    nameOf: (kind, id) => state.nameOf(kind, id),
  };
  const author = state.person(message.author.id) ?? message.author;
  const date = new Date(message.timestamp);
  const gutter = grouped
    ? el("time", { class: "gutter-time", datetime: date.toISOString() }, clockTime(date))
    : avatar({ ...author, bot: message.author.bot }, "large");
  const node = el(
    "li",
    {
      class: ["message", grouped && "grouped", message.ephemeral && "ephemeral"].filter(Boolean).join(" "),
      data: { id: message.id },
      "aria-label": `${message.author.name}, ${clockTime(date)}`,
    },
    interactionLine(message, state) ?? replyLine(message, state),
    el("div", { class: "gutter" }, gutter),
    el(
      "div",
      { class: "body" },
      !grouped && headline(message, state),
      text(message, context),
      accessories(message, { state, context, kept: keptAudio(old), ...use }),
      ephemeralNote(message, use),
    ),
    tools(message, use),
  );
  node.addEventListener("contextmenu", (event) => {
    if (message.local) return;
    event.preventDefault();
    use.onMenu(message, { left: event.clientX, bottom: event.clientY });
  });
  return node;
}

/** Discord's notice below a message for an unanswered press. */
export function pressFailed(node, reason) {
  node.querySelector(".press-failed")?.remove();
  node
    .querySelector(".body")
    .append(el("div", { class: "press-failed", role: "alert" }, icon("alert", 16), reason));
}
