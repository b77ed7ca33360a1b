#!/bin/sh
# Property: what is installed is all there with its mode, each program has a manual page, an edited
# configuration stays, the example of one is what the manual says, and another place is known to all.
# SPDX-License-Identifier: LGPL-2.1-or-later
. tests/lib/tap.sh

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

install_twice() {
	make -s install DESTDIR="$root" 2>&1
	echo 'max_vms = 5' >>"$root/etc/qemud/qemud.conf"
	echo 'deny user guest' >"$root/etc/qemud/policy.conf"
	make -s install DESTDIR="$root" 2>&1
	grep -q '^max_vms = 5' "$root/etc/qemud/qemud.conf" || echo 'qemud.conf was overwritten'
	grep -q '^deny user guest' "$root/etc/qemud/policy.conf" || echo 'policy.conf was overwritten'
	cmp packaging/qemud.conf "$root/etc/qemud/qemud.conf.example"
	cmp packaging/policy.conf "$root/etc/qemud/policy.conf.example"
	[ -d "$root/etc/qemud/policy.d" ] || echo 'there is no policy.d'
	! grep -rl '@[A-Z]*@' "$root/usr/lib"
}
# In a copy of what was built for /usr: `make`, and then `make install PREFIX=`.
elsewhere() {
	mkdir "$root/copy"
	# And nothing that other checks write meanwhile.
	find build -mindepth 1 -maxdepth 1 -not -name asan -not -name clang -not -name fuzz -not -name tests \
		-not -name cache -not -name artefacts -not -name cppcheck -not -name tidy -not -name replay \
		-exec cp -a -t "$root/copy" {} +
	{ make -s install B="$root/copy" DESTDIR="$root/other" PREFIX=/opt/q SYSCONFDIR=/opt/q/etc >/dev/null; } 2>&1
	for path in /opt/q/libexec/qemud /opt/q/etc/qemud/qemud.conf; do
		"$root/other/opt/q/sbin/qemud" --help | grep -q " $path" || echo "qemud does not know $path"
	done
	grep -rlE '(/usr|[^q])/(libexec|etc)/qemud' "$root/other/opt/q/share/man" "$root/other/opt/q/lib"
	rm -r "$root/copy" "$root/other"
}
modes() {
	sed -n 's/^PROGRAMS := //p' Makefile | tr ' ' '\n' | while read -r program; do
		file=$root/usr/libexec/qemud/$program
		[ "$program" = qemud ] && file=$root/usr/sbin/qemud
		[ "$(stat -c %a "$file")" = 711 ] || echo "$program: mode $(stat -c %a "$file")"
		[ -f "$root/usr/share/man/man8/$program.8" ] || echo "$program: no manual page"
	done
	find "$root" -type f ! -perm 644 ! -perm 711
}
# A line of the example for each key of the manual, in its order, with the default that it names.
example_differs() {
	sed -n 's/^\.It Ic \([a-z_]*\) No = .*/\1/p' man/qemud.conf.5 >"$root/keys.manual"
	sed -n 's/^#\([a-z_]*\) = ..*/\1/p' packaging/qemud.conf | diff "$root/keys.manual" -
	sed 's/^#\([a-z_]* = \)/\1/' packaging/qemud.conf |
		sed -n 's/^\([a-z_]*\) = \(.*\)/\1 \2/p' | while read -r key value; do
		sed -n "/^\.It Ic $key /,/^\.It\|^\.El/p" man/qemud.conf.5 | grep -qF -- "$value" ||
			echo "$key: the manual does not have '$value'"
	done
}

check 'it is installed, twice, and a configuration stays' install_twice
check 'installed elsewhere, programs and manual say where' elsewhere
check 'programs have their modes and manual pages' modes
check 'the example has the keys and defaults of the manual' example_differs
if command -v systemd-analyze >/dev/null; then
	verify() {
		mkdir -p "$root/usr/lib/systemd/system"
		for unit in sysinit basic sockets multi-user network-online nss-user-lookup remote-fs shutdown; do
			printf '[Unit]\n' >"$root/usr/lib/systemd/system/$unit.target"
		done
		mkdir -p "$root/bin" && cp /bin/true "$root/bin/sh" && cp /bin/true "$root/bin/kill"
		systemd-analyze verify --man=no --root="$root" qemud.service qemud-vms.service qemud.socket \
			qemud-ro.socket qemud-ctl.socket 2>&1 | grep qemud || :
	}
	check 'systemd finds nothing wrong with the units' verify
else
	skip 'systemd finds nothing wrong with the units' 'systemd-analyze is not installed'
fi
tap_end
