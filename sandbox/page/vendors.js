/** The simulated vendors. Break one and watch the bot switch to the next. */

import { api, refusal } from "./api.js";
import { el } from "./dom.js";

const REFRESH_MS = 1_000;
const EDGE_PX = 8;

const words = (mode) => mode.replaceAll("_", " ");

const counted = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;

function figures({ submits, running, minutes_billed: billed, credit_minutes: left }) {
  return [counted(submits, "request"), running && `${running} running`, `${billed} min billed, ${left} left`]
    .filter(Boolean)
    .join(" · ");
}

function row({ name, title, mode, modes }) {
  const choice = el(
    "select",
    { "aria-label": `How ${title} behaves`, onchange: () => api.setVendor(name, { mode: choice.value }) },
    Object.entries(modes).map(([value, sentence]) => el("option", { value, title: sentence }, words(value))),
  );
  const meaning = el("p", { class: "vendor-meaning" });
  const books = el("p", { class: "vendor-books" });
  const behave = (now) => {
    // Set only on a change, because setting it would close an open list.
    if (choice.value !== now) choice.value = now;
    meaning.textContent = `It ${modes[now]}.`;
  };
  behave(mode);
  const node = el("section", { class: "vendor" }, el("h3", {}, title), choice, meaning, books);
  const show = (shown) => {
    behave(shown.mode);
    books.textContent = figures(shown);
  };
  return { name, node, show };
}

function openPanel(vendors, { right, bottom }) {
  const rows = vendors.map(row);
  const state = el("p", { class: "vendors-state", role: "status" });
  const panel = el(
    "div",
    { class: "menu vendors", role: "dialog", "aria-label": "Hosted services", popover: "auto" },
    el("h2", {}, "Hosted services"),
    el(
      "p",
      {},
      "Stand-ins on this computer, asked in this order when the bot was started with ",
      el("kbd", {}, "make run VENDORS=1"),
      ". Break one and split a song.",
    ),
    rows.map(({ node }) => node),
    state,
  );
  const refresh = async () => {
    try {
      const books = await api.vendors();
      for (const { name, show } of rows) show(books[name]);
      state.textContent = "";
    } catch (error) {
      state.textContent = refusal(error);
    }
  };
  const timer = setInterval(refresh, REFRESH_MS);
  panel.addEventListener("toggle", ({ newState }) => {
    if (newState !== "closed") return;
    clearInterval(timer);
    panel.remove();
  });
  document.body.append(panel);
  panel.showPopover();
  panel.style.top = `${bottom + EDGE_PX}px`;
  panel.style.left = `${Math.max(EDGE_PX, right - panel.offsetWidth)}px`;
  refresh();
}

export function vendorsButton({ vendors }) {
  const isBroken = vendors.some(({ mode }) => mode !== "ok");
  return el(
    "button",
    {
      type: "button",
      class: isBroken ? "strip-button vendors-button broken" : "strip-button vendors-button",
      title: "Stand-ins of the hosted services: break one and see what the bot does",
      "aria-haspopup": "dialog",
      onclick: ({ currentTarget }) => openPanel(vendors, currentTarget.getBoundingClientRect()),
    },
    "Vendors",
  );
}
