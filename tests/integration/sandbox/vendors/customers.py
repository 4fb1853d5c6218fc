"""Customers of the vendors, which send the documented sample requests over plain HTTP."""

import asyncio
from typing import Any

import httpx

from sandbox.vendors.forms import KEY

WAIT_S = 5.0
Json = dict[str, Any]


class Customer:
    """A customer of one vendor. Paths of `http` are relative to the vendor's base address."""

    vendor = ""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def submit(self, song: str, *, key: str = KEY) -> httpx.Response:
        raise NotImplementedError

    async def ask(self, submitted: httpx.Response) -> httpx.Response:
        """Poll a task. A vendor without tasks has already answered."""
        return submitted

    def state(self, answer: httpx.Response) -> object:
        raise NotImplementedError

    def links(self, answer: httpx.Response) -> list[str]:
        raise NotImplementedError

    async def finished(self, submitted: httpx.Response) -> httpx.Response:
        async with asyncio.timeout(WAIT_S):
            while self.state(answer := await self.ask(submitted)) in ("waiting", 202):
                await asyncio.sleep(0.02)
        return answer

    async def results(self, song: str) -> list[str]:
        """Return the addresses of a song's stems."""
        return self.links(await self.finished(await self.submit(song)))


class AudioCleanerCustomer(Customer):
    vendor = "audiocleaner"
    model = 501

    async def submit(self, song: str, *, key: str = KEY) -> httpx.Response:
        body = {"model_type": self.model, "inputurl": song}
        path = "/audio/api/v1/api-keys/separation/task/create"
        return await self.http.post(path, json=body, headers={"api-key": key})

    async def ask(self, submitted: httpx.Response) -> httpx.Response:
        return await self.get(submitted.json()["data"]["job_id"])

    async def get(self, job_id: object) -> httpx.Response:
        path = "/audio/api/v1/api-keys/separation/task/get"
        return await self.http.post(path, json={"job_id": job_id}, headers={"api-key": KEY})

    def state(self, answer: httpx.Response) -> object:
        return answer.json()["data"].get("status")

    def links(self, answer: httpx.Response) -> list[str]:
        return list(answer.json()["data"]["output"].values())


class FineVoiceCustomer(Customer):
    vendor = "finevoice"
    model = "vocal-remover"
    is_async: object = True

    async def submit(self, song: str, *, key: str = KEY) -> httpx.Response:
        body = {"sourceUrl": song, "model": self.model, "useAsync": self.is_async}
        headers = {"Authorization": f"Bearer {key}"}
        return await self.http.post("/v1/audio/separation", json=body, headers=headers)

    async def ask(self, submitted: httpx.Response) -> httpx.Response:
        return await self.get(submitted.json()["taskId"])

    async def get(self, task_id: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {KEY}"}
        return await self.http.get(f"/v1/task/{task_id}", headers=headers)

    def state(self, answer: httpx.Response) -> object:
        return answer.json()["status"]

    def links(self, answer: httpx.Response) -> list[str]:
        body = answer.json()
        return body.get("urls") or [body["url"]]


class SoundverseCustomer(Customer):
    vendor = "soundverse"
    model = "vocals"

    async def submit(self, song: str, *, key: str = KEY) -> httpx.Response:
        path = f"/v1/generate/stem-separation/{self.model}"
        headers = {"Authorization": f"Bearer {key}"}
        return await self.http.post(path, json={"audioUrl": song}, headers=headers)

    def state(self, answer: httpx.Response) -> object:
        return answer.status_code

    def links(self, answer: httpx.Response) -> list[str]:
        return [stem["audioUrl"] for stem in answer.json()]


CUSTOMERS: dict[str, type[Customer]] = {
    each.vendor: each for each in (AudioCleanerCustomer, FineVoiceCustomer, SoundverseCustomer)
}
