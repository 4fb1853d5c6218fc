"""Every task that an audio child does, and every answer that it gives when it has done one."""

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

Task = (
    DecodeTask
    | CombineTask
    | MeasureTask
    | PassageTask
    | FitTask
    | EncodeTask
    | PictureTask
    | RenderTask
)
Answer = Decoded | Combined | Measured | Passage | Fitted | Encoded | Drawn | Rendered
