"""The modules that measuring a lag imports."""

import subprocess
import sys


def test_fitting_loads_no_library_that_the_children_do_not_share():
    code = "import sys, bot.audio.child.alignment; sys.exit('scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
