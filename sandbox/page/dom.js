/** Builds nodes: data becomes text or an attribute, never markup. */

export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) setProp(node, key, value);
  node.append(...children.flat(Infinity).filter((child) => child != null && child !== false));
  return node;
}

function setProp(node, key, value) {
  if (value == null || value === false) return;
  if (key === "class") node.className = value;
  else if (key === "data") Object.assign(node.dataset, value);
  else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
  else node.setAttribute(key, value === true ? "" : value);
}

const SVG = "http://www.w3.org/2000/svg";

/** Icon paths on a 24 by 24 grid. Those under `lines` are stroked, the others filled. */
const FILLED = {
  play: "M7 4.5v15a1 1 0 0 0 1.5.9l12-7.5a1 1 0 0 0 0-1.8l-12-7.5A1 1 0 0 0 7 4.5Z",
  pause: "M6 4h4v16H6zM14 4h4v16h-4z",
  dots: "M5 10a2 2 0 1 0 0 4 2 2 0 0 0 0-4Zm7 0a2 2 0 1 0 0 4 2 2 0 0 0 0-4Zm7 0a2 2 0 1 0 0 4 2 2 0 0 0 0-4Z",
  send: "M3.4 20.4 21.6 12 3.4 3.6 3.4 10l11 2-11 2z",
  note: "M9 4v10.6A3.5 3.5 0 1 0 11 17.5V8h7V4H9Z",
  plus: "M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20Zm1 5v4h4v2h-4v4h-2v-4H7v-2h4V7z",
  file: "M6 2h8l5 5v13a2 2 0 0 1-2 2H6a2 2 0 0 1-2-2V4c0-1.1.9-2 2-2Zm7 1.5V8h4.5z",
  home: "M4 5a3 3 0 0 1 3-3h10a3 3 0 0 1 3 3v8a3 3 0 0 1-3 3h-5l-5 5v-5a3 3 0 0 1-3-3V5Zm4.5 2.5a1.5 1.5 0 1 0 0 3 1.5 1.5 0 0 0 0-3Zm7 0a1.5 1.5 0 1 0 0 3 1.5 1.5 0 0 0 0-3Z",
  volume: "M3 9v6h4l5 4.5v-15L7 9H3Zm12-.8v7.6a4 4 0 0 0 0-7.6Zm0-4.7v2a7 7 0 0 1 0 13v2a9 9 0 0 0 0-17Z",
  crown: "M3 7l4.5 4L12 4l4.5 7L21 7l-2 11H5L3 7Z",
  alert: "M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20Zm-1 5h2v7h-2zm0 9h2v2h-2z",
};
const STROKED = {
  hash: "M9.5 4 7.5 20M16.5 4l-2 16M4.5 9h16M3.5 15h16",
  download: "M12 4v11m0 0 4.5-4.5M12 15l-4.5-4.5M5 20h14",
  close: "M6 6l12 12M18 6 6 18",
  eye: "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12ZM12 9.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5Z",
  down: "M6 9l6 6 6-6",
  right: "M9 6l6 6-6 6",
  menu: "M4 7h16M4 12h16M4 17h16",
  clock: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18ZM12 7v5l3.5 2",
  check: "M5 12.5l5 5 9-11",
  external: "M14 4h6v6M20 4l-9 9M10 5H5v14h14v-5",
  upload: "M12 16V5m0 0L7.5 9.5M12 5l4.5 4.5M5 19h14",
};

export function icon(name, size = 20) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  const stroked = name in STROKED;
  path.setAttribute("d", STROKED[name] ?? FILLED[name]);
  const look = stroked
    ? {
        fill: "none",
        stroke: "currentColor",
        "stroke-width": 2,
        "stroke-linecap": "round",
        "stroke-linejoin": "round",
      }
    : { fill: "currentColor", "fill-rule": "evenodd" };
  const all = { ...look, viewBox: "0 0 24 24", width: size, height: size, "aria-hidden": "true" };
  for (const [key, value] of Object.entries(all)) svg.setAttribute(key, value);
  svg.append(path);
  return svg;
}

export function iconButton({ label, inside, onclick, className = "", ...props }) {
  const named = {
    type: "button",
    class: `icon-button ${className}`.trim(),
    title: label,
    "aria-label": label,
  };
  return el("button", { ...named, ...props, onclick }, inside);
}

/** Render an avatar: a user's initial on their colour, or the bot's picture. */
export function avatar(person, size) {
  if (person.bot) return el("img", { class: `avatar size-${size}`, src: "/page/stemcord.svg", alt: "" });
  const node = el(
    "span",
    { class: `avatar size-${size}`, "aria-hidden": "true" },
    [...(person.name || "?")][0],
  );
  node.style.backgroundColor = person.avatar_color ?? "#5865f2";
  return node;
}
