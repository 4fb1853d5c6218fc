/** What the bot registered, as entries that a person can choose. */

import { el } from "./dom.js";

const CHAT = 1;
const MESSAGE = 3;
const NESTED = new Set([1, 2]);
const GUILD_CONTEXT = 0;
const BOT_DM_CONTEXT = 1;

export const OPTION = {
  STRING: 3,
  INTEGER: 4,
  BOOLEAN: 5,
  USER: 6,
  CHANNEL: 7,
  ROLE: 8,
  MENTIONABLE: 9,
  NUMBER: 10,
  ATTACHMENT: 11,
};

function isOffered(command, { channel, viewer }) {
  const isDm = channel.kind === "dm";
  const contexts = command.contexts ?? [GUILD_CONTEXT, BOT_DM_CONTEXT];
  if (!contexts.includes(isDm ? BOT_DM_CONTEXT : GUILD_CONTEXT)) return false;
  return isDm || command.default_member_permissions == null || viewer.is_owner;
}

/** A group is not used itself: each of its subcommands is an entry of its own. */
function entries({ name, description, options = [], type = CHAT }) {
  const nested = options.filter((option) => NESTED.has(option.type));
  if (!nested.length) return [{ name, description, options, type }];
  return nested.flatMap((sub) => entries({ ...sub, name: `${name} ${sub.name}`, type }));
}

const offered = (state, type) =>
  state.world.commands.filter((command) => (command.type ?? CHAT) === type && isOffered(command, state));

/** In the bot's own order, those for a few people after those for all. */
export function chatCommands(state) {
  const isRestricted = ({ default_member_permissions: permissions }) => Number(permissions != null);
  const commands = offered(state, CHAT).sort((one, other) => isRestricted(one) - isRestricted(other));
  return commands.flatMap(entries);
}

export const messageCommands = (state) => offered(state, MESSAGE);

/** Names that begin with what was typed come before those that only contain it. */
export function search(commands, typed) {
  const wanted = typed.trim().toLowerCase();
  const starts = commands.filter(({ name }) => name.startsWith(wanted));
  const contains = commands.filter(({ name }) => !name.startsWith(wanted) && name.includes(wanted));
  return [...starts, ...contains];
}

/** Required options stand by name beside the command in the list; the rest are counted. */
export function signature({ options }) {
  const required = options.filter((option) => option.required);
  const more = options.length - required.length;
  return [
    required.map(({ name }) => el("span", { class: "signature" }, name)),
    more > 0 && el("span", { class: "signature-more" }, `+${more} optional`),
  ];
}
