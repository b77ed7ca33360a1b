# SPDX-License-Identifier: LGPL-2.1-or-later
"""fault.py: what is done in a start (trial.py), and what of it can fail."""
import trial

# Every one in the long set, in the other some that chance chooses.
SOME = 5
# Without these there is no process that could say anything, and they do not fail so: nor does
# epoll_ctl for a descriptor that is there, or setitimer with a good time. Those are invariants.
NEVER = ("epoll_wait", "epoll_ctl:mod", "epoll_ctl:del", "setitimer", "exit_group", "exit", "rt_sigreturn",
         "restart_syscall", "getpid", "close", "munmap",
         "clock_gettime", "geteuid", "brk", "madvise", "rt_sigprocmask", "poll", "set_robust_list",
         "rseq", "gettid")
ERRORS = ("EIO", "ENOMEM", "EMFILE", "EPERM")


def start():
    """Is it answered with success?"""
    return trial.is_answered(trial.act("start"))


def calls():
    """(pid, program, call) of everybody in a start, in order."""
    trial.supervise()
    trial.prepare("start")
    trial.supervisor.record()
    start()
    return trial.supervisor.forget()


def counted(names, never=NEVER):
    return sorted((name, names.count(name)) for name in set(names) if name not in never)
