/** Creates elements without parsing markup, so untrusted text stays text. */

const SVG = "http://www.w3.org/2000/svg";

const PATHS = {
  play: "M8 5.2v13.6a.9.9 0 0 0 1.37.77l11-6.8a.9.9 0 0 0 0-1.54l-11-6.8A.9.9 0 0 0 8 5.2z",
  pause: "M7 5h3.2v14H7zM13.8 5H17v14h-3.2z",
  back: "M12 5V1.8L7.2 6 12 10.2V7a6 6 0 1 1-6 6H4a8 8 0 1 0 8-8z",
  forward: "M12 5V1.8L16.8 6 12 10.2V7a6 6 0 1 0 6 6h2a8 8 0 1 1-8-8z",
  save: "M11 3h2v9.2l3.3-3.3 1.4 1.4L12 16l-5.7-5.7 1.4-1.4L11 12.2zM4 19h16v2H4z",
  loop: "M7 7h9v3l5-4-5-4v3H5v7h2zm10 10H8v-3l-5 4 5 4v-3h11v-7h-2z",
  minus: "M5 11h14v2H5z",
  plus: "M11 5h2v6h6v2h-6v6h-2v-6H5v-2h6z",
  close: "M6.4 5 12 10.6 17.6 5 19 6.4 13.4 12l5.6 5.6-1.4 1.4-5.6-5.6L6.4 19 5 17.6l5.6-5.6L5 6.4z",
};

export function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) {
    if (attribute.startsWith("on")) made.addEventListener(attribute.slice(2), value);
    else if (value === true) made.setAttribute(attribute, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(attribute, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export function icon(name, size = 22) {
  const made = document.createElementNS(SVG, "svg");
  const attributes = { viewBox: "0 0 24 24", width: size, height: size, "aria-hidden": "true", class: "icon" };
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  made.append(path);
  return made;
}

export const button = (label, attributes, ...children) =>
  el("button", { type: "button", "aria-label": label, title: label, ...attributes }, ...children);

/** Paint a slider's filled part, which browsers paint differently. */
export function fill(range) {
  const share = (range.value - range.min) / (range.max - range.min || 1);
  range.style.setProperty("--filled", `${(Math.max(0, Math.min(1, share)) * 100).toFixed(2)}%`);
}

/** Return a sentence with its fields filled in. */
export const said = (sentence, facts = {}) =>
  sentence.replace(/\{(\w+)\}/g, (whole, name) => (name in facts ? facts[name] : whole));

export const capitalised = (text, language) => text.charAt(0).toLocaleUpperCase(language) + text.slice(1);
