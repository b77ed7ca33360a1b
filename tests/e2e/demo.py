# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: what ./demo shows is so: each of its steps does what it says.
# test: timeout=600 guest native
import subprocess

import host
import tap


@tap.test("every step of the demo is as it says")
def _():
    path = f"{host.OUT}/demo.txt"
    with open(path, "w", encoding="utf-8") as file:
        try:
            status = subprocess.run(["sh", "tests/lib/demo.sh"], stdin=subprocess.DEVNULL, stdout=file,
                                    stderr=subprocess.STDOUT, timeout=500, check=False).returncode
        except subprocess.TimeoutExpired as error:
            status = error
    with open(path, encoding="utf-8", errors="backslashreplace") as file:
        said = file.read().splitlines()
    if status != 0:
        # The step that failed, and how; the log of the broker, which comes then, is in the file.
        at = next((n for n, line in enumerate(said) if line.startswith("demo: ")), len(said))
        tap.note("\n".join(said[max(0, at - 20):at + 1]))
    tap.equal(status, 0, "exit status")
    tap.true(any("All was as it says." in line for line in said), "its last line")


tap.end()
