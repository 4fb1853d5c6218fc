"""The CDN: serves files at their signed addresses, in whole or in part, and sounds at theirs."""

from aiohttp import web

from sandbox.media import MediaStore
from sandbox.world import World

_SHOWN_INLINE = ("audio/", "image/", "video/")


class Cdn:
    """Serves what the media store keeps, and the sounds of soundboards."""

    def __init__(self, *, media: MediaStore, world: World) -> None:
        self._media = media
        self._world = world

    def routes(self) -> list[web.RouteDef]:
        """Return the routes to serve."""
        return [
            web.get("/attachments/{channel}/{attachment}/{name}", self.get_file),
            web.get("/ephemeral-attachments/{channel}/{attachment}/{name}", self.get_file),
            web.get("/soundboard-sounds/{sound:\\d+}", self.get_sound),
        ]

    async def get_file(self, request: web.Request) -> web.StreamResponse:
        """Send a file, or a 404 for an expired, forged or deleted address, as Discord does."""
        attachment = self._media.find(request.rel_url.raw_path, request.rel_url.raw_query_string)
        if attachment is None:
            return web.Response(status=404, text="This content is no longer available.")
        is_inline = attachment.content_type.startswith(_SHOWN_INLINE)
        disposition = "inline" if is_inline else "attachment"
        return web.FileResponse(
            attachment.path,
            headers={
                "Content-Type": attachment.content_type,
                "Content-Disposition": f'{disposition}; filename="{attachment.filename}"',
                "X-Content-Type-Options": "nosniff",
                "Content-Security-Policy": "sandbox",
            },
        )

    async def get_sound(self, request: web.Request) -> web.StreamResponse:
        """Send a sound; addresses of sounds are not signed."""
        sound = self._world.sounds.get(int(request.match_info["sound"]))
        if sound is None:
            return web.Response(status=404, text="This content is no longer available.")
        headers = {"Content-Type": sound.content_type, "X-Content-Type-Options": "nosniff"}
        return web.FileResponse(sound.path, headers=headers)
