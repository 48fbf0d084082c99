"""What Partner Center exports, taken in: rows become subjects and events, or a reason why not."""

from sublife.events.inbound.row import Fate, Row, Shape, Verdict
from sublife.events.inbound.run import Import, Told

__all__ = ["Fate", "Import", "Row", "Shape", "Told", "Verdict"]
