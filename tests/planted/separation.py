"""Planted bugs in separation: the steps around SCNet's network, the worker's limits, and fetched
weights."""

from tests.planted.plant import Plant

_AGREES = (
    "tests/unit/engine/worker/models/test_scnet.py::"
    "test_agrees_with_a_plain_loop_to_120_db_on_every_stem_and_at_both_ends"
)
_ENGINE = ("tests/integration/engine/test_engine.py",)
_EXCHANGED = (
    "tests/integration/test_studio_worker.py"
    "::test_a_checkpoint_that_was_exchanged_is_refused_and_other_models_work"
)
_TRUSTED = (
    "tests/integration/engine/test_gpu.py"
    "::test_a_card_that_cannot_be_trusted_is_left_alone_and_songs_are_split_on_the_cpu"
)
_INSTALL = ("tests/integration/test_model_install.py::test_another_file_at_the_address_is_refused",)

SEPARATION = (
    Plant(
        name="the mean of the song is forgotten",
        file="bot/engine/worker/models/scnet.py",
        old="(song.read(low, high)[:, place - low] - mean) / deviation",
        new="song.read(low, high)[:, place - low] / deviation",
        tests=(f"{_AGREES}[silence follows]",),
    ),
    Plant(
        name="the last segment is not continued by its reflection",
        file="bot/engine/worker/models/scnet.py",
        old="    is_mirrored = end - start > SEGMENT // 2",
        new="    is_mirrored = False",
        tests=(f"{_AGREES}[its reflection follows]",),
    ),
    Plant(
        name="every segment fades in, the first too",
        file="bot/engine/worker/models/scnet.py",
        old="        blend, window = Blend(), self._first_window",
        new="        blend, window = Blend(), self._window",
        tests=(f"{_AGREES}[silence follows]",),
    ),
    Plant(
        name="a worker that is alive counts as one that gets on",
        file="bot/engine/worker_host.py",
        old="                    if clock() > progressed_at + stall_s:",
        new="                    if clock() > progressed_at + 1000 * stall_s:",
        tests=_ENGINE,
    ),
    Plant(
        name="fetched weights are not compared with their hash",
        file="bot/engine/web_download.py",
        old="    if sha256 != source.sha256:",
        new="    if not sha256:",
        tests=_INSTALL,
    ),
    Plant(
        name="a checkpoint is opened whatever its hash",
        file="bot/engine/studio/studio_worker.py",
        old='    if hashlib.file_digest(file, "sha256").hexdigest() != entry[part]["sha256"]:',
        new="    if False:",
        tests=(_EXCHANGED,),
    ),
    Plant(
        name="a graphics card is believed",
        file="bot/engine/worker/device_proof.py",
        old="    if agreement >= TRUSTED_DB:",
        new="    if agreement < np.inf:",
        tests=(_TRUSTED,),
    ),
    Plant(
        name="the runtime is believed to use the card",
        file="bot/engine/worker/device_proof.py",
        old="    if network.runs_on != provider:",
        new="    if not network.runs_on:",
        tests=(_TRUSTED,),
    ),
)
