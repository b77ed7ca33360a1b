# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: what ./demo shows is so: each of its steps does what it says.
# test: timeout=300 guest native
import subprocess

import host
import tap


@tap.test("every step of the demo is as it says")
def _():
    result = subprocess.run(["sh", "tests/lib/demo.sh"], capture_output=True, text=True,
                            stdin=subprocess.DEVNULL, timeout=280, check=False)
    with open(f"{host.OUT}/demo.txt", "w", encoding="utf-8") as file:
        file.write(result.stdout + result.stderr)
    tap.equal(result.returncode, 0, f"exit status; it ends with {(result.stdout + result.stderr)[-500:]}")
    tap.true("All was as it says." in result.stdout, "its last line")


tap.end()
