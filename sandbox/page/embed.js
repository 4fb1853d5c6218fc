/** Renders an embed: colour bar, author, title, text, fields, pictures and footer. */

import { mediaUrl } from "./api.js";
import { picture } from "./attachments.js";
import { el } from "./dom.js";
import { messageTime } from "./format.js";
import { inline, markdown } from "./markdown.js";

const ATTACHED = "attachment://";
const INLINE_A_ROW = 3;

/** The names of attachments shown in embeds, which Discord does not list again. */
export function namesShown(embeds, attachments) {
  const named = embeds.flatMap(({ image, thumbnail }) => [image?.url, thumbnail?.url]).filter(Boolean);
  const shown = attachments.filter(
    ({ filename, url }) => named.includes(ATTACHED + filename) || named.includes(url),
  );
  return new Set(shown.map(({ filename }) => filename));
}

function imageUrl(media, attachments) {
  const url = String(media?.url ?? "");
  if (!url) return "";
  if (!url.startsWith(ATTACHED)) return mediaUrl(media?.proxy_url ?? url);
  const file = attachments.find(({ filename }) => filename === url.slice(ATTACHED.length));
  return file ? mediaUrl(file.url) : "";
}

function linked(text, url, context, className) {
  if (!text) return null;
  const isLink = /^https?:\/\//.test(url ?? "");
  const props = isLink ? { href: url, target: "_blank", rel: "noopener noreferrer nofollow" } : {};
  return el(isLink ? "a" : "div", { class: className, ...props }, inline(text, context));
}

/** Up to three inline fields share a row. A single or wide field fills it. */
function fieldNodes(fields, context) {
  const nodes = [];
  let row = [];
  const flush = () => {
    if (row.length) nodes.push(el("div", { class: `fields by-${row.length}` }, row));
    row = [];
  };
  for (const field of fields) {
    if (!field.inline || row.length === INLINE_A_ROW) flush();
    const name = el("div", { class: "field-name" }, inline(field.name, context));
    row.push(
      el(
        "div",
        { class: "field" },
        name,
        el("div", { class: "field-value" }, markdown(field.value, context)),
      ),
    );
    if (!field.inline) flush();
  }
  flush();
  return nodes;
}

function footerNode(footer, at, context) {
  const when = at && messageTime(new Date(at), context.nowMs);
  const text = [footer?.text, when].filter(Boolean).join(" • ");
  return text ? el("div", { class: "embed-footer" }, text) : null;
}

export function embedNode(embed, { attachments, context, onOpen }) {
  const image = imageUrl(embed.image, attachments);
  const thumbnail = imageUrl(embed.thumbnail, attachments);
  const node = el(
    "article",
    { class: "embed" },
    el(
      "div",
      { class: "embed-body" },
      el(
        "div",
        { class: "embed-text" },
        linked(embed.author?.name, embed.author?.url, context, "embed-author"),
        linked(embed.title, embed.url, context, "embed-title"),
        embed.description && el("div", { class: "embed-description" }, markdown(embed.description, context)),
        fieldNodes(embed.fields ?? [], context),
      ),
      thumbnail && picture(thumbnail, { className: "embed-thumbnail", onOpen }),
    ),
    image && picture(image, { alt: embed.image.description ?? "", className: "embed-image", onOpen }),
    footerNode(embed.footer, embed.timestamp, context),
  );
  if (embed.color) node.style.borderLeftColor = `#${embed.color.toString(16).padStart(6, "0")}`;
  return node;
}
