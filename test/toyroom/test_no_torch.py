import shutil
import subprocess
import sys
from pathlib import Path

from no_torch import SENTENCE

MODULES = {
    "test_at_the_top.py": "import torch\ndef test_nothing(): pass\n",
    "test_inside.py": "def test_something():\n    import torch\n\ndef test_other(): pass\n",
    "test_in_library.py": "def test_it():\n    import dsflash_ros.model.assembly\n",
}


def test_tests_of_this_folder_that_import_torch_fail_with_one_sentence(tmp_path):
    for name in ("conftest.py", "no_torch.py"):
        shutil.copy(Path(__file__).with_name(name), tmp_path)
    for name, code in MODULES.items():
        (tmp_path / name).write_text(code)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    command.append("--continue-on-collection-errors")
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert "2 failed, 1 passed, 1 error" in done.stdout, done.stdout + done.stderr
    assert done.stdout.count(SENTENCE) >= 3 and "Traceback" not in done.stdout
