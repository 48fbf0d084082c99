"""The test-only switch: the engine as if a rule were not there, and back again."""

from tests.mutation.switch.answer import granted, recording, unadvised, unfollowed, untold
from tests.mutation.switch.figure import figure, policies, reading
from tests.mutation.switch.function import (
    altered,
    around,
    asking,
    effect,
    here,
    instead,
    keeps,
    mute,
    refusing,
    result,
    returning,
    sets,
)
from tests.mutation.switch.install import (
    Change,
    Changes,
    Off,
    Row,
    SwitchError,
    idle,
    off,
    switched,
)
from tests.mutation.switch.row import opened, row, rows, undue

__all__ = [
    "Change",
    "Changes",
    "Off",
    "Row",
    "SwitchError",
    "altered",
    "around",
    "asking",
    "effect",
    "figure",
    "granted",
    "here",
    "idle",
    "instead",
    "keeps",
    "mute",
    "off",
    "opened",
    "policies",
    "reading",
    "recording",
    "refusing",
    "result",
    "returning",
    "row",
    "rows",
    "sets",
    "switched",
    "unadvised",
    "undue",
    "unfollowed",
    "untold",
]
