"""All of Discord that is not a command: client, replies, cards, buttons, sentences."""
