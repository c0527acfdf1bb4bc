"""What every connector module is shipped with. Nothing in here knows a resource family."""

from shared.engine.late import import_late
from shared.engine.nflex import import_lean

# Before anything else imports them: together a third of a cold start.
import_lean()
import_late()
