# SPDX-License-Identifier: LGPL-2.1-or-later
"""scene.py: scenes of virsh's commands with what is answered, as tests/golden/commands keeps them.

A scene is a file of answers, one after the other:

    $ domstate a                what virsh is called with, as a shell splits it
    |shut off                   what it prints, a line each (the last as /text if it has no end of line)
    |
    ! error: ...                what it says on standard error
    [1]                         its exit status; none for 0
    qemud:                      and if qemud answers otherwise, its answer in the same way

DEVIATIONS has the reasons: paragraphs, each followed by the commands that it is about, a line each,
four blanks before "SCENE: COMMAND". What comes before the first command of a scene is a comment.
"""
import glob
import os
import re

# What differs from run to run and from host to host, and what stands for it.
MASKS = [(re.compile(pattern, re.MULTILINE), instead) for pattern, instead in (
    # Times, and memory that is free or used now; all of what the node's statistics count.
    (r"((?:cpu|vcpu\.\d+)\.(?:time|user|system|delay|wait)|balloon\.rss)=\d+", r"\1=N"),
    (r"^rss \d+", "rss N"),
    (r"^CPU time:.*\n", ""),  # which virsh leaves out where it is 0
    (r"^((?:user|system|idle|iowait|usage|free *|buffers|cached *|total *|Total|[ 0-9]+):) +[\d.]+", r"\1 N"),
    (r"^(\tcpu_time|\tuser_time|\tsystem_time)( +)[\d.]+", r"\1 N"),
    # How many processors the host has, and what they are.
    (r"^(CPU:  +)\d+$", r"\1N"),
    (r"^(CPU Affinity: +)\S.*", r"\1N"),
    (r"^( \d+ +)\d+(?:[-,]\d+)*$", r"\1N"),
    (r"^(CPUs? present:|CPUs? online:|CPU map:|CPU\(s\):|CPU frequency:|CPU model:|CPU socket\(s\):|"
     r"Core\(s\) per socket:|Thread\(s\) per core:|NUMA cell\(s\):|Memory size:) +\S.*", r"\1 N"),
    # Where whose sockets are.
    (r"(\?socket=|vnc\+unix://)\S+", r"\1/N"),
    (r"/dev/pts/\d+", "/dev/pts/N"),
    # Which QEMU and libvirt are installed.
    (r"(QEMU|libvirt|API:) \d+\.\d+\.\d+", r"\1 N.N.N"),
)]


def masked(text):
    """Without what varies, and with domains in the order of their names: libvirtd has none."""
    for pattern, instead in MASKS:
        text = pattern.sub(instead, text)
    return "\n\n".join(sorted(text.split("\n\n"))) if "Domain: " in text else text


class Answer:
    """What one command printed, said and ended with."""

    def __init__(self, out="", err="", status=0):
        self.out, self.err, self.status = out, err, status

    def __eq__(self, other):
        return (self.out, self.err, self.status) == (other.out, other.err, other.status)

    def __str__(self):
        def lines(text, mark, torn):
            return "".join((mark if line.endswith("\n") else torn) + line.rstrip("\n") + "\n"
                           for line in text.splitlines(True))
        return (lines(self.out, "|", "/") + lines(self.err, "! ", "/! ")
                + (f"[{self.status}]\n" if self.status else ""))

    def add(self, line):
        """One more line of a file; False for one that is none of an answer."""
        if line[0] in "|/" and not line.startswith("/! "):
            self.out += line[1:] + ("\n" if line[0] == "|" else "")
        elif line.startswith(("! ", "/! ")):
            self.err += line.split("! ", 1)[1] + ("\n" if line[0] == "!" else "")
        elif re.fullmatch(r"\[-?\d+\]", line):
            self.status = int(line[1:-1])
        else:
            return False
        return True


class Step:
    """One command: libvirt's answer, and qemud's if it is another one."""

    def __init__(self, command):
        self.command, self.libvirt, self.qemud = command, Answer(), None

    @property
    def ours(self):
        """What qemud is to answer."""
        return self.libvirt if self.qemud is None else self.qemud

    def __str__(self):
        return f"$ {self.command}\n{self.libvirt}" + (f"qemud:\n{self.qemud}" if self.qemud else "")


class Scene:
    def __init__(self, path):
        self.name = os.path.basename(path).removesuffix(".scene")
        self.head, self.steps = "", []
        with open(path, encoding="utf-8", newline="") as file:
            lines = file.read().split("\n")
        for number, line in enumerate(lines, 1):
            step = self.steps[-1] if self.steps else None
            if line.startswith("$ "):
                self.steps.append(Step(line[2:]))
            elif not step:
                self.head += line + "\n"
            elif line == "qemud:":
                step.qemud = Answer()
            elif line and not (step.qemud or step.libvirt).add(line):
                raise ValueError(f"{path}:{number}: neither a command nor a line of an answer: {line!r}")

    def __str__(self):
        return self.head + "".join(map(str, self.steps))


def load(folder):
    """All scenes, in the order of their names."""
    return [Scene(path) for path in sorted(glob.glob(f"{folder}/*.scene"))]


def deviations(folder):
    """{"SCENE: COMMAND": reason}"""
    found, reason = {}, ""
    with open(f"{folder}/DEVIATIONS", encoding="utf-8") as file:
        for line in file:
            if line.startswith("    "):
                found[line.strip()] = reason
            else:
                reason = line.strip() or reason
    return found
