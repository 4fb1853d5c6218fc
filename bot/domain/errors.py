"""Every error that Stemcord raises on purpose, in one tree; sentences for users are elsewhere.

SplitError
├── Rejected                the user can fix it; carries a Problem
│   └── QuotaExceeded       not enough minutes left
├── NotFound                no such job, or not the caller's (the two are not told apart)
├── StateMoved              the job left the expected state meanwhile: look again
├── SpendCapReached         other jobs took the last minutes under a cap: choose again
├── NoPlaceFree             the vendor has as many songs as it accepts: try again soon
├── StoreUnavailable        the store cannot write just now: try again later
│   ├── StoreBroken         it cannot be written until the operator fixes it
│   └── ObjectStoreUnavailable  the store of the jobs' files is unavailable
├── ObjectMissing           the object store has no such object
├── InvalidObjectStore      the address of the object store is misspelt
├── NoRoom                  the disk is full, or no process can be started: try again later
├── AudioFailed             an audio child died or ran out of time, through no fault of the file
│   └── ChildLost           the child was not started, or not run to its end
├── DoesNotFit              no encoding is small enough (audio/tasks.py)
├── EngineFailed            the separation worker died or gave up
│   └── EngineStarved       memory ran out (engine/worker_host.py)
│       └── OutOfMemory     the worker itself said so
├── ModelUnavailable        the embedded model is not on this machine and cannot be fetched
├── InvalidAddress          not a web address with a host (net/addresses.py)
├── DownloadError           a file could not be fetched (net/downloads.py)
│   ├── DownloadRefused     this address will never give the file
│   ├── DownloadTooBig      larger than allowed
│   └── DownloadFailed      the network or the server failed: try again
├── RenewalUnavailable      Discord cannot renew an address just now (scheduling/sources.py)
├── NotAcknowledged         Discord did not accept the answer to a command (ui/acknowledgement.py)
├── ReplyUnavailable        the reply cannot be written just now: try again (delivery/port.py)
└── ProviderError           one provider, one call
    ├── ProviderBusy        at a limit; try the same one later
    ├── ProviderQuotaSpent  the operator's credit is used up
    ├── ProviderAuth        the key is refused or suspended
    ├── ProviderDown        unreachable or 5xx, and nothing was started
    ├── ProviderProtocol    an answer that contradicts its documentation
    │   └── ResultTooBig        a result with more bytes than any song's; never fetch it again
    ├── ProviderRefused     this provider cannot do this file; another may
    │   └── ProviderStarved     this machine has too little memory for it
    ├── SubmitUncertain     the submit may have arrived; never send it again
    └── ResultsNotFetched   results exist but did not arrive; fetch them again
        └── ResultsUnreachable  the server that holds them is unreachable
"""

import errno
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""Error numbers that mean a full disk."""
MAX_RETRY_AFTER_S = 900.0
"""The longest wait that is accepted from a provider; longer ones are cut to this."""
CANNOT_START = frozenset({errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE})
"""Error numbers that mean a lack of processes, memory or descriptors."""


class Reason(StrEnum):
    """The reason why a request was refused or a job ended without a result; stored with the job."""

    NOT_AUDIO = "not_audio"
    EMPTY_FILE = "empty_file"
    NO_AUDIO_TRACK = "no_audio_track"
    BROKEN_FILE = "broken_file"
    UNREAD_KIND = "unread_kind"
    UNREAD_CODEC = "unread_codec"
    TOO_SHORT = "too_short"
    TOO_BIG = "too_big"
    TOO_LONG = "too_long"
    DOWNLOAD_FAILED = "download_failed"
    TOO_MANY_JOBS = "too_many_jobs"
    QUOTA = "quota"
    SPEND_CAP = "spend_cap"
    BLOCKED = "blocked"
    BLOCKED_HERE = "blocked_here"
    WRONG_CHANNEL = "wrong_channel"
    NOT_OFFERED_HERE = "not_offered_here"
    UNKNOWN_RECIPE = "unknown_recipe"
    UNKNOWN_PROVIDER = "unknown_provider"
    NO_PROVIDER = "no_provider"
    PROVIDERS_FAILED = "providers_failed"
    TIMED_OUT = "timed_out"
    BUSY = "busy"
    DISK_FULL = "disk_full"
    UNACKNOWLEDGED = "unacknowledged"
    STOPPED_BY_USER = "stopped_by_user"
    STOPPED_BY_MANAGER = "stopped_by_manager"
    FILES_EXPIRED = "files_expired"
    SOURCE_GONE = "source_gone"
    STEMS_LOST = "stems_lost"
    NO_AUDIO_HERE = "no_audio_here"
    ONE_SHOWING = "one_showing"
    INTERNAL = "internal"
    OWNER_ONLY = "owner_only"
    MANAGERS_ONLY = "managers_only"
    SERVER_ONLY = "server_only"
    NO_SUCH_SERVER = "no_such_server"
    ONE_OF_TWO = "one_of_two"
    RAISES_ALLOWANCE = "raises_allowance"
    POOL_TOO_SMALL = "pool_too_small"
    UNREADABLE_FILES = "unreadable_files"
    TOO_MANY_REPEATS = "too_many_repeats"
    MACHINE_TOO_SMALL = "machine_too_small"
    NO_TIME_STRETCH = "no_time_stretch"
    NO_SUCH_MIX = "no_such_mix"
    RENDER_LIMIT = "render_limit"
    ONE_BATCH = "one_batch"
    TOO_MANY_SONGS = "too_many_songs"
    OUT_OF_RANGE = "out_of_range"
    NO_SOUNDBOARD = "no_soundboard"
    MAY_NOT_ADD_SOUNDS = "may_not_add_sounds"
    BOT_MAY_NOT_ADD_SOUNDS = "bot_may_not_add_sounds"
    SOUNDBOARD_FULL = "soundboard_full"
    SOUND_REFUSED = "sound_refused"


@dataclass(frozen=True, slots=True)
class Problem:
    """A reason with the figures for its sentence, such as a limit in minutes."""

    reason: Reason
    facts: Mapping[str, int | str] = field(default_factory=dict)


class SplitError(Exception):
    """Base of all errors that Stemcord raises on purpose."""


class Rejected(SplitError):
    """The request cannot be served as it is, and the user can fix it."""

    def __init__(self, reason: Reason, **facts: int | str) -> None:
        super().__init__(reason.value)
        self.problem = Problem(reason, facts)


class QuotaExceeded(Rejected):
    """The song needs more minutes than are left in the period.

    `shared` is the number of minutes left in the server. They cannot be combined with the user's
    own, because a song is paid from a single account.
    """

    def __init__(
        self, *, needed: int, left: int, allowance: int, resets_at: int, shared: int = 0
    ) -> None:
        facts = {"needed": needed, "left": left, "allowance": allowance, "resets_at": resets_at}
        super().__init__(Reason.QUOTA, **facts, **({"shared": shared} if shared else {}))


class NotFound(SplitError):
    """The job does not exist, or the caller may not access it."""


class StateMoved(SplitError):
    """The job was not in the expected state, so nothing was written."""


class SpendCapReached(SplitError):
    """The attempt would exceed a cap on submitted minutes, so nothing was written."""


class NoPlaceFree(SplitError):
    """The vendor already has as many songs as it accepts, so nothing was written."""


class StoreUnavailable(SplitError):
    """The store is locked, full or missing at the moment, so nothing was written."""


class StoreBroken(StoreUnavailable):
    """The store is read-only, gone or replaced, which only the operator can fix."""


class ObjectStoreUnavailable(StoreUnavailable):
    """The object store cannot be used at the moment; whether an object exists is unknown."""


class ObjectMissing(SplitError):
    """The object store is available, and has no object with this key."""


class InvalidObjectStore(SplitError, ValueError):
    """The address of the object store, or a variable of its service, is misspelt.

    The text says what is expected, without the value found.
    """


class NoRoom(SplitError):
    """The disk is full or no process can be started; a later try may succeed."""


class AudioFailed(SplitError):
    """An audio child process died or was stopped at its time limit."""


class ChildLost(AudioFailed):
    """An audio child could not be started, was killed, or took too long."""


class EngineFailed(SplitError):
    """The separation worker died, hung or reported a failure."""


class ModelUnavailable(SplitError):
    """The model's files are missing or wrong; the text is a sentence for the operator."""


class ProviderError(SplitError):
    """A call to one provider went wrong."""


class ProviderBusy(ProviderError):
    """The provider's rate or concurrency limit was reached; nothing was started.

    `retry_after_s` is the wait that the provider asked for, at most `MAX_RETRY_AFTER_S`.
    """

    def __init__(self, message: str = "", *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        if retry_after_s is not None:
            retry_after_s = min(retry_after_s, MAX_RETRY_AFTER_S)
        self.retry_after_s = retry_after_s


class ProviderQuotaSpent(ProviderError):
    """The operator's credit with the provider is used up; nothing was started."""


class ProviderAuth(ProviderError):
    """The key is wrong or not enabled, or its account is suspended; nothing was started."""


class ProviderDown(ProviderError):
    """The provider was unreachable or answered 5xx, and the call provably started nothing."""


class ProviderProtocol(ProviderError):
    """The provider's answer contradicts its documentation."""


class ResultTooBig(ProviderProtocol):
    """A result is larger than the result of any song, and would be so at each fetch."""


class ProviderRefused(ProviderError):
    """The provider refuses this file. Others may accept it, so this causes no cooldown."""


class ProviderStarved(ProviderRefused):
    """The machine has too little memory for this provider, which only the operator can fix."""


class SubmitUncertain(ProviderError):
    """The submit may have arrived although no answer came, so it must never be sent again."""


class ResultsNotFetched(ProviderError):
    """The results exist but could not be fetched; a later try, perhaps with new links, may
    succeed.
    """


class ResultsUnreachable(ResultsNotFetched):
    """The server that holds the results is unreachable; the results themselves may be intact."""
