/** Interactions with the bot: commands, autocomplete and presses. */

import { api, refusal } from "./api.js";

const place = ({ viewer, channel }) => ({ as: viewer.id, channel: channel.id });

/** Use a command in the open channel. Notes show whether the bot is thinking or did not answer. */
export async function useCommand(state, { name, type }, options, target) {
  const pending = state.addLocal({ command: name, pending: true });
  const use = { ...place(state), name, type, options, ...(target && { target_message: target.id }) };
  const error = await api.command(use).then(() => null, refusal);
  state.removed(pending.id);
  if (error && pending.channel_id === state.channel.id) state.addLocal({ command: name, error });
}

/** Return the bot's choices for an option, or null if it did not answer. */
export async function suggestions(state, { command, option, typed, options }) {
  const question = { ...place(state), name: command.name, option: option.name, value: typed, options };
  try {
    return (await api.autocomplete(question)).choices;
  } catch (error) {
    refusal(error);
    return null;
  }
}

/** Return whether the bot answered a button press or menu choice. */
export async function press(state, message, customId, values) {
  try {
    await api.press({ as: state.viewer.id, message_id: message.id, custom_id: customId, values });
    return true;
  } catch (error) {
    refusal(error);
    return false;
  }
}
