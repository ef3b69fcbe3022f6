import sys

from places import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))  # scripts, in no package
