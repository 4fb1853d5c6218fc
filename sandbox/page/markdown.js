/** Converts Discord's Markdown to nodes. Everything else stays text, so hostile names do nothing. */

import { el } from "./dom.js";
import { relative, timestamp } from "./format.js";

const DEEPEST = 6;
const tagged = (tag) => (match, context) => el(tag, {}, inline(match[1], context));
const mention = (sign, kind) => (match, context) =>
  el("span", { class: "mention" }, sign + (context.nameOf?.(kind, match[1]) ?? `unknown-${kind}`));
const link = (href, ...text) =>
  el("a", { href, target: "_blank", rel: "noopener noreferrer nofollow" }, ...text);

function time([, seconds, style], { nowMs = Date.now(), locale }) {
  const date = new Date(Number(seconds) * 1000);
  return el(
    "time",
    {
      class: "timestamp",
      title: timestamp(date, "F", nowMs, locale),
      data: style === "R" ? { relative: String(date.getTime()) } : {},
    },
    timestamp(date, style, nowMs, locale),
  );
}

function spoiler(match, context) {
  const node = el("span", { class: "spoiler", role: "button", tabindex: "0", "aria-label": "Spoiler" });
  const reveal = () => {
    node.classList.add("revealed");
    for (const name of ["role", "tabindex", "aria-label"]) node.removeAttribute(name);
  };
  node.append(...inline(match[1], context));
  node.addEventListener("click", reveal);
  node.addEventListener("keydown", (event) => event.key === "Enter" && reveal());
  return node;
}

/** Rules tried in this order at every position, with longer marks before their prefixes. */
const RULES = [
  [/\\([^\w\s])/y, (match) => match[1]],
  [/(`+)([\s\S]*?[^`])\1(?!`)/y, (match) => el("code", {}, match[2].trim() || match[2])],
  [/<t:(-?\d{1,15})(?::([tTdDfFRsS]))?>/y, time],
  [/<@!?(\d+)>/y, mention("@", "user")],
  [/<#(\d+)>/y, mention("#", "channel")],
  [/<@&(\d+)>/y, mention("@", "role")],
  [/<\/([^:>\n]{1,100}):\d+>/y, (match) => el("span", { class: "mention" }, `/${match[1]}`)],
  [/<a?(:\w+:)\d+>/y, (match) => match[1]],
  [
    /\[([^\]\n]+)\]\(<?(https?:\/\/[^\s<>)]+)>?\)/y,
    (match, context) => link(match[2], inline(match[1], context)),
  ],
  [/<(https?:\/\/[^\s<>]+)>/y, (match) => link(match[1], match[1])],
  [/https?:\/\/[^\s<]*[^\s<.,:;"'\])]/y, (match) => link(match[0], match[0])],
  [/\*\*([\s\S]+?)\*\*(?!\*)/y, tagged("strong")],
  [/__([\s\S]+?)__(?!_)/y, tagged("u")],
  [/\*(?=\S)((?:\*\*|[^*])+?)\*(?!\*)/y, tagged("em")],
  [/\b_(?=\S)([^_]+?)_\b/y, tagged("em")],
  [/~~([\s\S]+?)~~/y, tagged("s")],
  [/\|\|([\s\S]+?)\|\|/y, spoiler],
];

export function inline(text, context) {
  const depth = (context.depth ?? 0) + 1;
  if (depth > DEEPEST) return [text];
  const inner = { ...context, depth };
  const nodes = [];
  let plain = "";
  const flush = () => plain && nodes.push(...broken(plain)) && (plain = "");
  for (let at = 0; at < text.length;) {
    const found = firstMatch(text, at);
    if (!found) plain += text[at++];
    else {
      flush();
      nodes.push(found.build(found.match, inner));
      at += found.match[0].length;
    }
  }
  flush();
  return nodes;
}

function firstMatch(text, at) {
  if (!"\\`<[h*_~|".includes(text[at])) return null;
  for (const [pattern, build] of RULES) {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match) return { match, build };
  }
  return null;
}

const broken = (text) => text.split("\n").flatMap((line, index) => (index ? [el("br"), line] : [line]));

const BLOCKS = [
  [/^(#{1,3}) +(.+)$/, (match, context) => el(`h${match[1].length}`, {}, inline(match[2], context))],
  [/^-# +(.+)$/, (match, context) => el("small", { class: "subtext" }, inline(match[1], context))],
];

/** Consecutive lines with the same mark become one quote or list. */
const RUNS = [
  [/^> ?(.*)$/, (lines, context) => el("blockquote", {}, inline(lines.join("\n"), context))],
  [
    /^\s*[-*] +(.+)$/,
    (lines, context) =>
      el(
        "ul",
        {},
        lines.map((line) => el("li", {}, inline(line, context))),
      ),
  ],
];

function blocks(text, context) {
  const lines = text.split("\n");
  const nodes = [];
  let paragraph = [];
  const flush = () => {
    if (paragraph.length) nodes.push(...inline(paragraph.join("\n"), context));
    paragraph = [];
  };
  while (lines.length) {
    const block = BLOCKS.find(([pattern]) => pattern.test(lines[0]));
    const run = RUNS.find(([pattern]) => pattern.test(lines[0]));
    if (!block && !run) {
      paragraph.push(lines.shift());
      continue;
    }
    flush();
    if (block) nodes.push(block[1](block[0].exec(lines.shift()), context));
    else nodes.push(run[1](takeRun(lines, run[0]), context));
  }
  flush();
  return nodes;
}

function takeRun(lines, pattern) {
  const taken = [];
  while (lines.length && pattern.test(lines[0])) taken.push(pattern.exec(lines.shift())[1]);
  return taken;
}

/** `context`: `nowMs`, the reader's `locale`, and `nameOf(kind, id)` for mentions. */
export function markdown(text, context = {}) {
  return String(text)
    .split(/```(?:[\w+-]*\n)?([\s\S]+?)```/)
    .flatMap((part, index) => {
      if (index % 2) return [el("pre", {}, el("code", {}, part.replace(/\n$/, "")))];
      return part ? blocks(part, context) : [];
    });
}

/** Keep `<t:…:R>` up to date. */
export function refreshTimestamps(root, nowMs, locale) {
  for (const node of root.querySelectorAll("time[data-relative]"))
    node.textContent = relative(new Date(Number(node.dataset.relative)), nowMs, locale);
}
