"""Puts back what the set-up script of nflex-connector-utils 0.2.0 (an old versioneer) still uses.

Python 3.12 removed ``configparser.SafeConfigParser`` and ``readfp``. Only on the path while that one
package is installed; see the Makefile.
"""

import configparser

if not hasattr(configparser, "SafeConfigParser"):

    class SafeConfigParser(configparser.ConfigParser):
        def readfp(self, file, name=None):
            self.read_file(file, name)

    configparser.SafeConfigParser = SafeConfigParser
