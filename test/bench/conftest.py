import pytest

from dsflash_ros.cli import main


@pytest.fixture
def bench(capsys):
    """Runs `dsflash bench` in this process; gives its exit code, stdout and stderr."""

    def run(*arguments):
        try:
            code = main(["bench", *map(str, arguments)])
        except SystemExit as exit:  # argparse's
            code = exit.code
        return code, *capsys.readouterr()

    return run
