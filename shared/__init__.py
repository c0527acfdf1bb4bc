"""What every connector module is shipped with. Nothing in here knows a resource family."""

from shared.engine.nflex import import_without_parser

import_without_parser()  # before anything imports nflex-connector-utils: a sixth of a cold start
