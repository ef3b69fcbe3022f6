"""Print the DSFlash paper's tables with measured columns beside the published ones.

RESULT is what `dsflash eval --json RESULT` wrote. Each stands in the rows whose model and options
are its own (the star means --low-resolution-masks), with a note on its data set and machine.
Without any, measured columns are blank.

examples:
  dsflash tables
  dsflash tables large.json base_low_resolution.json
  dsflash tables --spade
"""

import argparse

HELP = "the paper's tables, with your own results beside"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The results."""
    parser.add_argument("result", nargs="*", metavar="RESULT", help="JSON file of dsflash eval")
    parser.add_argument(
        "--spade", action="store_true", help="print SPADE's tables, of another protocol, instead"
    )


def run(args: argparse.Namespace) -> int:
    """Print the tables."""
    from dsflash_ros.evaluation.report import Report
    from dsflash_ros.evaluation.tables import compare
    from dsflash_ros.evaluation.tables_text import spade_text, tables_text

    if args.spade:
        if args.result:
            args.parser.error("--spade takes no RESULT: it is of another protocol")
        print(spade_text())
        return 0
    print(tables_text(compare({path: Report.read(path) for path in args.result})))
    return 0
