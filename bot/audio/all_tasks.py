"""All tasks of an audio child, and the answers to them."""

from bot.audio.analysis_task import AnalyseMixesTask, AnalyseTask
from bot.audio.clip_task import Clipped, ClipTask
from bot.audio.pack_tasks import Packed, PackTask, Peaks, PeaksTask
from bot.audio.rendition_tasks import Rendered, RenderTask
from bot.audio.tasks import (
    Combined,
    CombineTask,
    Decoded,
    DecodeTask,
    Drawn,
    Encoded,
    EncodeTask,
    FitTask,
    Fitted,
    Measured,
    MeasureTask,
    Passage,
    PassageTask,
    PictureTask,
)
from bot.domain.analysis import Analysis

Task = (
    DecodeTask
    | CombineTask
    | MeasureTask
    | PassageTask
    | FitTask
    | EncodeTask
    | PictureTask
    | PackTask
    | PeaksTask
    | AnalyseTask
    | AnalyseMixesTask
    | RenderTask
    | ClipTask
)
Answer = (
    Decoded
    | Combined
    | Measured
    | Passage
    | Fitted
    | Encoded
    | Drawn
    | Packed
    | Peaks
    | Analysis
    | Rendered
    | Clipped
)
