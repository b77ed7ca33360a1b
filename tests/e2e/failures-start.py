# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: whichever process is killed at whichever step of a start: what runs is what is
# listed, nothing runs twice, nothing is left behind, a definition is the old or the new one, what was
# answered has happened, and the next start works.
# test: timeout=600 native network
import host
import killer
import trial

trial.begin()
for who in ("worker", "broker", "starter"):
    killer.each("start", who)
host.finish()
