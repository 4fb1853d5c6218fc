/** The user's locale, used for commands and times and sent to the bot. */

import { api } from "./api.js";
import { el } from "./dom.js";
import { showMenu } from "./menu.js";

const names = new Intl.DisplayNames("en", { type: "language" });
const DEFAULT = "en-US";

/** The locales in which the bot describes a command, and the default one. */
function spokenByBot({ commands }) {
  const described = commands.flatMap(({ description_localizations: texts }) => Object.keys(texts ?? {}));
  return new Set([DEFAULT, ...described]);
}

export function languageButton({ world, viewer }) {
  const name = names.of(viewer.locale);
  const item = (locale) => ({ label: names.of(locale), onPick: () => api.setLocale(viewer, locale) });
  const choose = ({ currentTarget }) => {
    const spoken = spokenByBot(world);
    const { left, bottom } = currentTarget.getBoundingClientRect();
    showMenu({
      label: `${viewer.name}'s language`,
      at: { left, bottom: bottom + 6 },
      groups: [
        { title: `${world.bot.name} speaks`, items: world.locales.filter((each) => spoken.has(each)).map(item) },
        { title: "Others", items: world.locales.filter((each) => !spoken.has(each)).map(item) },
      ],
    });
  };
  return el(
    "button",
    {
      type: "button",
      class: "strip-button",
      "aria-haspopup": "menu",
      "aria-label": `${viewer.name}'s language: ${name}`,
      title: `${viewer.name} has set Discord to ${name}`,
      onclick: choose,
    },
    viewer.locale,
  );
}
