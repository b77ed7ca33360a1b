# SPDX-License-Identifier: LGPL-2.1-or-later
#
# qemud: one Makefile, GNU make. Everything made lands below build/.
#
#   make               the programs, with gcc, in build/
#   make asan          the same with AddressSanitizer and UBSan, in build/asan/
#   make clang         the same with clang, in build/clang/
#   make check-fast    unit tests, corpora, lint: no root, a minute
#   make check         what CI runs: also the end-to-end tests, as root
#   make check-long    the same tests with bigger numbers
#   make fuzz          the libFuzzer targets, in build/fuzz/
#   make bench         the benchmarks, against libvirtd where it is installed
#   make format        clang-format over the tree
#   make install       DESTDIR= PREFIX= SYSCONFDIR=; never over a configuration that is there
#   make accounts      the three accounts and their folders, on this host; as root
#
# A folder is a trust domain and a list of objects; a program is a list of folders.

VARIANT ?= gcc
VERSION	?= 0.1.0
PREFIX	?= /usr
SYSCONFDIR ?= /etc
LIBEXECDIR ?= $(PREFIX)/libexec/qemud
MANDIR	?= $(PREFIX)/share/man
UNITDIR	?= $(PREFIX)/lib/systemd/system
DOCDIR	?= $(PREFIX)/share/doc/qemud
COMPLETIONDIR ?= $(PREFIX)/share/bash-completion/completions

# --- compilers and flags ---------------------------------------------------------------------

CSTD	:= -std=gnu17 -D_GNU_SOURCE
WARN	:= -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	   -Wcast-qual -Wformat=2 -Wswitch-enum -Wvla -Wimplicit-fallthrough -Wconversion
# Whole folders are linked; what a program does not call stays out of it, of root's above all.
HARDEN	:= -O2 -ffunction-sections -fdata-sections -fstack-protector-strong -fstack-clash-protection -fcf-protection -fPIE \
	   -ftrivial-auto-var-init=zero
# clang 14 wants to be told that zeroing is meant.
CLANGHARD := -enable-trivial-auto-var-init-zero-knowing-it-will-be-removed-from-clang
LDHARD	:= -pie -Wl,--gc-sections -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed
WERROR	?=

ifeq ($(VARIANT),gcc)
B	:= build
CC	:= gcc
EXTRA	:= $(HARDEN) -D_FORTIFY_SOURCE=2
LDEXTRA := $(LDHARD)
else ifeq ($(VARIANT),clang)
B	:= build/clang
CC	:= clang
EXTRA	:= $(HARDEN) $(CLANGHARD) -D_FORTIFY_SOURCE=2
LDEXTRA := $(LDHARD)
else ifeq ($(VARIANT),asan)
B	:= build/asan
CC	:= gcc
EXTRA	:= -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
LDEXTRA := -fsanitize=address,undefined
else ifeq ($(VARIANT),fuzz)
B	:= build/fuzz
CC	:= clang
EXTRA	:= -O1 -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined \
	   -fno-sanitize-recover=all
LDEXTRA := -fsanitize=address,undefined
else
$(error VARIANT is gcc, clang, asan or fuzz)
endif

CFLAGS	?= -g
INCLUDE := -I. -I$(B)/gen -isystem /usr/include/libxml2
DEFINE	:= -DQEMUD_LIBEXECDIR='"$(LIBEXECDIR)"' -DQEMUD_SYSCONFDIR='"$(SYSCONFDIR)"' \
	   -DQEMUD_VERSION='"$(VERSION)"'
# One line a file; `make V=1` shows the commands.
Q	:= $(if $(V),,@)
say	 = $(if $(V),,@printf '  %-4s %s\n' $(1) $@)
COMPILE  = $(CC) $(CSTD) $(WARN) $(WERROR) $(DEFINE) $(INCLUDE) $(EXTRA) $(CFLAGS) -MMD -MP -c
LINK	 = $(CC) $(EXTRA) $(LDEXTRA) $(CFLAGS) $(LDFLAGS)

# --- folders ---------------------------------------------------------------------------------

WORKER_DIRS := worker/rpc worker/domain worker/store worker/job worker/qemu worker/vm
# The main file of each program; everything else of its folder also goes into tests.
MAINS	 := broker/main.c broker/launch/main.c broker/resolve/main.c worker/main.c worker/box/main.c \
	    worker/net/main.c view/main.c session/main.c broker/audit/main.c ctl/main.c

objects	  = $(patsubst %.c,$(B)/%.o,$(filter-out $(MAINS),$(wildcard $(1)/*.c)))
GEN_RPC	 := $(addprefix $(B)/gen/protocol/rpc/,types.h handlers.h tables.c)
GEN_FILT := $(B)/gen/policy/filters.c
GEN_LAND := $(B)/gen/policy/landlock.c

OBJ_LIB	    := $(call objects,lib)
OBJ_IPC	    := $(call objects,protocol/ipc)
# What qemudctl and the view that answers it say to each other.
OBJ_TALK    := $(call objects,protocol/ctl)
# The lines of the audit log: who writes them, and who reads them.
OBJ_LINES   := $(call objects,protocol/audit)
OBJ_RPC	    := $(call objects,protocol/rpc) $(B)/gen/protocol/rpc/tables.o
OBJ_SERVE   := $(call objects,serve)
OBJ_POLICY  := $(call objects,policy)
OBJ_CONFINE := $(call objects,confine) $(B)/gen/policy/filters.o $(B)/gen/policy/landlock.o
OBJ_BROKER  := $(call objects,broker)
OBJ_LAUNCH  := $(call objects,broker/launch)
OBJ_RESOLVE := $(call objects,broker/resolve)
OBJ_AUDIT   := $(call objects,broker/audit)
OBJ_CTL	    := $(call objects,ctl)
# The plan of a box is written by the worker and read by qemud-box; so are the words of qemud-net.
OBJ_WORKER  := $(foreach d,worker $(WORKER_DIRS),$(call objects,$(d))) $(B)/worker/box/plan.o $(B)/worker/box/prefix.o \
	       $(B)/worker/net/control.o $(B)/worker/net/counters.o
OBJ_BOX	    := $(call objects,worker/box)
OBJ_NET	    := $(call objects,worker/net)
OBJ_VIEW    := $(call objects,view)
# What answers calls, under the names that the worker's handlers have too: of the program alone.
OBJ_VIEW_RPC := $(call objects,view/rpc)
# The folder ~/.qemud and its lock are the worker's own.
OBJ_SESSION := $(call objects,session) $(B)/worker/store/home.o
OBJ_ALL	    := $(OBJ_LIB) $(OBJ_IPC) $(OBJ_RPC) $(OBJ_SERVE) $(OBJ_POLICY) $(OBJ_CONFINE) $(OBJ_BROKER) \
	       $(OBJ_LAUNCH) $(OBJ_RESOLVE) $(OBJ_WORKER) $(OBJ_BOX) $(OBJ_NET) $(OBJ_VIEW) \
	       $(OBJ_SESSION) $(OBJ_LINES) $(OBJ_TALK) $(OBJ_AUDIT) $(OBJ_CTL)

PROGRAMS := qemud qemud-launch qemud-resolve qemud-worker qemud-box qemud-net qemud-view qemud-session qemud-audit

# --- programs: what root links besides libc is libcap-ng and libseccomp -------------------------

# What people call, as themselves.
TOOLS	 := qemudctl

all: $(PROGRAMS:%=$(B)/%) $(TOOLS:%=$(B)/%)

$(B)/qemud: $(B)/broker/main.o $(OBJ_BROKER) $(OBJ_POLICY) $(OBJ_CONFINE) $(OBJ_IPC) $(OBJ_LIB)
$(B)/qemud: LIBS := -lseccomp -lcap-ng
$(B)/qemud-launch: $(B)/broker/launch/main.o $(OBJ_LAUNCH) $(OBJ_IPC) $(OBJ_LIB)
$(B)/qemud-launch: LIBS := -lcap-ng
$(B)/qemud-resolve: $(B)/broker/resolve/main.o $(OBJ_RESOLVE) $(OBJ_IPC) $(OBJ_LIB)
$(B)/qemud-worker: $(B)/worker/main.o $(OBJ_WORKER) $(OBJ_SERVE) $(OBJ_CONFINE) $(OBJ_RPC) $(OBJ_IPC) $(OBJ_LIB)
$(B)/qemud-worker: LIBS := -lseccomp -lxml2 -ljansson
$(B)/qemud-box: $(B)/worker/box/main.o $(OBJ_BOX) $(OBJ_CONFINE) $(OBJ_IPC) $(OBJ_LIB)
$(B)/qemud-box: LIBS := -lseccomp
$(B)/qemud-net: $(B)/worker/net/main.o $(OBJ_NET) $(OBJ_CONFINE) $(OBJ_IPC) $(OBJ_LIB)
$(B)/qemud-net: LIBS := -lseccomp
$(B)/qemud-view: $(B)/view/main.o $(OBJ_VIEW) $(OBJ_VIEW_RPC) $(OBJ_SERVE) $(OBJ_CONFINE) $(OBJ_TALK) $(OBJ_RPC) $(OBJ_IPC) $(OBJ_LIB)
$(B)/qemud-view: LIBS := -lseccomp
$(B)/qemud-session: $(B)/session/main.o $(OBJ_SESSION) $(OBJ_IPC) $(OBJ_LIB)

$(B)/qemud-audit: $(B)/broker/audit/main.o $(OBJ_AUDIT) $(OBJ_LINES) $(OBJ_CONFINE) $(OBJ_IPC) $(OBJ_LIB)
$(B)/qemud-audit: LIBS := -lseccomp
$(B)/qemudctl: $(B)/ctl/main.o $(OBJ_CTL) $(OBJ_LINES) $(OBJ_TALK) $(OBJ_POLICY) $(OBJ_IPC) $(OBJ_LIB)

# Mode 0711: whoever runs it without being its owner is not dumpable from exec on.
$(PROGRAMS:%=$(B)/%) $(TOOLS:%=$(B)/%):
	$(call say,LINK)
	$(Q)$(LINK) -o $@ $(filter %.o,$^) $(LIBS)
	@chmod 0711 $@

# --- objects and generated code ----------------------------------------------------------------

# What was made with other flags is made again. Where headers are is no such flag: $(B) may be moved.
FLAGS	:= $(CC) $(CSTD) $(WARN) $(EXTRA) $(CFLAGS) $(LDEXTRA) $(LDFLAGS)
$(B)/gen/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(FLAGS)' | cmp -s - $@ || echo '$(FLAGS)' >$@

$(B)/%.o: %.c $(B)/gen/flags | $(GEN_RPC)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(COMPILE) -o $@ $<

# What knows where the others are is made again when that is said otherwise: `make install PREFIX=`.
PLACES	:= $(LIBEXECDIR) $(SYSCONFDIR) $(VERSION)
$(B)/broker/main.o $(B)/broker/broker.o $(B)/broker/config.o $(B)/worker/vm/start.o $(B)/worker/session.o \
	$(B)/ctl/main.o $(B)/ctl/policy.o $(B)/view/report.o: $(B)/gen/places
$(B)/gen/places: FORCE
	@mkdir -p $(@D)
	@echo '$(PLACES)' | cmp -s - $@ || echo '$(PLACES)' >$@
FORCE:

$(B)/gen/%.o: $(B)/gen/%.c $(B)/gen/flags
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(COMPILE) -o $@ $<

$(GEN_RPC) &: protocol/rpc/generate.awk protocol/rpc/procedures.tsv protocol/rpc/types.tsv
	@mkdir -p $(B)/gen/protocol/rpc
	$(call say,AWK)
	$(Q)for f in types.h handlers.h tables.c; do \
		awk -f protocol/rpc/generate.awk -v part=$${f%.*} protocol/rpc/types.tsv \
			protocol/rpc/procedures.tsv > $(B)/gen/protocol/rpc/$$f.new || exit 1; done
	@cd $(B)/gen/protocol/rpc && for f in types.h handlers.h tables.c; do \
		mv $$f.new $$f || exit 1; done

SECCOMP_LISTS := $(sort $(wildcard policy/seccomp/*.list))
$(GEN_FILT): confine/filters.awk $(SECCOMP_LISTS)
	@mkdir -p $(@D)
	$(call say,AWK)
	$(Q)awk -f confine/filters.awk -v asan=$(if $(filter asan,$(VARIANT)),1,0) $(SECCOMP_LISTS) > $@.new
	@mv $@.new $@

LANDLOCK_LISTS := $(sort $(wildcard policy/landlock/*.list))
$(GEN_LAND): confine/landlock.awk $(LANDLOCK_LISTS)
	@mkdir -p $(@D)
	$(call say,AWK)
	$(Q)awk -f confine/landlock.awk $(LANDLOCK_LISTS) > $@.new
	@mv $@.new $@

# --- tests: a C test is one file in tests/unit, linked with every folder's objects --------------

comma	:= ,
UNIT	:= $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/*.c))
TESTLIB	:= $(B)/tests/objects.a
TESTLIBS := -lxml2 -ljansson -lseccomp -lcap-ng
$(TESTLIB): $(sort $(OBJ_ALL))
	@mkdir -p $(@D)
	@rm -f $@
	@# Appended one by one: files of one name in several folders are all kept.
	$(call say,AR)
	$(Q)ar qcs $@ $^

# A test's own code is compiled fast: what programs are made of is as they have it. So it is linked.
$(B)/tests/unit/%.o: EXTRA += -O0 -U_FORTIFY_SOURCE
FASTLINK := -fuse-ld=gold
# These have every handler, whether anybody refers to it or not.
$(addprefix $(B)/tests/unit/,worker_fields worker_sessions): HANDLERS := $(call objects,worker/rpc) $(addprefix $(B)/serve/,auth.o connection.o domain_event.o)
$(addprefix $(B)/tests/unit/,$(filter view_%,$(UNIT))): HANDLERS := $(OBJ_VIEW_RPC) $(addprefix $(B)/serve/,auth.o connection.o domain_event.o)
$(addprefix $(B)/tests/unit/,$(filter view_%,$(UNIT))): $(OBJ_VIEW_RPC)
$(B)/tests/unit/%: $(B)/tests/unit/%.o $(TESTLIB)
	$(call say,LINK)
	$(Q)$(LINK) $(FASTLINK) -o $@ $< $(HANDLERS) $(TESTLIB) $(TESTLIBS)

# Calls that allocate, and the turn of the loop in which they may fail.
$(B)/tests/unit/no_memory: LDFLAGS += $(addprefix -Wl$(comma)--wrap=,malloc calloc realloc \
	reallocarray strdup strndup asprintf __asprintf_chk vasprintf __vasprintf_chk \
	open_memstream opendir fdopendir loop_once)

# A disk that is full.
$(B)/tests/unit/audit_journal: LDFLAGS += -Wl,--wrap=write

# What the system's log is told, and a disk that fails.
$(B)/tests/unit/audit_head: LDFLAGS += $(addprefix -Wl$(comma)--wrap=,sendto fdatasync)

# Files that are looked at.
$(B)/tests/unit/vm_stats: LDFLAGS += -Wl,--wrap=open

# What the parser of definitions asks for of a document.
$(addprefix $(B)/tests/unit/,domain_schema domain_mixed): LDFLAGS += $(addprefix \
	-Wl$(comma)--wrap=xml_,child each attr attr_word attr_choice attr_required_choice \
	attr_number text child_text word_value)

# A fuzz target is one file in fuzz/; replay/NAME runs it over files with any compiler.
FUZZERS	:= $(patsubst fuzz/fuzz_%.c,%,$(wildcard fuzz/fuzz_*.c))
$(addprefix $(B)/replay/,calls qemu) $(addprefix $(B)/fuzz_,calls qemu): \
	HANDLERS := $(call objects,worker/rpc) $(addprefix $(B)/serve/,auth.o connection.o domain_event.o)
VIEW_HANDLERS := $(OBJ_VIEW_RPC) $(addprefix $(B)/serve/,auth.o connection.o domain_event.o)
$(B)/fuzz_view: HANDLERS := $(VIEW_HANDLERS)
$(B)/replay/view $(B)/fuzz_view: $(VIEW_HANDLERS)
$(B)/replay/%: $(B)/fuzz/fuzz_%.o $(B)/fuzz/replay.o $(TESTLIB)
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)$(LINK) $(FASTLINK) -o $@ $(filter %.o,$^) $(HANDLERS) $(TESTLIB) $(TESTLIBS)
$(B)/fuzz_%: $(B)/fuzz/fuzz_%.o $(TESTLIB)
	$(call say,LINK)
	$(Q)$(LINK) -fsanitize=fuzzer -o $@ $< $(HANDLERS) $(TESTLIB) $(TESTLIBS)

tests: all $(UNIT:%=$(B)/tests/unit/%) $(FUZZERS:%=$(B)/replay/%)
fuzz:
	$(MAKE) VARIANT=fuzz fuzzers
	@# What fuzz/run writes down: the commit, with a plus sign when the tree differs from it.
	$(Q)(git rev-parse --short=12 HEAD && (git diff --quiet HEAD -- . ':!fuzz/RUNS.tsv' || \
		echo +)) | tr -d '\n' > build/fuzz/commit
fuzzers: $(FUZZERS:%=$(B)/fuzz_%)

# --- goals ---------------------------------------------------------------------------------------

asan clang:
	$(MAKE) VARIANT=$@ all tests

check-fast:
	tests/run fast
check:
	tests/run full
check-long:
	tests/run long

BENCHES	:= $(patsubst bench/%.c,$(B)/bench/%,$(wildcard bench/*.c))
$(B)/bench/%: $(B)/bench/%.o $(TESTLIB)
	$(call say,LINK)
	$(Q)$(LINK) -o $@ $< $(TESTLIB) $(TESTLIBS) -lm
benches: all $(BENCHES)
bench: benches
	bench/run

format:
	clang-format -i $$(git ls-files '*.c' '*.h')

UNITS	:= qemud.service qemud-vms.service qemud.socket qemud-ro.socket qemud-ctl.socket

install: all
	install -d $(addprefix $(DESTDIR),$(PREFIX)/bin $(PREFIX)/sbin $(LIBEXECDIR) $(addprefix $(MANDIR)/man,1 5 8) \
		$(UNITDIR) $(PREFIX)/lib/sysusers.d $(PREFIX)/lib/tmpfiles.d $(COMPLETIONDIR) $(DOCDIR) \
		$(SYSCONFDIR)/qemud $(SYSCONFDIR)/qemud/policy.d)
	install -m 0711 $(B)/qemud $(DESTDIR)$(PREFIX)/sbin/qemud
	install -m 0711 $(TOOLS:%=$(B)/%) $(DESTDIR)$(PREFIX)/bin
	for p in $(filter-out qemud,$(PROGRAMS)); do \
		install -m 0711 $(B)/$$p $(DESTDIR)$(LIBEXECDIR)/$$p || exit 1; done
	for p in $(wildcard man/*.[158]); do to=$(DESTDIR)$(MANDIR)/man$${p##*.}/$${p#man/}; \
		sed 's|/usr/libexec/qemud|$(LIBEXECDIR)|g; s|/etc/qemud|$(SYSCONFDIR)/qemud|g' $$p >$$to && \
		chmod 0644 $$to || exit 1; done
	for u in $(UNITS); do sed 's|@SBINDIR@|$(PREFIX)/sbin|' packaging/$$u \
		>$(DESTDIR)$(UNITDIR)/$$u && chmod 0644 $(DESTDIR)$(UNITDIR)/$$u || exit 1; done
	install -m 0644 packaging/qemud.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/qemud.conf
	install -m 0644 packaging/qemud.tmpfiles $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/qemud.conf
	install -m 0644 packaging/qemud.bash $(DESTDIR)$(COMPLETIONDIR)/qemud
	install -m 0644 packaging/qemudctl.bash $(DESTDIR)$(COMPLETIONDIR)/qemudctl
	install -m 0644 README.md SECURITY.md packaging/libvirt.conf $(DESTDIR)$(DOCDIR)
	for c in qemud.conf policy.conf; do to=$(DESTDIR)$(SYSCONFDIR)/qemud/$$c; \
		install -m 0644 packaging/$$c $$to.example && \
		{ [ -e $$to ] || install -m 0644 packaging/$$c $$to; } || exit 1; done

# The same as packaging/qemud.sysusers and qemud.tmpfiles, for hosts with and without systemd.
accounts:
	getent passwd qemud-vm >/dev/null || useradd --system --user-group --no-create-home \
		--home-dir /var/lib/qemud/system --shell /usr/sbin/nologin qemud-vm
	getent passwd qemud-view >/dev/null || useradd --system --user-group --no-create-home \
		--home-dir / --shell /usr/sbin/nologin qemud-view
	getent passwd qemud-audit >/dev/null || useradd --system --user-group --no-create-home \
		--home-dir / --shell /usr/sbin/nologin qemud-audit
	install -d -m 0755 /var/lib/qemud
	install -d -m 0700 -o qemud-vm -g qemud-vm /var/lib/qemud/system
	install -d -m 0750 -o qemud-audit -g qemud-audit /var/log/qemud

clean:
	rm -rf build

.PHONY: FORCE all tests fuzz fuzzers asan clang check-fast check check-long bench benches format \
	install accounts clean
.SECONDARY:

-include $(shell find $(B) -name '*.d' 2>/dev/null)
