"""The page's panel of the cluster's processes."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import Browser, expect

from sandbox.bot_process import Program
from sandbox.cluster.activity import Activity
from sandbox.cluster.members import Member, Members
from sandbox.cluster.routes import ClusterRoutes
from sandbox.server import Sandbox

pytestmark = [pytest.mark.page, pytest.mark.asyncio(loop_scope="module")]


class Shown(Activity):
    """An activity with one song, which shows the state of real processes."""

    def written(self) -> dict[str, object]:
        song = {
            "title": "Neon Rain",
            "state": "processing",
            "percent": 42,
            "bots": ["bot-0", "standby-0"],
            "workers": ["worker-a"],
        }
        return {**super().written(), "songs": [song]}


@pytest_asyncio.fixture(loop_scope="module")
async def worker(tmp_path: Path) -> AsyncIterator[Member]:
    program = Program("-c", "import time; time.sleep(60)", environment={})
    async with program:
        yield Member(
            name="worker-a", role="worker", program=program, log=tmp_path / "log", ops_port=1
        )
        await program.kill()


@pytest_asyncio.fixture(loop_scope="module")
async def cluster(worker: Member) -> AsyncIterator[Sandbox]:
    members = Members()
    members.all.append(worker)
    activity = Shown(url="postgresql://me@127.0.0.1:1/x", members=members, shards=2)
    following = asyncio.create_task(activity.follow())
    routes: list[web.RouteDef] = ClusterRoutes(activity=activity, members=members).routes()
    async with Sandbox(cluster=routes) as sandbox:
        yield sandbox
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def test_the_panel_names_who_did_what_and_kills_a_process(
    browser: Browser, cluster: Sandbox, worker: Member
) -> None:
    page = await browser.new_page()
    await page.goto(f"{cluster.base_url}/")
    await page.get_by_role("button", name="Cluster").click()
    panel = page.get_by_role("dialog", name="Cluster")

    await expect(panel).to_contain_text("answered by bot-0, then standby-0; separated by worker-a")
    await expect(panel).to_contain_text("processing, 42 %")
    await panel.get_by_role("button", name="Kill worker-a").click()
    await expect(panel.locator(".cluster-process")).to_contain_text("down")
    assert not worker.program.is_running
    # It stays open while a user types.
    await page.get_by_role("combobox", name="Message").fill("la la")
    await expect(panel).to_be_visible()
    await page.get_by_role("button", name="Cluster").click()
    await expect(panel).to_have_count(0)
    await page.close()
