"""The CDN, which serves whole files or ranges at signed addresses."""

from aiohttp import web

from sandbox.media import MediaStore

_SHOWN_INLINE = ("audio/", "image/", "video/")


class Cdn:
    """Serves the media store's files."""

    def __init__(self, *, media: MediaStore) -> None:
        self._media = media

    def routes(self) -> list[web.RouteDef]:
        """Return the routes to serve."""
        return [
            web.get("/attachments/{channel}/{attachment}/{name}", self.get_file),
            web.get("/ephemeral-attachments/{channel}/{attachment}/{name}", self.get_file),
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
