/** Renders a message's files: audio players, images and downloads. */

import { mediaUrl } from "./api.js";
import { el, icon } from "./dom.js";
import { fileSize } from "./format.js";
import { player } from "./player.js";

const AUDIO = /\.(mp3|flac|wav|ogg|opus|m4a|aac)$/i;
const IMAGE = /\.(png|jpe?g|gif|webp|avif)$/i;

function kindOf({ content_type: type = "", filename }) {
  const declared = type?.split("/")[0];
  if (declared === "audio" || declared === "image") return declared;
  if (AUDIO.test(filename)) return "audio";
  return IMAGE.test(filename) ? "image" : "file";
}

function head(attachment, url) {
  const name = el(
    "a",
    { class: "file-name", href: url, download: attachment.filename, title: attachment.filename },
    attachment.filename,
  );
  const download = el(
    "a",
    {
      class: "icon-button",
      href: url,
      download: attachment.filename,
      "aria-label": `Download ${attachment.filename}`,
    },
    icon("download"),
  );
  return el(
    "div",
    { class: "file-head" },
    el("span", { class: "file-icon" }, icon(kindOf(attachment) === "audio" ? "note" : "file", 26)),
    el("div", { class: "file-text" }, name, el("span", { class: "file-size" }, fileSize(attachment.size))),
    download,
  );
}

export function picture(url, { alt = "", className, onOpen }) {
  const image = el("img", { src: url, alt, loading: "lazy" });
  return el(
    "button",
    {
      type: "button",
      class: `picture ${className}`,
      "aria-label": `Open picture ${alt}`,
      onclick: () => onOpen(url, alt),
    },
    image,
  );
}

const descriptionNode = ({ id, description }) =>
  el("p", { class: "file-description", id: `description-${id}` }, description);

function attachmentNode(attachment, { onOpen }) {
  const url = mediaUrl(attachment.url);
  const name = attachment.filename;
  const kind = kindOf(attachment);
  if (kind === "image")
    return picture(url, { alt: attachment.description ?? name, className: "attached", onOpen });
  const node = el(
    "div",
    { class: `file ${kind}`, data: { attachment: attachment.id } },
    head(attachment, url),
  );
  const description = attachment.description && descriptionNode(attachment);
  if (kind === "audio") node.append(player({ url, name, describedBy: description?.id }));
  if (description) node.append(description);
  return node;
}

/** Keep the player and update its links, because addresses get a new signature each time. */
function renewed(node, { url }) {
  for (const link of node.querySelectorAll("a[download]")) link.href = mediaUrl(url);
  return node;
}

/**
 * Return nodes for the attachments that no embed shows.
 * `kept` holds the message's previous nodes, so that a song keeps playing while its card changes.
 */
export function attachmentNodes(attachments, { shownElsewhere, kept, onOpen }) {
  return attachments
    .filter(({ filename }) => !shownElsewhere.has(filename))
    .map((attachment) => {
      const old = kept.get(attachment.id);
      return old ? renewed(old, attachment) : attachmentNode(attachment, { onOpen });
    });
}

export function keptAudio(node) {
  const files = node ? node.querySelectorAll(".file.audio[data-attachment]") : [];
  return new Map([...files].map((file) => [file.dataset.attachment, file]));
}
