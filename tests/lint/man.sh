#!/bin/sh
# Property: the manual pages are clean, and have every key of the configuration.
# SPDX-License-Identifier: LGPL-2.1-or-later
. tests/lib/tap.sh

with_warnings() {
	for page in man/*.[0-9]; do
		man --warnings -l "$page" 2>&1 >/dev/null | sed "s|^|$page: |"
	done
}
# Fields of struct config without an .It Ic in the manual, and the other way round.
keys_differ() {
	sed -n '/^struct config {/,/^}/s/^\t[a-z0-9_]* \([a-z_]*\).*/\1/p' broker/config.h | sort >build/keys.code
	sed -n 's/^\.It Ic \([a-z_]*\) No = .*/\1/p' man/qemud.conf.5 | sort >build/keys.manual
	diff build/keys.code build/keys.manual
	rm -f build/keys.code build/keys.manual
}

mkdir -p build
check 'the configuration and its manual have the same keys' keys_differ
if command -v man >/dev/null && command -v groff >/dev/null; then
	check 'man finds nothing wrong' with_warnings
else
	skip 'man finds nothing wrong' 'man or groff is not installed'
fi
tap_end
