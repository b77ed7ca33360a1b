# SPDX-License-Identifier: LGPL-2.1-or-later
"""tables.py: what was measured, as lines, with the goals."""

GOALS = {  # row: (what, of which server, at most / at least)
    "connect": ("cpu", "floor", 5.0), "call": ("cpu", "floor", 3.0), "deep": ("rate", "libvirtd", 8.0),
    "start": ("wall", "floor", 1.2), "destroy": ("wall", "floor", 3.0)}
GOALS_MS = {"stats": 4, "paused": 4, "events": 0.3}
GOALS_KIB = {"idle": 2, "defs5000": 4}


def table_policy(row, figures):
    """The row as lines."""
    print(f"\n{row}")
    for name, f in figures.items():
        print(f"  {name:9} {f['us']:9.2f} us CPU {f['rate']:11.0f} /s"
              f"  {f['us'] / figures['floor']['us']:6.2f} x floor")


def table_first(row, figures):
    """The row as lines."""
    print(f"\n{row}")
    for name, f in figures.items():
        print(f"  {name:9} {f['answer']:9.2f} ms to the first answer {f['list']:9.2f} ms to the list"
              f" {f['cpu']:9.2f} ms CPU {f['kib']:6.2f} KiB a domain")
    goal_kib(row, figures["qemud"]["kib"])


def table_ms(row, figures):
    """The row as lines, with the goal."""
    print(f"\n{row}")
    for name, f in figures.items():
        print(f"  {name:9} {f['wall']:9.2f} ms"
              + (f" {f['ratio']:9.2f} x floor" if "ratio" in f else "")
              + f" {f['cpu']:9.2f} ms CPU"
              + (f" {f['qemu']:9.2f} ms CPU of QEMU" if "qemu" in f else "")
              + (f" {f['one']:9.2f} ms until one is told, {f['wall'] - f['one']:.2f} for the others"
                 if "one" in f else ""))
    own, limit = figures["qemud"], GOALS_MS[row]
    wall = own["wall"] - own.get("one", 0)
    print(f"  goal: at most {limit} ms: {wall:.2f}: {'met' if wall <= limit else 'MISSED'}")


def goal_kib(row, kib):
    limit = GOALS_KIB[row]
    print(f"  goal: at most {limit} KiB each: {kib:.2f}: {'met' if kib <= limit else 'MISSED'}")


def table_power(row, figures):
    """The row as lines, with ratios and the goal."""
    print(f"\n{row}")
    for name, f in figures.items():
        print(f"  {name:9} {f['wall']:9.2f} ms {f['ratio']:9.2f} x floor"
              f" {f['cpu']:9.2f} ms CPU"
              + (f" {f['qemu']:9.2f} ms CPU of QEMU" if row == "start" else ""))
    goal(row, figures)


def table(row, figures):
    """The row as lines, with ratios and the goal."""
    print(f"\n{row}")
    for name, f in figures.items():
        floor, virt = figures.get("floor"), figures.get("libvirtd")
        ratios = f"{f['cpu'] / floor['cpu']:6.2f} x floor's CPU"
        if virt:
            ratios += f" {f['rate'] / virt['rate']:7.2f} x libvirtd's rate"
        extra = f"  {f['kib_per_connection']:.2f} KiB a connection" if "kib_per_connection" in f else ""
        print(f"  {name:9} {f['cpu']:9.2f} us CPU {f['rate']:11.0f} /s  {ratios}{extra}")
    goal(row, figures)
    if row in GOALS_KIB:
        goal_kib(row, figures["qemud"]["kib_per_connection"])


def goal(row, figures):
    if row in GOALS and "qemud" in figures and GOALS[row][1] in figures:
        key, other, limit = GOALS[row]
        own = figures["qemud"]
        ratio = own["ratio"] if key == "wall" else own[key] / figures[other][key]
        met = ratio >= limit if key == "rate" else ratio <= limit
        print(f"  goal: {key} {'at least' if key == 'rate' else 'at most'} {limit:g} x {other}: "
              f"{ratio:.2f}: {'met' if met else 'MISSED'}")
