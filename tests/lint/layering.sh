#!/bin/sh
# Property: each trust domain includes, links and calls only what is its own to use.
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Folder by folder, and after linking: what a file may touch is visible in its path, and what came
# out of the linker proves it. Reads the programs of build/.
. tests/lib/tap.sh

# folder -> folders whose headers its files may include, besides its own
includes() {
	cat <<'TABLE'
lib              protocol/ipc
protocol         lib
protocol/ipc     lib protocol
protocol/rpc     lib protocol
protocol/audit   lib protocol/ipc
protocol/ctl     lib
policy           lib protocol protocol/ipc
confine          lib
serve            lib protocol protocol/ipc protocol/rpc
broker           lib protocol protocol/ipc policy confine
broker/launch    lib protocol/ipc
broker/resolve   lib protocol/ipc
broker/audit     lib protocol/ipc protocol/audit confine
ctl              lib protocol protocol/ipc protocol/audit protocol/ctl policy
worker           lib protocol protocol/ipc protocol/rpc confine serve worker/*
worker/rpc       lib protocol protocol/ipc protocol/rpc serve worker worker/*
worker/store     lib protocol/rpc worker/domain
worker/vm        lib protocol/ipc protocol/rpc worker/domain worker/store worker/job worker/qemu worker/box worker/net
worker/job       lib protocol/rpc serve worker/domain worker/qemu worker/store worker/rpc
worker/qemu      lib protocol/rpc worker/domain worker/job worker/box worker/net
worker/domain    lib protocol/rpc
worker/box       lib confine
worker/net       lib confine
view             lib protocol protocol/ipc protocol/rpc protocol/ctl confine serve
view/rpc         lib protocol/rpc serve view
session          lib protocol protocol/ipc worker/store
TABLE
}
# program -> libraries it names, besides libc
libraries() {
	cat <<'TABLE'
qemud          libseccomp libcap-ng
qemud-launch   libcap-ng libseccomp
qemud-resolve
qemud-worker   libseccomp libxml2 libjansson
qemud-box      libseccomp
qemud-net      libseccomp
qemud-view     libseccomp
qemud-session
qemud-audit    libseccomp
qemudctl
TABLE
}

# may_include HEADER FOLDER "FOLDER..."
may_include() {
	set -f # folders are patterns, and not yet files
	for other in $2 $3; do
		# shellcheck disable=SC2254 # a pattern
		case ${1%/*} in $other) return 0 ;; esac
	done
	return 1
}
foreign_includes() {
	includes | while read -r folder others; do
		find "$folder" -maxdepth 1 -name '*.[ch]' -exec grep -H '^#include "' {} + |
			sed 's/:#include "\(.*\)"/ \1/' | while read -r file header; do
			may_include "$header" "$folder" "$others" || echo "$file: $header"
		done
	done
}
# A folder that the table does not know has no rule, and so may not be.
unknown_folders() {
	find lib protocol policy confine serve broker ctl worker view session -name '*.[ch]' | sed 's|/[^/]*$||' |
		sort -u | while read -r folder; do
		includes | grep -q "^$folder " || echo "$folder"
	done
}
# has HEADER-PATTERN FOLDER...: includes of system headers
has() {
	pattern=$1
	shift
	for folder; do
		grep -nE "^#include <($pattern)>" "$folder"/*.[ch] 2>/dev/null
	done
	true
}
parsers_outside() {
	has 'libxml/.*|jansson\.h' lib protocol protocol/ipc protocol/rpc policy confine serve broker \
		broker/launch broker/resolve broker/audit protocol/audit protocol/ctl view view/rpc session
	has 'openssl/.*|gnutls/.*' lib protocol protocol/ipc protocol/rpc policy confine serve broker \
		broker/launch broker/resolve view view/rpc worker worker/rpc worker/domain worker/store worker/box worker/net session
}
names_as_root() {
	has 'pwd\.h|netdb\.h|dlfcn\.h|nss\.h' session lib protocol protocol/ipc protocol/rpc policy confine \
		broker broker/launch
}
foreign_libraries() {
	libraries | while read -r program allowed; do
		readelf -d "build/$program" | sed -n 's/.*(NEEDED).*\[\(lib[^.]*\)\..*/\1/p' |
			while read -r library; do
				case " libc $allowed " in
				*" $library "*) ;;
				*) echo "$program links $library" ;;
				esac
			done
	done
}
# calls PATTERN FILE...: undefined symbols
calls() {
	pattern=$1
	shift
	for file; do
		nm --undefined-only "$file" | sed 's/@.*//' | awk '{ print $NF }' |
			grep -xE "$pattern" | sed "s|^|$file calls |"
	done
	true
}
# holds PATTERN FILE...: symbols that are defined there
holds() {
	pattern=$1
	shift
	for file; do
		nm --defined-only "$file" | awk '{ print $NF }' | grep -xE "$pattern" | sed "s|^|$file holds |"
	done
	true
}
# Nor the halves of lib, confine and protocol that are other programs'.
root_holds() {
	holds 'uplink_.*|landlock_.*|filter_(net|audit|worker|qemu|qemu_img|passt|refuser|view)|foreign_allow' \
		build/qemud build/qemud-launch build/qemud-resolve
	holds 'rpc_.*_args|uplink_ask.*|memfd_read|client_.*' build/qemud-net
}
root_calls() {
	calls '(get|set|end)(pw(ent|nam|uid)|gr(ent|nam|gid)|host(by|ent|id)|serv|addrinfo|nameinfo|sp)[a-z_]*|initgroups|getgrouplist|nss_.*|dlopen|dlsym|xml.*|json_.*|SSL_.*' \
		build/qemud build/qemud-launch
	calls 'system|popen|execvp|execlp|posix_spawnp' build/qemud build/qemud-launch \
		build/qemud-worker build/qemud-box build/qemud-net build/qemud-view build/qemud-audit
}
worker_calls() {
	calls 'fork|vfork|posix_spawn.*|ptrace|system|popen|pthread_create' \
		build/qemud-worker build/qemud-box build/qemud-net build/qemud-view build/qemud-audit
	# qemud-box becomes QEMU or a tool; that is what it is for.
	calls 'exec.*|fexecve' build/qemud-net build/qemud-view build/qemud-audit
	# And the worker becomes qemud-session, in its first line, in one place, by one call.
	# shellcheck disable=SC2046 # a list of files
	calls 'exec.*|fexecve' $(find build/worker -name '*.o' ! -path 'build/worker/box/*' ! -path build/worker/session.o)
	calls 'exec[^v].*|execv.+|fexecve' build/worker/session.o
}
# The list that is loaded before anything is read has no way to start a program, for the worker.
worker_may_not_exec() {
	grep -nE '^(execve|execveat|fork|vfork|clone3?)\b' policy/seccomp/worker.list
	awk '/session_become\(argc/ { before = NR } /read_arguments\(&worker/ { after = NR }
		END { if (!before || before > after) print "worker/main.c: session_become() is not its first step" }' worker/main.c
}
# What is pure takes values and gives values.
pure_calls() {
	# shellcheck disable=SC2046 # a list of files
	calls 'open(at|at2)?(64)?|creat(64)?|f?open(64)?|fdopen|read|readv|pread(64)?|write|writev|pwrite(64)?|socket|socketpair|connect|accept4?|bind|send(to|msg)?|recv(from|msg)?|ioctl|poll|epoll_.*|fork|exec.*|kill|v?f?printf|puts|putchar|fputs|fwrite|getenv|time|clock_gettime|log_(error|warning|info|debug)' \
		$(find protocol policy -name '*.c' | sed 's|\(.*\)c$|build/\1o|') build/gen/protocol/rpc/*.o
}

check 'headers come from folders that the domain may know' foreign_includes
check 'each folder has a rule' unknown_folders
check 'parsers are included by the worker alone, TLS by nobody' parsers_outside
check 'nothing that runs as root asks for names' names_as_root
for program in $(libraries | awk '{ print $1 }'); do
	[ -f "build/$program" ] || check "build/$program is there (make)" false
done
check 'programs link what their domain allows' foreign_libraries
check 'root programs look up no name, load no code, parse no document' root_calls
check 'programs hold nothing that they do not use' root_holds
check 'the worker and the view start nothing' worker_calls
check 'the list of the worker has no exec and no fork' worker_may_not_exec
check 'protocol and policy do no I/O' pure_calls
tap_end
