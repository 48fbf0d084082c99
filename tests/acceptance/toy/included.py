"""The one line that makes the toy known, as a plugin for a run of tests of its own."""

from sublife.lifecycle.catalog import include
from tests.acceptance.toy.permit import PERMIT

include(PERMIT)
