# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: whichever process is killed at whichever step of destroy, define and rename: what runs is what is
# listed, nothing runs twice, nothing is left behind, a definition is the old or the new one, what was
# answered has happened, and the next start works.
# test: timeout=600 native network untraced
import host
import killer
import trial

trial.begin()
for operation in ("destroy", "define", "rename"):
    killer.each(operation, "worker")
    killer.each(operation, "broker")
killer.each("destroy", "starter")  # in the others it has no part
host.finish()
