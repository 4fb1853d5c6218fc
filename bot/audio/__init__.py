"""Everything that opens or writes audio: the bot's side and its child processes.

The bot imports only `tools`, `tasks`, `wire` and `spool`. `child` needs PyAV, numpy or Pillow and
runs in child processes (`python -m bot.audio.child`). This keeps the bot small, and no file can
crash it.
"""
