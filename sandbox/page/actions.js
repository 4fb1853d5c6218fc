/** Message actions: press, dismiss, and open its menu and images. */

import { api } from "./api.js";
import { messageCommands } from "./commands.js";
import { avatar } from "./dom.js";
import { press, useCommand } from "./interactions.js";
import { showMenu } from "./menu.js";
import { pressFailed } from "./messages.js";
import { showPicture } from "./modal.js";

function appItems(message, state) {
  const bot = { ...state.world.bot, bot: true };
  return messageCommands(state).map((command) => ({
    label: command.label,
    lead: avatar(bot, "tiny"),
    onPick: () => useCommand(state, command, {}, message),
  }));
}

function ownItems(message, state) {
  const copy = { label: "Copy text", onPick: () => navigator.clipboard?.writeText(message.content) };
  const remove = {
    label: "Delete message",
    isDanger: true,
    onPick: () => api.remove(message.id, state.viewer.id),
  };
  return [message.content && copy, message.author.id === state.viewer.id && remove].filter(Boolean);
}

/** `nodeOf(id)` returns the message's current node, which the press may have replaced. */
export function messageActions({ state, nodeOf }) {
  return {
    async onPress(message, customId, values, node) {
      node.classList.add("busy");
      const isTaken = await press(state, message, customId, values);
      node.classList.remove("busy");
      const shown = nodeOf(message.id);
      if (!isTaken && shown) pressFailed(shown, "This interaction failed");
    },
    onMenu(message, at) {
      const groups = [
        { title: "Apps", items: appItems(message, state) },
        { items: ownItems(message, state) },
      ];
      showMenu({ label: "Message", at, groups });
    },
    onDismiss: ({ id }) => state.dismiss(id),
    onOpen: showPicture,
  };
}
