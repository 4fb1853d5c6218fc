"""The part of the control API with which the page shows the cluster and kills its processes."""

from aiohttp import web

from sandbox.cluster.activity import Activity
from sandbox.cluster.members import Members
from sandbox.invocations import NotAllowed


class ClusterRoutes:
    """Handlers below `/sandbox/cluster`."""

    def __init__(self, *, activity: Activity, members: Members) -> None:
        self._activity = activity
        self._members = members

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.get("/cluster", self.show),
            web.post("/cluster/{name}/kill", self.kill),
        ]

    async def show(self, request: web.Request) -> web.Response:
        """Answer with all processes and the latest songs."""
        return web.json_response(self._activity.written())

    async def kill(self, request: web.Request) -> web.Response:
        """Kill a process."""
        try:
            await self._members.kill(request.match_info["name"])
        except KeyError as exc:
            raise NotAllowed(f"There is no process {exc}.") from exc
        return web.json_response(self._activity.written())
