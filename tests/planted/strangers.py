"""Bugs in the permissions and limits of actions on a result."""

from tests.planted.plant import Plant

_STRANGERS = ("tests/integration/conversations/test_strangers.py",)
_CROWD = ("tests/integration/conversations/test_many_at_once.py",)
_PRESENTER = "bot/ui/replies/result_presenter.py"

STRANGERS = (
    Plant(
        name="a stranger in the channel sees private results",
        file="bot/jobs/split_service.py",
        old="if job.request.user_id != user_id and not (is_public and is_here):",
        new="if job.request.user_id != user_id and not is_here:",
        tests=_STRANGERS,
    ),
    Plant(
        name="a stranger asks for any key",
        file="bot/domain/renditions.py",
        old='_check("cents", self.cents, -MAX_CENTS, MAX_CENTS)',
        new='_check("cents", self.cents, -99 * MAX_CENTS, 99 * MAX_CENTS)',
        tests=_STRANGERS,
    ),
    Plant(
        name="a stranger who is blocked renders on",
        file=_PRESENTER,
        old="await self._check_person(interaction)\n        with self._render_limit.taking(",
        new="pass\n        with self._render_limit.taking(",
        tests=_STRANGERS,
    ),
    Plant(
        name="a stranger's mix may be silent",
        file="bot/delivery/stem_renderer.py",
        old="if not any(part.level_percent for _, part in parts):",
        new="if not parts:",
        tests=_STRANGERS,
    ),
    Plant(
        name="strangers in a server see what was split among friends",
        file=_PRESENTER,
        old="return job.reply.is_ephemeral or (job.reply.guild_id is None and is_elsewhere)",
        new="return job.reply.is_ephemeral",
        tests=("tests/integration/conversations/test_buttons.py",),
    ),
    Plant(
        name="a card that is called too large stays as it is",
        file="bot/ui/replies/message_requests.py",
        old="if kind is FailureKind.TOO_LARGE and not content.files:",
        new="if kind is FailureKind.TOO_LARGE and content.files is ...:",
        tests=("tests/unit/ui/replies/test_edit_routes.py",),
    ),
    Plant(
        name="a crowd waits without bound",
        file=_PRESENTER,
        old="if len(self._busy) >= MAX_WAITING:",
        new="if len(self._busy) >= 100 * MAX_WAITING:",
        tests=_CROWD,
    ),
    Plant(
        name="a crowd's open replies are not on record",
        file=_PRESENTER,
        old="await self._open_replies.add(_open_reply_of(",
        new="str(_open_reply_of(",
        tests=_CROWD,
    ),
    Plant(
        name="minutes of failed renditions are not given back",
        file="bot/accounts/user_limits.py",
        old="                taken.remove(entry)",
        new="                pass",
        tests=("tests/unit/accounts/test_user_limits.py",),
    ),
    Plant(
        name="packs of a page outlive its time",
        file="bot/mixer/mixer_routes.py",
        old="            return self._gone(job)\n        if int(name[1])",
        new="            pass\n        if int(name[1])",
        tests=("tests/integration/mixer/test_mixer_routes.py",),
    ),
    Plant(
        name="a job fails with its rendition",
        file="bot/jobs/deliver.py",
        old="delivering.failed_renditions >= RENDERING_TRIES",
        new="delivering.failed_renditions >= 1000",
        tests=("tests/unit/jobs/test_deliver.py",),
    ),
    Plant(
        name="an implausible grid becomes clicks",
        file="bot/audio/analysis_task.py",
        old="        and 1 < grid.beats_per_bar <= _MOST_BEATS_PER_BAR\n",
        new="        and 1 < grid.beats_per_bar\n",
        tests=("tests/unit/audio/test_analysis_task.py",),
    ),
    Plant(
        name="a slower rendition has room for one as long as the song",
        file="bot/jobs/disk_needs.py",
        old="    frames = -(-(job.frames or 0) * UNCHANGED_PERCENT // rendition.speed_percent)",
        new="    frames = job.frames or 0",
        tests=("tests/unit/jobs/test_disk_needs.py",),
    ),
)
