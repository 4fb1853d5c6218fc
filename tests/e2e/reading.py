"""Reads the texts and files of a message."""

from sandbox.errors import Json

NOTHING_CHARGED = "Nothing was charged."


def text(message: Json) -> str:
    """Return the text of a message and its embeds, line by line."""
    parts = [message["content"]]
    for embed in message["embeds"]:
        parts += [embed.get("title", ""), embed.get("description", "")]
        parts.append(embed.get("footer", {}).get("text", ""))
    return "\n".join(part for part in parts if part)


def stems(message: Json) -> list[Json]:
    return [each for each in message["attachments"] if each["content_type"].startswith("audio/")]


def names(message: Json) -> list[str]:
    return [each["filename"] for each in stems(message)]


def picture(message: Json) -> Json | None:
    """Return the card's picture, which Discord lists in the embed and not as an attachment."""
    found = [embed["image"] for embed in message["embeds"] if "image" in embed]
    return found[0] if found else None


def is_over(message: Json) -> bool:
    """Return whether the reply is final: stems, a card without stems, or a plain refusal."""
    is_plain = bool(message["content"]) and not message["embeds"]
    return bool(stems(message)) or NOTHING_CHARGED in text(message) or is_plain


def sentences(message: Json) -> list[str]:
    """Return the sentences of a card without stems or a plain refusal, without title and id."""
    if message["content"]:
        return [str(message["content"])]
    return [line for embed in message["embeds"] for line in embed["description"].splitlines()]
