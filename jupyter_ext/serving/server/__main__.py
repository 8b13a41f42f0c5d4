"""``python -P -m jupyter_ext.serving.server CONFIG.json``."""

import sys

from jupyter_ext.serving.server.process import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
