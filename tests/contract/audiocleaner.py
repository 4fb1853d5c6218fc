"""AudioCleaner's responses, as documented."""

from bot.domain.attempt import RemoteFile, RemoteRef
from bot.domain.errors import ProviderAuth, ProviderBusy, ProviderProtocol, ProviderQuotaSpent
from bot.domain.recipes import Stem
from bot.providers.audiocleaner import AudioCleaner
from bot.providers.interface import Accepted, Failed, Finished, Lost, Running
from tests.contract.vendor import Case, Vendor

JOB = "33b6251d7ba94edea8361c318736e746"
RESULTS = "https://resource.audiocleaner.ai/paid/output/result/202604/14"


def said(code, message="", data=None):
    return {"code": code, "data": {} if data is None else data, "message": message}


def task(status, **more):
    return said(100000, "Request Success", {"status": status, "file_type": "audio", **more})


REFUSALS = {
    "no credit": Case(body=said(100100, "Insufficient credit"), expected=ProviderQuotaSpent),
    "bad key": Case(body=said(101002, "Invalid API key"), expected=ProviderAuth),
    "rate limit": Case(body=said(101003, "API key rate limit exceeded"), expected=ProviderBusy),
    "concurrency limit": Case(
        body=said(101004, "API key concurrent request limit exceeded"), expected=ProviderBusy
    ),
    "suspended": Case(body=said(101005, "Your account is suspended."), expected=ProviderAuth),
    "key not enabled": Case(body=said(101006, "API key not enabled"), expected=ProviderAuth),
    "unknown code": Case(body=said(109999, "New"), expected=ProviderProtocol),
    "unknown code with 401": Case(body=said(401, "No"), status=401, expected=ProviderAuth),
    "code that is none": Case(body=said("abc"), expected=ProviderProtocol),
    "no code": Case(body={"data": {"job_id": JOB}}, expected=ProviderProtocol),
    "refusal without data": Case(body={"code": 100100}, expected=ProviderQuotaSpent),
    "refusal with a status": Case(body=said(101002), status=401, expected=ProviderAuth),
}

VENDOR = Vendor(
    adapter=AudioCleaner,
    base_url="https://audiocleaner.ai",
    ref=JOB,
    echo=lambda text: said(101003, text),
    submits={
        **REFUSALS,
        "accepted": Case(
            body=said(100000, "Request Success", {"job_id": JOB}),
            expected=Accepted(RemoteRef(JOB)),
        ),
        "accepted, more fields": Case(
            body={**said(100000, data={"job_id": JOB, "eta": 3}), "trace": "x"},
            expected=Accepted(RemoteRef(JOB)),
        ),
        "accepted without a job": Case(body=said(100000), expected=ProviderProtocol),
        "accepted with an empty job": Case(
            body=said(100000, data={"job_id": ""}), expected=ProviderProtocol
        ),
        "accepted with a mistyped job": Case(
            body=said(100000, data={"job_id": 7}), expected=ProviderProtocol
        ),
        "accepted with a list": Case(body=said(100000, data=[JOB]), expected=ProviderProtocol),
        "task not found": Case(body=said(101008), expected=ProviderProtocol),
    },
    polls={
        **REFUSALS,
        "task not found": Case(body=said(101008, "Task not found"), expected=Lost()),
        "waiting": Case(body=task("waiting", output={}), expected=Running()),
        "waiting without output": Case(body=task("waiting"), expected=Running()),
        "unknown word": Case(body=task("mastering"), expected=Running()),
        "failed": Case(body=task("failed"), expected=Failed("failed")),
        **{
            word: Case(body=task(word), expected=Failed(word.lower()))
            for word in ("error", "cancelled", "canceled", "timeout", "FAILED")
        },
        "done": Case(
            body=task(
                "success",
                video_url="https://resource.audiocleaner.ai/before.wav",
                output={
                    "vocals": f"{RESULTS}/1776146482_before_vocals.wav",
                    "other": f"{RESULTS}/1776146483_before_other.wav",
                },
                zip_url=f"{RESULTS}/1776146484_before.zip",
            ),
            expected=Finished(
                (
                    RemoteFile(f"{RESULTS}/1776146482_before_vocals.wav", Stem.VOCALS),
                    RemoteFile(f"{RESULTS}/1776146483_before_other.wav", Stem.OTHER),
                )
            ),
        ),
        "done, every key": Case(
            body=task(
                "success",
                output={
                    key: f"{RESULTS}/{key}"
                    for key in (
                        "vocals",
                        "drums",
                        "bass",
                        "piano",
                        "guitar",
                        "other",
                        "lead_vocals",
                        "backing_vocals",
                        "strings",
                        "wind",
                        "synthesizer",
                    )
                },
            ),
            expected=Finished(
                tuple(
                    RemoteFile(f"{RESULTS}/{key}", stem)
                    for key, stem in {
                        "vocals": Stem.VOCALS,
                        "drums": Stem.DRUMS,
                        "bass": Stem.BASS,
                        "piano": Stem.PIANO,
                        "guitar": Stem.GUITAR,
                        "other": Stem.OTHER,
                        "lead_vocals": Stem.LEAD_VOCALS,
                        "backing_vocals": Stem.BACKING_VOCALS,
                        "strings": Stem.STRINGS,
                        "wind": Stem.WIND,
                        "synthesizer": Stem.SYNTH,
                    }.items()
                )
            ),
        ),
        "done, with gaps and extras": Case(
            body=task(
                "success",
                output={"vocals": "https://r.example/v", "other": None, "bass": "", "mix": "m"},
            ),
            expected=Finished((RemoteFile("https://r.example/v", Stem.VOCALS),)),
        ),
        "done without results": Case(body=task("success", output={}), expected=ProviderProtocol),
        "done with null": Case(body=task("success", output=None), expected=ProviderProtocol),
        "mistyped results": Case(
            body=task("success", output={"vocals": ["u"]}), expected=ProviderProtocol
        ),
        "mistyped status": Case(body=task(3), expected=ProviderProtocol),
        "no data": Case(body=said(100000), expected=ProviderProtocol),
    },
)
