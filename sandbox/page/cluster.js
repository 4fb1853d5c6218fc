/** The processes of `make cluster` and what each has done. Kill one and watch another take over. */

import { api, refusal } from "./api.js";
import { el } from "./dom.js";

const REFRESH_MS = 1_000;
const EDGE_PX = 8;

let openPanel = null;

const kinds = { serving: "online", standby: "idle", draining: "idle", down: "offline" };

function processRow({ name, shard, state }) {
  const serves = shard == null ? "" : `shard ${shard}, `;
  const kill = el(
    "button",
    {
      type: "button",
      class: "strip-button",
      "aria-label": `Kill ${name}`,
      disabled: state === "down",
      onclick: () => api.kill(name),
    },
    "Kill",
  );
  return el(
    "li",
    { class: "cluster-process" },
    el("i", { class: `dot ${kinds[state] ?? "starting"}` }),
    el("strong", {}, name),
    el("span", {}, `${serves}${state}`),
    kill,
  );
}

function songRow({ title, state, percent, bots, workers }) {
  const isSeparating = state === "processing" && percent != null;
  const done = [
    bots.length && `answered by ${bots.join(", then ")}`,
    workers.length && `separated by ${workers.join(", then ")}`,
  ];
  return el(
    "li",
    { class: "cluster-song" },
    el("strong", {}, title),
    el("span", {}, isSeparating ? `${state}, ${percent} %` : state),
    el("p", {}, done.filter(Boolean).join("; ") || "not taken yet"),
  );
}

function buildPanel() {
  const processes = el("ul", {});
  const songs = el("ul", {});
  const trouble = el("p", { class: "cluster-trouble", role: "status" });
  const panel = el(
    "div",
    { class: "menu cluster", role: "dialog", "aria-label": "Cluster", popover: "manual" },
    el("h2", {}, "Cluster"),
    el("p", {}, "Kill a process: it restarts after two seconds, and its work continues meanwhile."),
    processes,
    el("h3", {}, "Latest songs"),
    songs,
    trouble,
  );
  const refresh = async () => {
    try {
      const found = await api.cluster();
      processes.replaceChildren(...found.processes.map(processRow));
      const rows = found.songs.map(songRow);
      songs.replaceChildren(...(rows.length ? rows : [el("li", {}, "None yet. Type /split.")]));
      trouble.textContent = "";
    } catch (error) {
      trouble.textContent = refusal(error);
    }
  };
  return { panel, refresh };
}

/** At the window's edge, where it covers little of the chat. */
function toggle({ bottom }) {
  if (openPanel) {
    clearInterval(openPanel.timer);
    openPanel.panel.remove();
    openPanel = null;
    return;
  }
  const { panel, refresh } = buildPanel();
  openPanel = { panel, timer: setInterval(refresh, REFRESH_MS) };
  document.body.append(panel);
  panel.showPopover();
  panel.style.top = `${bottom + EDGE_PX}px`;
  panel.style.left = `${Math.max(EDGE_PX, innerWidth - panel.offsetWidth - EDGE_PX)}px`;
  refresh();
}

export function clusterButton() {
  return el(
    "button",
    {
      type: "button",
      class: "strip-button",
      title: "The processes behind this bot: kill one and see who takes over",
      "aria-haspopup": "dialog",
      onclick: ({ currentTarget }) => toggle(currentTarget.getBoundingClientRect()),
    },
    "Cluster",
  );
}
