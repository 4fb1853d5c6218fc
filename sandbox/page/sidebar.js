/** The server rail, the channels and the current user. */

import { avatar, el, icon, iconButton } from "./dom.js";
import { showMenu } from "./menu.js";
import { soundList } from "./soundboard.js";

const initials = (name) =>
  name
    .split(/\s+/)
    .map((word) => [...word][0])
    .join("")
    .slice(0, 3);

function railButton({ label, isCurrent, isUnread, className, inside, onOpen }) {
  const classes = ["rail-button", className, isCurrent && "current", isUnread && "unread"]
    .filter(Boolean)
    .join(" ");
  return el(
    "button",
    {
      type: "button",
      class: classes,
      title: label,
      "aria-label": label,
      "aria-current": isCurrent ? "true" : null,
      onclick: onOpen,
    },
    inside,
  );
}

function rail(state, onOpen) {
  const dm = state.channels().find(({ kind }) => kind === "dm");
  const first = state.channels().find(({ kind }) => kind === "text");
  const isDm = state.channel.kind === "dm";
  const { guild } = state.world;
  const unreadText = state.channels().some(({ id, kind }) => kind === "text" && state.unread.has(id));
  return el(
    "div",
    { class: "rail" },
    dm &&
      railButton({
        label: "Direct messages",
        isCurrent: isDm,
        isUnread: state.unread.has(dm.id),
        className: "home",
        inside: icon("home", 26),
        onOpen: () => onOpen(dm),
      }),
    el("div", { class: "rail-line" }),
    railButton({
      label: guild.name,
      isCurrent: !isDm,
      isUnread: unreadText,
      className: "guild",
      inside: initials(guild.name),
      onOpen: () => onOpen(isDm ? first : state.channel),
    }),
  );
}

function channelLink(state, channel, onOpen) {
  const isDm = channel.kind === "dm";
  const { bot } = state.world;
  const sign = isDm
    ? el(
        "span",
        { class: `with-status ${bot.online ? "online" : "offline"}` },
        avatar({ ...bot, bot: true }, "small"),
      )
    : icon("hash", 20);
  const isCurrent = channel.id === state.channel.id;
  const isUnread = state.unread.has(channel.id);
  const name = isDm ? bot.name : channel.name;
  const classes = ["channel", isDm && "dm", isCurrent && "current", isUnread && "unread"]
    .filter(Boolean)
    .join(" ");
  return el(
    "button",
    {
      type: "button",
      class: classes,
      "aria-current": isCurrent ? "page" : null,
      onclick: () => onOpen(channel),
    },
    sign,
    el("span", { class: "channel-name" }, name),
    isDm && el("span", { class: "tag" }, "APP"),
    isUnread && el("span", { class: "visually-hidden" }, "unread"),
  );
}

function userPanel(state, onViewer) {
  const { viewer, world } = state;
  const choose = ({ currentTarget }) =>
    showMenu({
      label: "View as another person",
      at: { ...currentTarget.getBoundingClientRect().toJSON(), right: null },
      groups: [
        {
          title: "Look as",
          items: world.users.map((user) => ({
            label: user.name,
            lead: avatar(user, "small"),
            onPick: () => onViewer(user),
          })),
        },
      ],
    });
  return el(
    "button",
    {
      type: "button",
      class: "user-panel",
      "aria-haspopup": "menu",
      "aria-label": `You are ${viewer.name}. View as another person`,
      onclick: choose,
    },
    el("span", { class: "with-status online" }, avatar(viewer, "medium")),
    el(
      "span",
      { class: "user-text" },
      el("strong", {}, viewer.name, viewer.is_owner && icon("crown", 14)),
      el("small", {}, viewer.is_owner ? "Owner of the bot" : "Member"),
    ),
    icon("down", 18),
  );
}

export function drawSidebar(root, { state, onOpen, onViewer }) {
  const channels = state.channels();
  const links = (kind) =>
    channels.filter((channel) => channel.kind === kind).map((channel) => channelLink(state, channel, onOpen));
  root.replaceChildren(
    rail(state, onOpen),
    el(
      "div",
      { class: "channels" },
      el("div", { class: "guild-name" }, state.world.guild.name),
      el(
        "div",
        { class: "channel-list" },
        el("h2", {}, "Text channels"),
        links("text"),
        el("h2", {}, "Direct messages"),
        links("dm"),
        state.world.sounds.length > 0 && [el("h2", {}, "Soundboard"), soundList(state.world.sounds)],
      ),
    ),
    userPanel(state, onViewer),
  );
}

export function drawChatHeader(root, { state, onMenu }) {
  const { channel, world } = state;
  const isDm = channel.kind === "dm";
  const menu = iconButton({
    label: "Show channels",
    className: "menu-button",
    inside: icon("menu", 24),
    "aria-controls": "sidebar",
    onclick: onMenu,
  });
  root.replaceChildren(
    menu,
    isDm ? avatar({ ...world.bot, bot: true }, "small") : icon("hash", 22),
    el("h1", {}, isDm ? world.bot.name : channel.name),
    isDm
      ? el("span", { class: "tag" }, "APP")
      : el("span", { class: "topic" }, "Sing without the singer: /split takes any song apart"),
  );
}
