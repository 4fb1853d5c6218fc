/** The bot's registered commands, as entries to choose from. */

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

/** `name` is sent and `label` is shown. They differ only if the bot localized the name. */
function inLanguage(item, locale) {
  const { name, description, name_localizations: names, description_localizations: descriptions } = item;
  const inside = (items) => items?.map((each) => inLanguage(each, locale));
  return {
    ...item,
    label: names?.[locale] ?? name,
    description: descriptions?.[locale] ?? description,
    options: inside(item.options),
    choices: inside(item.choices),
  };
}

/** A group cannot be used itself. Each of its subcommands is an entry. */
function entries({ name, label, description, options = [], type = CHAT }) {
  const nested = options.filter((option) => NESTED.has(option.type));
  if (!nested.length) return [{ name, label, description, options, type }];
  return nested.flatMap((sub) =>
    entries({ ...sub, name: `${name} ${sub.name}`, label: `${label} ${sub.label}`, type }),
  );
}

const offered = (state, type) =>
  state.world.commands
    .filter((command) => (command.type ?? CHAT) === type && isOffered(command, state))
    .map((command) => inLanguage(command, state.viewer.locale));

/** Return a command's name in the viewer's language, or undefined for other interactions. */
export function usedName(name, { world, viewer }) {
  const used = world.commands.find((each) => name === each.name || name.startsWith(`${each.name} `));
  return used && inLanguage(used, viewer.locale).label + name.slice(used.name.length);
}

/** Sort commands in the bot's order, with restricted commands last. */
export function chatCommands(state) {
  const isRestricted = ({ default_member_permissions: permissions }) => Number(permissions != null);
  const commands = offered(state, CHAT).sort((one, other) => isRestricted(one) - isRestricted(other));
  return commands.flatMap(entries);
}

export const messageCommands = (state) => offered(state, MESSAGE);

/** Names that start with the typed text come before those that contain it. */
export function search(commands, typed) {
  const wanted = typed.trim().toLowerCase();
  const found = commands.filter(({ name, label }) => name.includes(wanted) || label.includes(wanted));
  const isBegun = ({ name, label }) => name.startsWith(wanted) || label.startsWith(wanted);
  return [...found.filter(isBegun), ...found.filter((command) => !isBegun(command))];
}

/** The list names a command's required options and counts the rest. */
export function signature({ options }) {
  const required = options.filter((option) => option.required);
  const more = options.length - required.length;
  return [
    required.map(({ label }) => el("span", { class: "signature" }, label)),
    more > 0 && el("span", { class: "signature-more" }, `+${more} optional`),
  ];
}
