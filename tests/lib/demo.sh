#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# demo.sh: what ./demo shows, in the throw-away host. It ends with an error as soon as something is
# not as it says.
set -eu

rw='qemu+unix:///session?socket=/run/qemud/qemud-sock'
ro='qemu+unix:///session?socket=/run/qemud/qemud-sock-ro'
all='qemu+unix:///system?socket=/run/qemud/qemud-sock'
log=/srv/out/qemud.log

if [ -t 1 ]; then
	bold=$(printf '\033[1m') plain=$(printf '\033[0m')
else
	bold='' plain=''
fi

# --- telling -----------------------------------------------------------------------------------

broker=
# However it ends, nothing that it started outlives it.
ended_here() {
	status=$?
	trap - EXIT
	[ $status -eq 0 ] || printf '\ndemo: ended with status %s in step %s\n' $status "${n:-0}" >&2
	[ -z "$broker" ] || kill -TERM "$broker" 2>/dev/null || :
	exit $status
}
trap ended_here EXIT
trap 'exit 1' INT TERM HUP

n=0
# What the next commands show.
step() {
	n=$((n + 1))
	printf '\n%s%d. %s%s\n' "$bold" "$n" "$1" "$plain"
}
fail() {
	printf '\ndemo: %s\n--- the log of the broker ---\n' "$1" >&2
	cat $log >&2
	exit 1
}
# as USER COMMAND...: show the command line and what it prints, run as that user; it must succeed
as() {
	refused "$@" && return
	fail "$* failed"
}
# The same where it must fail; what it printed is in /srv/said.
refused() {
	user=$1
	shift
	printf '  %s$ %s\n' "$user" "$(echo "$*" | sed 's|^sbin/||')"
	status=0
	# Without a terminal virsh does not look for a polkit agent, which this host has not.
	setsid --wait setpriv --reuid="$user" --regid="$user" "$(groups_of "$user")" --reset-env -- "$@" \
		>/srv/said 2>&1 || status=$?
	sed '/^$/d; s/^/    /' /srv/said
	return $status
}
# A number has no account, so no groups.
groups_of() {
	case $1 in
	[0-9]*) echo --clear-groups ;;
	*) echo --init-groups ;;
	esac
}
# The pid of that user's process of that program.
pid_of() {
	for status in /proc/[0-9]*/status; do
		[ "$(awk '$1 == "Uid:" { print $2 }' "$status" 2>/dev/null)" = "$(id -u "$1")" ] || continue
		case $(readlink "${status%/status}/exe") in
		*/"$2")
			status=${status%/status}
			echo "${status#/proc/}"
			;;
		esac
	done
}
worker_of() {
	pid_of "$1" qemud-worker
}
# shell USER COMMAND: the same as `as` for a line of the shell's; sbin/ is in nobody's PATH here.
shell() {
	printf '  %s$ %s\n' "$1" "$(echo "$2" | sed 's|sbin/||')"
	setpriv --reuid="$1" --regid="$1" --init-groups --reset-env -- sh -c "$2" >/srv/said || fail "$2 failed"
	sed 's/^/    /' /srv/said
}
# until_it_is WHAT COMMAND...: the command succeeds within a minute
until_it_is() {
	what=$1 tries=0
	shift
	until "$@"; do
		tries=$((tries + 1))
		[ $tries -lt 1200 ] || fail "it did not happen within a minute: $what"
		sleep 0.05
	done
}
# ended USER PROGRAM: no process of that user's runs it
ended() {
	[ -z "$(pid_of "$1" "$2")" ]
}
# said WORDS...: that was in what was printed last
said() {
	grep -qF -- "$*" /srv/said || fail "it was not said: $*"
}
# talk USER WORDS LINE: virsh with these words opens a console on a terminal of its own; when the
# guest answers, the line is typed, and its answer awaited. Then Ctrl-].
talk() {
	printf '  %s$ virsh -c %s %s\n' "$1" "$rw" "$2"
	rm -f /srv/keys /srv/screen
	mkfifo /srv/keys /srv/screen
	timeout 240 setpriv --reuid="$1" --regid="$1" --init-groups --reset-env -- \
		script -qfc "virsh -c '$rw' $2" /dev/null </srv/keys >/srv/screen 2>&1 &
	console=$!
	exec 4>/srv/keys 5</srv/screen
	# virsh drops what is typed before it is ready, and the guest does while it boots.
	while sleep 0.5; do printf '\r'; done >&4 &
	typist=$!
	while read -r line <&5; do
		line=$(printf %s "$line" | tr -d '\r')
		case $line in
		'' | guest: | 'guest: ' | *polkit*) ;; # this host has no polkit, and needs none
		*) printf '    %s\n' "$line" ;;
		esac
		case $line in
		"guest: $3") break ;;
		guest:*)
			[ -n "$typist" ] || continue
			kill $typist
			typist=
			printf '%s\r' "$3" >&4
			;;
		esac
	done || fail "the console ended"
	printf '\035' >&4
	exec 4>&-
	cat <&5 >/dev/null
	exec 5<&-
	wait $console
}

# --- the broker ----------------------------------------------------------------------------------

start_broker() {
	rm -f /srv/log
	mkfifo /srv/log
	cgroup=$TEST_CGROUP
	echo "cgroup = $cgroup" >/srv/qemud.conf
	sbin/qemud --config /srv/qemud.conf --libexec libexec 2>/srv/log &
	broker=$!
	exec 3</srv/log
	while read -r line <&3; do
		echo "    $line"
		echo "$line" >>$log
		case $line in *ready) break ;; esac
	done
	cat <&3 >>$log &
	case ${line-} in *ready) ;; *) fail 'the broker did not start' ;; esac
}

step 'root starts the broker; it says when it is ready'
: >$log
start_broker

# --- two accounts --------------------------------------------------------------------------------

step 'stock virsh, as two users of this host: each is answered, and sees her own'
for user in alice bob; do
	as "$user" virsh -c "$rw" uri
	as "$user" virsh -c "$rw" list --all
done

step 'each was answered by a worker that runs under her own uid; the broker read no byte of theirs'
ps -eo user:12,pid,args | sed -n '/[q]emud/s/^/    /p'
for user in alice bob; do
	[ -n "$(worker_of $user)" ] || fail "$user has no worker"
done

step "what the kernel says of alice's worker"
pid=$(worker_of alice)
grep -E '^(Uid|Groups|Cap(Eff|Bnd)|NoNewPrivs|Seccomp):' "/proc/$pid/status" | sed 's/^/    /'
for want in 'CapEff:	0000000000000000' 'CapBnd:	0000000000000000' 'NoNewPrivs:	1' 'Seccomp:	2'; do
	grep -qx "$want" "/proc/$pid/status" || fail "expected $want"
done

# --- definitions ---------------------------------------------------------------------------------

step 'alice defines a VM; what was not said is filled in, as libvirt does'
cat >/home/alice/guest.xml <<'END'
<domain type='qemu'>
  <name>guest</name>
  <title>The first one</title>
  <memory unit='MiB'>128</memory>
  <os><type machine='q35'>hvm</type></os>
</domain>
END
as alice virsh -c "$rw" define /home/alice/guest.xml
as alice virsh -c "$rw" autostart guest
as alice virsh -c "$rw" list --all --title
as alice virsh -c "$rw" dominfo guest
as alice virsh -c "$rw" dumpxml --xpath //os/type guest

step 'it is a file of hers; bob sees nothing of it'
as alice find /home/alice/.qemud -name '*.xml' -printf '%M %u %p\n'
as bob virsh -c "$rw" list --all
refused bob virsh -c "$rw" dominfo guest && fail 'bob sees it'

# --- a guest -------------------------------------------------------------------------------------

step 'alice boots a real Linux guest, under her own uid, and talks with it over its serial console'
cat >/home/alice/linux.xml <<END
<domain type='qemu'>
  <name>linux</name>
  <memory unit='MiB'>256</memory>
  <os>
    <type machine='q35'>hvm</type>
    <kernel>$PWD/guest/vmlinuz</kernel>
    <initrd>$PWD/guest/initrd</initrd>
    <cmdline>console=ttyS0 quiet no_timer_check guest=echo</cmdline>
  </os>
  <features><acpi/></features>
  <devices><console type='pty'/></devices>
</domain>
END
as alice virsh -c "$rw" define /home/alice/linux.xml
talk alice 'start linux --console' 'hello, guest'
as alice virsh -c "$rw" domstate linux --reason
qemu=$(pid_of alice qemu-system-x86_64)
[ -n "$qemu" ] || fail 'there is no QEMU of hers'
grep -E '^(Uid|CapBnd|NoNewPrivs|Seccomp):' "/proc/$qemu/status" | sed 's/^/    QEMU: /'
find "$TEST_CGROUP" -name 'vm-*' -printf '    control group: %P\n' 2>/dev/null || :

step 'bob sees nothing of it'
as bob virsh -c "$rw" list --all
refused bob virsh -c "$rw" destroy linux && fail 'bob ended it'

# --- policy --------------------------------------------------------------------------------------

step 'root says in one file who may do what to whose machines, and how many may run'
mkdir -p /etc/qemud
cat >/etc/qemud/policy.conf <<'END'
# alice and bob are students, dave assists them, carol administrates.
allow everyone        manage  own
allow user  dave      power   group students
allow user  carol     manage  all
limit group students  vms 1
END
as root cat /etc/qemud/policy.conf
as root sbin/qemudctl policy check
shell root "kill -HUP $broker"
until_it_is 'the policy is read again' grep -q 'policy: read again' $log
grep 'policy: read again' $log | sed 's/^/    /'

step 'one machine runs already: the next one is refused, and alice is told by which line'
refused alice virsh -c "$rw" start guest && fail 'it was started'
said 'limit vms 1 (policy.conf:5): 1 in use, 1 more asked for'
as alice sbin/qemudctl limits alice
as alice virsh -c "$rw" list --all

step "dave sees the students' machines, restarts one of them, and may not look at its screen"
as dave virsh -c "$all" list --all
as dave virsh -c "$all" destroy alice:linux
as dave virsh -c "$all" start alice:linux
refused dave virsh -c "$all" screenshot alice:linux /dev/null && fail 'he sees it'
refused dave sbin/qemudctl policy explain dave console alice && fail 'he may see it'
qemu=$(pid_of alice qemu-system-x86_64)

step 'bob freezes his own worker, who would have to end his machine; carol ends it all the same'
cp /home/alice/guest.xml /home/bob/
chown bob /home/bob/guest.xml
as bob virsh -c "$rw" define /home/bob/guest.xml
as bob virsh -c "$rw" start guest
as bob kill -STOP "$(worker_of bob)"
as carol sbin/qemudctl status --vms
as carol virsh -c "$all" destroy bob:guest
until_it_is 'QEMU ends' ended bob qemu-system-x86_64
as carol virsh -c "$all" list --all
as bob kill -CONT "$(worker_of bob)"

step 'what became of machines stands in the audit log, of which no line can be changed unseen'
shell root "sbin/qemudctl audit tail -n 99 | grep -E ' (policy|channel|vm) '"
grep -q 'carol .* allowed .*target=bob .*without its worker' /srv/said || fail 'what carol did is not there'
grep -q 'alice .* refused .*rule=policy.conf:5' /srv/said || fail 'what alice was refused is not there'
as root sbin/qemudctl audit verify

# --- the read-only socket ------------------------------------------------------------------------

step 'the read-only socket: she sees the same'
as alice virsh -c "$ro" list --all

step 'and can change nothing: a client that does not say it is read-only calls domain_destroy'
refused alice python3 tests/lib/rpc.py /run/qemud/qemud-sock-ro 12 && fail 'it was not refused'
grep -q 'read only access prevents virDomainDestroy' /srv/said || fail 'it was refused otherwise'
as alice virsh -c "$ro" domstate linux
grep -q running /srv/said || fail 'the guest does not run any more'

# --- nobody --------------------------------------------------------------------------------------

step 'a uid that no account has is told why it is not served'
refused 4242 virsh -c "$rw" list && fail 'it was served'
grep -q 'uid 4242 has no account' /srv/said || fail 'it was refused otherwise'

# --- survival ------------------------------------------------------------------------------------

step "alice's worker is killed under the running guest; the next one has it, and the guest noticed nothing"
kill -9 "$pid"
as alice virsh -c "$rw" list --all
grep -q 'linux *running' /srv/said || fail 'it is not shown as running'
after=$(worker_of alice)
echo "    worker $pid is gone, worker $after serves; QEMU is process $qemu as before"
case $after in '' | "$pid") fail 'no new worker' ;; esac
[ "$(pid_of alice qemu-system-x86_64)" = "$qemu" ] || fail 'it is another QEMU'
refused alice virsh -c "$rw" start linux && fail 'it was started a second time'
talk alice 'console linux' 'are you still there?'

step 'root stops the broker and starts it again: the guest goes on'
kill -TERM $broker
wait $broker || fail "the broker ended with status $?"
[ "$(pid_of alice qemu-system-x86_64)" = "$qemu" ] || fail 'the guest has ended'
start_broker
as alice virsh -c "$rw" list --all
grep -q 'linux *running' /srv/said || fail 'it is not shown as running'

step 'alice ends it'
as alice virsh -c "$rw" destroy linux
as alice virsh -c "$rw" domstate linux --reason
until_it_is 'QEMU ends' ended alice qemu-system-x86_64

# --- the end -------------------------------------------------------------------------------------------

step 'root stops the broker; everything ends with it'
kill -TERM $broker
status=0
wait $broker || status=$?
[ $status -eq 0 ] || fail "the broker ended with status $status"
ps -eo user:12,pid,args | sed -n '/[q]emud-/s/^/    /p'
printf '\n%sAll was as it says. Nothing of it is left on this host.%s\n' "$bold" "$plain"
