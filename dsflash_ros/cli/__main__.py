import sys

from dsflash_ros.cli import main

sys.exit(main())
