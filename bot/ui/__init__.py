"""The Discord side of the bot except the commands: client, replies, cards, buttons, sentences."""
