# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh
#
# guest.sh: a small Linux guest to run in tests. Sourced; the test's folder is the tree.
#
# guest_kernel and guest_initrd print a path below build/cache, where they make the file once:
# Debian's kernel for clouds (downloaded, never installed), and busybox with the init below. They
# print nothing, say why on stderr and return 1 where that cannot be done.
#
# Started with `console=ttyS0`, the guest prints "guest: up KERNEL" on its first serial port. Then
# it does what `guest=` on its command line says: `off` (or nothing) powers it off, `echo` repeats
# each line that comes in behind "guest: " until that line is `off`.

guest_cache=build/cache/guest

guest_kernel() {
	guest_made "$guest_cache/vmlinuz" guest_make_kernel
}
guest_initrd() {
	guest_made "$guest_cache/initrd" guest_make_initrd
}

# guest_made FILE FUNCTION: the file's path; the function writes it to its argument if it is not
# there yet. Tests that run side by side wait for each other.
guest_made() {
	if [ ! -s "$1" ]; then
		mkdir -p "$guest_cache" || return 1
		(
			flock 9
			[ -s "$1" ] && exit
			rm -f "$1.new"
			"$2" "$1.new" && [ -s "$1.new" ] && mv "$1.new" "$1"
		) 9>"$guest_cache/lock" >&2 || return 1
	fi
	echo "$1"
}

# The name of the package that Debian's kernel for clouds is in.
guest_package() {
	apt-cache depends linux-image-cloud-amd64 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p'
}

guest_make_kernel() (
	package=$(guest_package)
	[ -n "$package" ] || { apt-get -qq update && package=$(guest_package); }
	[ -n "$package" ] || { echo "guest: no package linux-image-cloud-amd64"; exit 1; }
	folder=$(mktemp -d) || exit 1
	trap 'rm -rf "$folder"' EXIT
	(cd "$folder" && apt-get -qq -o APT::Sandbox::User=root download "$package") || exit 1
	dpkg-deb --fsys-tarfile "$folder"/*.deb | tar -x -O --wildcards './boot/vmlinuz-*' >"$1"
)

guest_make_initrd() (
	busybox=$(command -v busybox) || { echo "guest: no busybox"; exit 1; }
	folder=$(mktemp -d) || exit 1
	trap 'rm -rf "$folder"' EXIT
	mkdir -p "$folder/bin" "$folder/proc" "$folder/dev"
	cp "$busybox" "$folder/bin/busybox"
	cat >"$folder/init" <<'INIT'
#!/bin/busybox sh
export PATH=/bin
/bin/busybox --install /bin
mount -t proc proc /proc
mount -t devtmpfs dev /dev
exec </dev/ttyS0 >/dev/ttyS0 2>&1
stty -echo
echo "guest: up $(uname -r)"
case " $(cat /proc/cmdline) " in
*" guest=echo "*)
	while read -r line && [ "$line" != off ]; do
		echo "guest: $line"
	done
	;;
esac
echo "guest: off"
poweroff -f
INIT
	chmod 0755 "$folder/init"
	(cd "$folder" && find . | cpio --quiet -o -H newc -R 0:0) | gzip -1 >"$1"
)
