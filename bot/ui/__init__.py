"""Everything about Discord but the commands: client, replies, cards, buttons, sentences."""
