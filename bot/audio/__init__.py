"""Everything that opens or writes audio: the bot's side and its child processes.

`tools`, `tasks`, `wire`, `process`, `limits` and `spool` are all that the bot itself imports; the
other modules need PyAV, numpy or Pillow and belong to the children (`python -m bot.audio.child`),
so that the bot stays small and survives any file.
"""
