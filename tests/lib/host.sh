#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# host.sh: runs one command in a throw-away host with accounts of its own; nothing is left behind.
#
#   tests/lib/host.sh COMMAND [ARGUMENT...]
#
# As root. The host is a set of private namespaces (mount, pid, network, IPC, UTS) over the real
# machine's programs and libraries. In it:
#
#   accounts     alice 2001, bob 2002, carol 2003, dave 2004; qemud-vm 991, qemud-view 992,
#                qemud-audit 993; alice owns a subordinate range; nothing but files is asked for names
#   fresh        /etc (a writable copy), /run, /tmp, /home, /root, /var/lib, /var/log
#   /srv/qemud   what the command works with: sbin/ and libexec/ with the programs of $BUILD
#                (build), tests/ and the table of procedures. The tree itself is out of sight,
#                and may lie in a folder that nobody but root can enter
#   /srv/out     $ARTEFACTS, a folder below the tree for what shall survive; or a fresh one
#   network      a loopback interface, up; with TEST_NETWORK=1 also a pair of which one end, outer, has
#                the address 10.31.7.2 and the default route, as passt wants it
#   /srv/qemud/guest  with TEST_GUEST=1: vmlinuz and initrd of a small Linux guest (guest.sh)
#   $TEST_CGROUP a cgroup v2 folder of its own where the machine has one, else "none"
#
# The command runs in /srv/qemud with PYTHONPATH set to its tests/lib. When it ends, everything
# that it started ends with it. Its exit status is returned.
set -eu

tree=$(cd "${0%/*}/../.." && pwd)

# --- outside: make the namespaces, wait, pass on the status -----------------------------------

if [ "${QEMUD_HOST-}" != inside ]; then
	[ "$(id -u)" -eq 0 ] || { echo "host.sh: needs root" >&2; exit 1; }
	if [ -n "${TEST_GUEST-}" ]; then
		# shellcheck source=tests/lib/guest.sh
		(cd "$tree" && . tests/lib/guest.sh && guest_kernel && guest_initrd) >/dev/null || exit 1
	fi
	TEST_CGROUP=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)/qemud-test-$$
	mkdir "$TEST_CGROUP" 2>/dev/null || TEST_CGROUP=none
	export TEST_CGROUP
	QEMUD_HOST=inside unshare -mpniu --fork --kill-child --mount-proc --propagation private \
		sh "$0" "$@" &
	host=$!
	trap 'kill -9 $host 2>/dev/null' TERM INT HUP
	status=0
	wait $host || status=$?
	# What was in there may need a moment to be gone.
	tries=0
	while [ "$TEST_CGROUP" != none ] && [ -d "$TEST_CGROUP" ] && [ $tries -lt 100 ]; do
		find "$TEST_CGROUP" -depth -type d -exec rmdir {} + 2>/dev/null || sleep 0.1
		tries=$((tries + 1))
	done
	exit $status
fi

# --- inside: places ---------------------------------------------------------------------------

umask 022
at=/srv/qemud
# The tree is named relative to here from now on: a fresh folder may be mounted over its path.
cd "$tree"
build=${BUILD:-build}

hostname testhost
mount -t tmpfs -o mode=0755 srv /srv
mkdir -p $at/sbin $at/libexec $at/tests $at/protocol/rpc /srv/out
cp "$build/qemud" $at/sbin/
cp "$build"/qemud-* $at/libexec/
cp "$build/qemudctl" $at/sbin/
chmod 0711 $at/sbin/* $at/libexec/*
cp -r tests/lib tests/e2e tests/golden tests/clients $at/tests/
cp protocol/rpc/procedures.tsv protocol/rpc/types.tsv $at/protocol/rpc/
if [ -n "${TEST_GUEST-}" ]; then
	mkdir $at/guest
	cp build/cache/guest/vmlinuz build/cache/guest/initrd $at/guest/
	chmod -R u=rwX,go=rX $at/guest
fi
chmod -R u=rwX,go=rX $at/tests $at/protocol
[ -z "${ARTEFACTS-}" ] || mount --no-canonicalize --bind "$ARTEFACTS" /srv/out

# An overlay has its changes in memory; what is fresh is empty.
for folder in etc var/lib var/log; do
	mkdir -p /srv/.over/$folder/upper /srv/.over/$folder/work
	mount -t overlay -o "lowerdir=/$folder,upperdir=/srv/.over/$folder/upper,workdir=/srv/.over/$folder/work" \
		overlay /$folder
done
chmod 0700 /srv/.over
for folder in run home; do
	mount -t tmpfs -o mode=0755 fresh /$folder
done
mount -t tmpfs -o mode=0700 fresh /root
mount -t tmpfs -o mode=1777 fresh /tmp
rm -rf /etc/qemud /var/lib/qemud /var/log/qemud

# --- accounts ---------------------------------------------------------------------------------

# Lines of FILE without those whose name or number is about to be given.
without() {
	awk -F: -v names="$2" -v ids="$3" '
		BEGIN { split(names, n, " "); for (i in n) name[n[i]]; split(ids, d, " "); for (i in d) id[d[i]] }
		!($1 in name) && !($3 in id)' "$1"
}
users='alice bob carol dave'
system='qemud-vm qemud-view qemud-audit'
groups='lab-admins students'
{
	without /etc/passwd "$users $system" '2001 2002 2003 2004 991 992 993'
	n=2001
	for user in $users; do
		echo "$user:x:$n:$n:$user:/home/$user:/bin/sh"
		n=$((n + 1))
	done
	echo 'qemud-vm:x:991:991::/var/lib/qemud/system:/usr/sbin/nologin'
	echo 'qemud-view:x:992:992::/nonexistent:/usr/sbin/nologin'
	echo 'qemud-audit:x:993:993::/nonexistent:/usr/sbin/nologin'
} >/srv/.over/passwd
{
	without /etc/group "$users $system $groups" '2001 2002 2003 2004 991 992 993 2100 2101'
	n=2001
	for user in $users; do
		echo "$user:x:$n:"
		n=$((n + 1))
	done
	echo 'qemud-vm:x:991:'
	echo 'qemud-view:x:992:'
	echo 'qemud-audit:x:993:'
	echo 'lab-admins:x:2100:alice,carol'
	echo 'students:x:2101:alice,bob'
} >/srv/.over/group
cat /srv/.over/passwd >/etc/passwd
cat /srv/.over/group >/etc/group
printf 'passwd: files\ngroup: files\nhosts: files\n' >/etc/nsswitch.conf
echo 'alice:100000:65536' >/etc/subuid
echo 'alice:100000:65536' >/etc/subgid
n=2001
for user in $users; do
	mkdir -m 0700 "/home/$user"
	chown "$n:$n" "/home/$user"
	n=$((n + 1))
done
# What installing the package does for the account of the host, and for the audit log.
mkdir -p /var/lib/qemud
mkdir -m 0700 /var/lib/qemud/system
chown 991:991 /var/lib/qemud/system
mkdir -m 0750 /var/log/qemud
chown 993:993 /var/log/qemud
ip link set lo up
if [ -n "${TEST_NETWORK-}" ]; then
	ip link add outer type veth peer name inner
	ip addr add 10.31.7.2/24 dev outer
	ip link set outer up
	ip link set inner up
	ip route add default via 10.31.7.1 dev outer
fi

# --- the command ------------------------------------------------------------------------------

cd $at
unset BUILD ARTEFACTS QEMUD_HOST
export PYTHONPATH=$at/tests/lib PYTHONDONTWRITEBYTECODE=1 HOME=/root
unset XDG_RUNTIME_DIR XDG_CONFIG_HOME XDG_CACHE_HOME LIBVIRT_DEFAULT_URI VIRSH_DEFAULT_CONNECT_URI
# Not exec: this shell is pid 1 and collects what the command leaves behind.
"$@"
