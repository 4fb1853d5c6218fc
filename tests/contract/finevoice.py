"""FineVoice's responses, in both forms that have been documented."""

from bot.domain.attempt import RemoteFile, RemoteRef
from bot.domain.errors import (
    ProviderAuth,
    ProviderBusy,
    ProviderProtocol,
    ProviderQuotaSpent,
    ProviderRefused,
    SubmitUncertain,
)
from bot.domain.recipes import Stem
from bot.providers.finevoice import FineVoice
from bot.providers.interface import Accepted, Failed, Finished, Lost, Running
from tests.contract.vendor import Case, Vendor

TASK = "a1b2c3d4-e5f6-7890-abcd-ef1234567890"
CDN = "https://files.example/9f"
VOCALS, NO_VOCALS = f"{CDN}/song_vocals.mp3", f"{CDN}/song_no_vocals.mp3"
PAIR = Finished((RemoteFile(VOCALS, Stem.VOCALS), RemoteFile(NO_VOCALS, Stem.INSTRUMENTAL)))
SIX = ("vocals", "drums", "bass", "guitar", "piano", "other")
ACCEPTED = Accepted(RemoteRef(f"vocal-remover:{TASK}"))


def failing(status, code="E1", message="No"):
    return {"status": status, "error": {"code": code, "message": message}}


ENDINGS = {
    "done": Case(body={"status": 200, "urls": [VOCALS, NO_VOCALS]}, expected=PAIR),
    "done, a status in a string": Case(
        body={"status": "200", "urls": [VOCALS, NO_VOCALS]}, expected=PAIR
    ),
    "done, everything filled in": Case(
        body={
            "status": 200,
            "url": VOCALS,
            "urls": [VOCALS, NO_VOCALS],
            "taskId": TASK,
            "error": None,
            "service": "s",
            "port": "80",
            "timestamp": "t",
        },
        expected=PAIR,
    ),
    "done, an older shape": Case(
        body={"task_id": TASK, "status": "completed", "urls": [NO_VOCALS, VOCALS]},
        expected=Finished(PAIR.files[::-1]),
    ),
    "done, one nameless among two": Case(
        body={"status": 200, "urls": [f"{CDN}/song.mp3", NO_VOCALS]},
        expected=Finished((RemoteFile(f"{CDN}/song.mp3", Stem.VOCALS), PAIR.files[1])),
    ),
    "done, what is left is called other": Case(
        body={"status": 200, "urls": [VOCALS, f"{CDN}/song_other.mp3"]},
        expected=Finished((PAIR.files[0], RemoteFile(f"{CDN}/song_other.mp3", Stem.INSTRUMENTAL))),
    ),
    "done, nothing named": Case(
        body={"status": 200, "urls": [f"{CDN}/1.mp3", f"{CDN}/2.mp3"]},
        expected=Finished((RemoteFile(f"{CDN}/1.mp3"), RemoteFile(f"{CDN}/2.mp3"))),
    ),
    "done, a single url": Case(
        body={"status": 200, "url": VOCALS, "urls": []},
        expected=Finished((RemoteFile(VOCALS, Stem.VOCALS),)),
    ),
    "no status": Case(body={"taskId": TASK}, expected=ProviderProtocol),
    "a mistyped status": Case(body={"status": [200]}, expected=ProviderProtocol),
    "mistyped urls": Case(body={"status": 200, "urls": VOCALS}, expected=ProviderProtocol),
    "done without results": Case(body={"status": 200}, expected=ProviderProtocol),
    "a refused key in the body": Case(body=failing(401), expected=ProviderAuth),
    "no credit in the body": Case(body=failing(402), expected=ProviderQuotaSpent),
    "a limit in the body": Case(body=failing(429), expected=ProviderBusy),
}

VENDOR = Vendor(
    adapter=FineVoice,
    base_url="https://apis.finevoice.ai",
    ref=f"vocal-remover:{TASK}",
    echo=lambda text: failing(500, message=text),
    submits={
        **ENDINGS,
        "accepted": Case(body={"status": 202, "taskId": TASK}, expected=ACCEPTED),
        "accepted, HTTP 202": Case(
            body={"status": 202, "taskId": TASK}, status=202, expected=ACCEPTED
        ),
        "accepted, an older shape": Case(
            body={"task_id": TASK, "status": "pending"}, expected=ACCEPTED
        ),
        "accepted, an unknown word": Case(
            body={"task_id": TASK, "status": "queued"}, expected=ACCEPTED
        ),
        "accepted as done without results": Case(
            body={"status": 200, "taskId": TASK, "urls": [], "url": ""}, expected=ACCEPTED
        ),
        "accepted without a task": Case(body={"status": 202}, expected=ProviderProtocol),
        "accepted with an empty task": Case(
            body={"status": 202, "taskId": ""}, expected=ProviderProtocol
        ),
        "six stems": Case(
            model="htdemucs_6s-4",
            body={"status": 200, "urls": [f"{CDN}/x_{name}.wav" for name in SIX]},
            expected=Finished(tuple(RemoteFile(f"{CDN}/x_{name}.wav", Stem(name)) for name in SIX)),
        ),
        "without reverb": Case(
            model="reverb",
            body={"status": 200, "url": f"{CDN}/out.wav"},
            expected=Finished((RemoteFile(f"{CDN}/out.wav", Stem.DRY),)),
        ),
        "without reverb, and the reverb": Case(
            model="reverb",
            body={"status": 200, "urls": [f"{CDN}/a_reverb.wav", f"{CDN}/a_no_reverb.wav"]},
            expected=Finished((RemoteFile(f"{CDN}/a_no_reverb.wav", Stem.DRY),)),
        ),
        "three nameless where two are declared": Case(
            body={"status": 200, "urls": [f"{CDN}/{number}.mp3" for number in range(3)]},
            expected=ProviderProtocol,
        ),
        "thousands of results": Case(
            body={"status": 200, "urls": [f"{CDN}/{number}.mp3" for number in range(20_000)]},
            expected=ProviderProtocol,
        ),
        "thousands of results beside the declared ones": Case(
            body={"status": 200, "urls": [VOCALS, NO_VOCALS, *(f"{CDN}/{n}" for n in range(9000))]},
            expected=PAIR,
        ),
        "invalid": Case(body={"detail": []}, status=422, expected=ProviderRefused),
        "invalid in the body": Case(body=failing(422), expected=ProviderRefused),
        "failed": Case(body=failing(500), expected=SubmitUncertain),
        "failed, an older shape": Case(
            body={"task_id": TASK, "status": "failed", "error": "No"}, expected=SubmitUncertain
        ),
    },
    polls={
        **ENDINGS,
        "running": Case(body={"status": 202, "taskId": TASK}, expected=Running()),
        "running, an older shape": Case(
            body={"task_id": TASK, "status": "processing"}, expected=Running()
        ),
        "unknown word": Case(body={"status": "mastering"}, expected=Running()),
        "a status of too many digits": Case(body={"status": "9" * 5000}, expected=Running()),
        "failed": Case(body=failing(500), expected=Failed("status 500: E1 No")),
        "failed without an error": Case(body={"status": 500}, expected=Failed("status 500: ")),
        "failed, an older shape": Case(
            body={"status": "failed", "error": "No"}, expected=Failed("status failed: No")
        ),
        "failed for this file": Case(
            body=failing(422), expected=Failed("status 422: E1 No", refused=True)
        ),
        "unknown": Case(body={"detail": "Not Found"}, status=404, expected=Lost()),
        "unknown in the body": Case(body=failing(404), expected=Lost()),
    },
)
