"""Soundverse's responses, as documented."""

from bot.domain.attempt import RemoteFile
from bot.domain.errors import (
    ProviderAuth,
    ProviderBusy,
    ProviderProtocol,
    ProviderQuotaSpent,
    ProviderRefused,
    SubmitUncertain,
)
from bot.domain.recipes import Stem
from bot.providers.interface import Finished
from bot.providers.soundverse import Soundverse
from tests.contract.vendor import Case, Vendor

NAMES = ("vocals", "Guitar", "Other", "Drums", "Bass", "Piano")
NSFW = "NSFW words detected. Please try again with a different prompt."
ARTIST = "Artist name detected. Please try again with a different prompt."


def audio(*names):
    return [{"audioName": name, "audioUrl": f"https://s.example/{name}.wav"} for name in names]


def files(*names):
    return Finished(
        tuple(RemoteFile(f"https://s.example/{name}.wav", Stem(name.lower())) for name in names)
    )


VENDOR = Vendor(
    adapter=Soundverse,
    base_url="https://api.soundverse.ai",
    is_polled=False,
    echo=lambda text: {"success": False, "message": text},
    submits={
        "vocals": Case(model="vocals", body=audio("vocals"), expected=files("vocals")),
        "instruments": Case(
            model="instruments", body=audio(*NAMES[1:]), expected=files(*NAMES[1:])
        ),
        "all stems": Case(model="all-stems", body=audio(*NAMES), expected=files(*NAMES)),
        "a stem of an unknown name": Case(body=audio("Kazoo", "VOCALS"), expected=files("VOCALS")),
        "more stems than the model declares": Case(
            model="vocals", body=audio(*NAMES), expected=files("vocals")
        ),
        "thousands of results of one name": Case(
            model="vocals", body=audio(*["vocals"] * 10_000), expected=ProviderProtocol
        ),
        "only unknown names": Case(body=audio("Kazoo"), expected=ProviderProtocol),
        "nothing": Case(body=[], expected=ProviderProtocol),
        "no address": Case(body=[{"audioName": "vocals"}], expected=ProviderProtocol),
        "an empty address": Case(
            body=[{"audioName": "vocals", "audioUrl": ""}], expected=ProviderProtocol
        ),
        "a mistyped name": Case(
            body=[{"audioName": 1, "audioUrl": "https://s.example/"}], expected=ProviderProtocol
        ),
        "a trailing comma, as in the documents": Case(
            body='[{"audioName": "Piano", "audioUrl": "str",}]', expected=ProviderProtocol
        ),
        **{
            f"{kind} with status {status}": Case(
                body={"success": False, "message": text}, status=status, expected=ProviderRefused
            )
            for kind, text in {"moderation": NSFW, "artist": ARTIST}.items()
            for status in (200, 400, 403, 422, 500)
        },
        "a refusal without a text": Case(body={"success": False}, expected=ProviderRefused),
        "success without results": Case(body={"success": True}, expected=ProviderProtocol),
        **{
            f"a failure with status {status}": Case(
                body={word: "str"}, status=status, expected=SubmitUncertain
            )
            for word, status in {"Detail": 200, "detail": 500}.items()
        },
        "a failure with status 400": Case(
            body={"Detail": "str"}, status=400, expected=SubmitUncertain
        ),
        "a refused key": Case(
            body={"detail": "Not authenticated"}, status=403, expected=ProviderAuth
        ),
        "a refused key, as a refusal": Case(
            body={"success": False, "message": "Invalid"}, status=401, expected=ProviderAuth
        ),
        "no credit": Case(body={"detail": "x"}, status=402, expected=ProviderQuotaSpent),
        "a limit": Case(body={"detail": "x"}, status=429, expected=ProviderBusy),
        "invalid": Case(body={"detail": [{"loc": []}]}, status=422, expected=ProviderRefused),
        "a moved service": Case(
            body={"detail": "Not Found"}, status=404, expected=ProviderProtocol
        ),
    },
    polls={},
)
