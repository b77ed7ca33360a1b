# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh
#
# guest.sh: a small Linux guest to run in tests. Sourced; the test's folder is the tree.
#
# guest_kernel and guest_initrd print a path below build/cache, where they make the file once:
# Debian's kernel for clouds (downloaded, never installed), and busybox with the init below. They
# print nothing, say why on stderr and return 1 where that cannot be done.
#
# Started with `console=ttyS0`, and `no_timer_check` (a busy machine may keep the clock that the kernel
# looks for waiting, and then it ends itself), the guest prints "guest: up KERNEL" on its first serial port. It loads
# the modules that `load=` on its command line names, with commas between (of those in guest_modules).
# Then it does what `guest=` says: `off` (or nothing) powers it off, `echo` repeats each line that
# comes in behind "guest: " until that line is `off`; a line that begins with `sh ` is run, and what it
# prints comes behind "guest: ".

guest_cache=build/cache/guest
guest_modules="virtio_pci virtio_net virtio_blk virtio_console virtio_scsi ata_piix sd_mod sr_mod isofs"

guest_kernel() {
	guest_made "$guest_cache/vmlinuz" guest_make_kernel
}
guest_initrd() {
	guest_made "$guest_cache/initrd" guest_make_initrd
}

# guest_made FILE FUNCTION: the file's path; the function writes it to its argument if it is not
# there yet, or older than this text. Tests that run side by side wait for each other.
guest_made() {
	if ! guest_is_new "$1"; then
		mkdir -p "$guest_cache" || return 1
		(
			flock 9
			guest_is_new "$1" && exit
			rm -f "$1.new"
			"$2" "$1.new" && [ -s "$1.new" ] && mv "$1.new" "$1"
		) 9>"$guest_cache/lock" >&2 || return 1
	fi
	echo "$1"
}

guest_is_new() {
	[ -n "$(find "$1" -size +0 -newer tests/lib/guest.sh 2>/dev/null)" ]
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
	dpkg-deb -x "$folder"/*.deb "$folder" || exit 1
	mkdir "$folder/out" || exit 1
	for module in $guest_modules; do guest_module "$folder" "$module"; done
	tar -C "$folder/out" -cf "$guest_cache/modules.tar" . || exit 1
	cat "$folder"/boot/vmlinuz-* >"$1"
)

# guest_module FOLDER NAME: the module and what it needs, from FOLDER/lib to FOLDER/out, with a list
# of what has to be loaded for it, in that order. What the kernel has built in is no file.
guest_module() {
	file=$(find "$1/lib" -name "$2.ko")
	[ -n "$file" ] || return 0
	cp "$file" "$1/out/"
	tr '\0' '\n' <"$file" | sed -n 's/^depends=//p' | tr ',' '\n' | while read -r needed; do
		[ -z "$needed" ] || guest_module "$1" "$needed"
		cat "$1/out/$needed.list" 2>/dev/null
	done >"$1/out/$2.new"
	echo "$2" >>"$1/out/$2.new"
	mv "$1/out/$2.new" "$1/out/$2.list"
}

guest_make_initrd() (
	busybox=$(command -v busybox) || { echo "guest: no busybox"; exit 1; }
	folder=$(mktemp -d) || exit 1
	trap 'rm -rf "$folder"' EXIT
	mkdir -p "$folder/bin" "$folder/proc" "$folder/dev" "$folder/sys" "$folder/modules" "$folder/etc"
	tar -C "$folder/modules" -xf "$guest_cache/modules.tar" || exit 1
	cp "$busybox" "$folder/bin/busybox"
	cat >"$folder/init" <<'INIT'
#!/bin/busybox sh
export PATH=/bin
/bin/busybox --install /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
for name in $(sed -n 's/.*load=\([a-z_,0-9]*\).*/\1/p' /proc/cmdline | tr ',' ' '); do
	while read -r module; do insmod "/modules/$module.ko" 2>/dev/null; done <"/modules/$name.list"
done
exec </dev/ttyS0 >/dev/ttyS0 2>&1
stty -echo
echo "guest: up $(uname -r)"
case " $(cat /proc/cmdline) " in
*" guest=echo "*)
	while read -r line && [ "$line" != off ]; do
		case $line in
		"sh "*) sh -c "${line#sh }" 2>&1 | sed 's/^/guest: /' ;;
		*) echo "guest: $line" ;;
		esac
	done
	;;
esac
echo "guest: off"
poweroff -f
INIT
	mkdir -p "$folder/etc/udhcpc"
	cat >"$folder/etc/udhcpc/default.script" <<'LEASE'
#!/bin/sh
[ "$1" = bound ] || exit 0
ip addr add "$ip/$mask" dev "$interface"
ip route add default via "$router" dev "$interface"
echo "nameserver $dns" >/etc/resolv.conf
LEASE
	chmod 0755 "$folder/init" "$folder/etc/udhcpc/default.script"
	(cd "$folder" && find . | cpio --quiet -o -H newc -R 0:0) | gzip -1 >"$1"
)
