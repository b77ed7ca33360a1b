/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is done by hand to files in ~/.qemud/domains is done to the VMs; no file that its owner wrote
 * is lost, and no VM but the one that it is about changes.
 *
 * test: slow heavy
 */
#include "worker/store/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include "protocol/rpc/procedure.h"
#include "tests/unit/filtered.h"
#include "tests/unit/folder_rig.h"
#include "worker/store/definitions.h"

enum { PATIENCE_S = 60 /* until a test gives up waiting */ };

static struct rpc_error error;

/* Turn the loop until it is so. */
#define until(expr)                                                   \
	do {                                                          \
		uint64_t end_ns_ = loop_clock() + LOOP_S(PATIENCE_S); \
                                                                      \
		while (!(expr) && loop_clock() < end_ns_)             \
			ASSERT(loop_once(&loop, 50) == 0);            \
		CHECK(expr);                                          \
	} while (0)

/* Write a definition by hand: truncate and write, as `>` does. */
static void
put(const char *file, const char *name, unsigned number, const char *more)
{
	char path[512];
	file_auto FILE *f = NULL;

	(void)snprintf(path, sizeof(path), ".qemud/domains/%s.xml", file);
	f = fopen(path, "we");
	ASSERT(f && fputs(xml_of(name, number, more), f) >= 0);
}

static void
define(const char *name, unsigned number, const char *more)
{
	struct domain *domain;
	bool is_new;

	CHECK(domains_define(&domains, xml_of(name, number, more), NULL, &error, &domain,
		      &is_new) == RPC_DONE);
}

static struct domain *
named(const char *name)
{
	return domains_find_name(&domains, name);
}

/* The last digit of a domain's UUID; -1 when there is no such domain, or it has another UUID. */
static int
number_of(const char *name)
{
	static const uint8_t zero[8] = {0, 0, 0, 0, 0, 0, 0x40};
	const struct domain *domain = named(name);
	const uint8_t *uuid = domain ? domain_def_now(domain)->uuid : NULL;

	return uuid && memcmp(uuid, zero, 8) == 0 ? uuid[15] : -1;
}

static bool
has_title(const char *name, const char *title)
{
	const struct domain *domain = named(name);

	return domain && domain->config && domain->config->title &&
	       strcmp(domain->config->title, title) == 0;
}

static bool
file_has(const char *name, const char *what)
{
	char command[1024];

	(void)snprintf(command, sizeof(command), "grep -q '%s' '.qemud/domains/%s.xml' 2>/dev/null",
		what, name);
	return system(command) == 0;
}

static bool
is_there(const char *name)
{
	return definitions_exist(&home, name);
}

static void
said(const char *text)
{
	if (!strstr(reported.why, text))
		CHECK_STR(reported.why, text);
}

/* As if it ran: what is there of it holds it, until stop(). */
static struct vm *const running = (struct vm *)&loop;

static void
start(const char *name)
{
	struct domain *domain = named(name);

	ASSERT(domain && domain_def_live(domain->config, &env, &domain->live) == 0);
	domain->vm = running;
	domain->id = 7;
}

static void
stop(struct domain *domain)
{
	domain->vm = NULL;
	domains_settle(&domains, domain);
}

/* --- one file ----------------------------------------------------------------------------- */

static void
comes_changes_goes(void)
{
	begin();
	put("vm", "vm", 1, "");
	until(named("vm"));
	CHECK_STR(reported.events, "vm:0/0 ");
	put("vm", "vm", 1, "<title>two</title>");
	until(has_title("vm", "two"));
	CHECK_STR(reported.events, "vm:0/0 vm:0/1 ");
	run("rm .qemud/domains/vm.xml");
	until(!named("vm"));
	CHECK_STR(reported.events, "vm:0/0 vm:0/1 vm:1/0 ");
	CHECK(domains.n == 0 && folder.files.n == 0 && reported.n == 0);
	close_all();
}

static void
ways_to_write(void)
{
	begin();
	put("vm", "vm", 1, "");
	until(named("vm"));
	run("sed -i 's|</uuid>|</uuid><title>sed</title>|' .qemud/domains/vm.xml");
	until(has_title("vm", "sed"));
	run("sed 's|>sed<|>moved<|' .qemud/domains/vm.xml >new && mv new .qemud/domains/vm.xml");
	until(has_title("vm", "moved"));
	/* As vi does it: the old file is put aside, the new one is written. */
	run("cd .qemud/domains && mv vm.xml vm.xml~ && sed 's|>moved<|>vi<|' vm.xml~ >vm.xml && "
	    "rm vm.xml~");
	until(has_title("vm", "vi"));
	run("sed 's|>vi<|>linked<|' .qemud/domains/vm.xml >new && rm .qemud/domains/vm.xml && "
	    "ln new .qemud/domains/vm.xml && rm new");
	until(has_title("vm", "linked"));
	/* None of all that made another of it. */
	CHECK_STR(reported.events, "vm:0/0 vm:0/1 vm:0/1 vm:0/1 vm:0/1 ");
	CHECK(domains.n == 1 && reported.n == 0);
	close_all();
}

static void
what_changes_nothing_is_not_told(void)
{
	struct domain *vm;

	begin();
	define("vm", 1, "");
	vm = named("vm");
	put("other", "other", 2, "");
	until(named("other"));
	*reported.events = '\0';
	run("touch .qemud/domains/vm.xml");
	run("printf '\\n' >>.qemud/domains/vm.xml");
	define("vm", 1, "<title>ours</title>");
	put("other", "other", 2, "<title>theirs</title>");
	until(has_title("other", "theirs"));
	CHECK_STR(reported.events, "other:0/1 ");
	CHECK(named("vm") == vm && has_title("vm", "ours"));
	close_all();
}

static void
half_written_is_not_read(void)
{
	int fd;

	begin();
	put("vm", "vm", 1, "<title>old</title>");
	until(named("vm"));
	fd = open(".qemud/domains/vm.xml", O_WRONLY | O_TRUNC | O_CLOEXEC);
	ASSERT(fd >= 0 && write(fd, "<domain>", 8) == 8);
	put("other", "other", 2, "");
	until(named("other"));
	CHECK(has_title("vm", "old") && reported.n == 0);
	/* Closed half way, and the rest comes with the next opening. */
	ASSERT(close(fd) == 0);
	put("other", "other", 2, "<title>later</title>");
	until(has_title("other", "later"));
	CHECK(has_title("vm", "old") && reported.n == 0);
	put("vm", "vm", 1, "<title>new</title>");
	until(has_title("vm", "new"));
	CHECK(reported.n == 0);
	close_all();
}

static void
broken_is_reported(void)
{
	struct domain *domain;
	bool is_new;

	begin();
	define("vm", 1, "<title>good</title>");
	run("printf '<domain\\n<name>' >.qemud/domains/vm.xml");
	until(reported.n == 1);
	CHECK_STR(reported.name, "vm");
	said("(domain_definition):2:");
	CHECK(has_title("vm", "good") && file_has("vm", "<name>"));
	/* It is somebody's work, and not written over. */
	CHECK(domains_define(&domains, xml_of("vm", 1, ""), NULL, &error, &domain, &is_new) ==
		RPC_FAILED);
	CHECK(strstr(error.message, "move it away or mend it") != NULL);
	put("vm", "vm", 1, "<title>mended</title>");
	until(has_title("vm", "mended"));
	CHECK(reported.n == 1);
	CHECK_STR(reported.events, "vm:0/1 ");
	define("vm", 1, "<title>by virsh</title>");
	/* Or it goes. */
	run("echo bad >.qemud/domains/vm.xml");
	until(reported.n == 2);
	run("rm .qemud/domains/vm.xml");
	until(!named("vm"));
	close_all();
}

static void
no_definitions(void)
{
	begin();
	define("vm", 1, "");
	run("cd .qemud/domains && mkfifo fifo.xml && ln -s vm.xml link.xml && mkdir folder.xml");
	until(reported.n == 3);
	run("truncate -s 1G .qemud/domains/huge.xml");
	until(reported.n == 4);
	said("longer than a definition may be");
	run("cd .qemud/domains && cp vm.xml .hidden.xml && cp vm.xml vm.txt && cp vm.xml vm.xml~");
	if (geteuid() == 0)
		run("mknod .qemud/domains/null.xml c 1 3");
	else
		run("mkfifo .qemud/domains/null.xml");
	until(reported.n == 5);
	said("no regular file");
	CHECK(domains.n == 1 && reported.n_changed == 0);
	CHECK_STR(reported.events, "");
	close_all();
}

/* --- copies and names --------------------------------------------------------------------- */

static void
a_copy_is_another(void)
{
	begin();
	define("vm", 1, "");
	CHECK(domains_set_autostart(&domains, named("vm"), true, &error) == RPC_DONE);
	run("cp .qemud/domains/vm.xml .qemud/domains/copy.xml");
	until(named("vm-1"));
	CHECK(number_of("vm") == 1 && number_of("vm-1") == -1);
	CHECK(!is_there("copy") && file_has("vm-1", "<name>vm-1</name>"));
	CHECK(!file_has("vm-1", "00000000-0000-4000-8000-000000000001"));
	CHECK(file_has("vm", "00000000-0000-4000-8000-000000000001"));
	CHECK(named("vm")->autostart && !named("vm-1")->autostart);
	CHECK_STR(reported.events, "vm-1:0/0 ");
	CHECK(strstr(reported.changed, "copy: it has become that of domain 'vm-1'") != NULL);
	run("cp .qemud/domains/vm.xml .qemud/domains/copy.xml");
	until(named("vm-2"));
	/* The file of that name is taken, if not by a definition. */
	run("echo mine >.qemud/domains/vm-3.xml; cp .qemud/domains/vm.xml .qemud/domains/copy.xml");
	until(named("vm-4"));
	CHECK(file_has("vm-3", "mine"));
	reopen();
	CHECK(domains.n == 4 && number_of("vm") == 1 && reported.n == 1);
	CHECK_STR(reported.name, "vm-3");
	close_all();
}

static void
a_copy_with_a_name_of_its_own(void)
{
	begin();
	define("vm", 1, "");
	run("sed 's|>vm<|>mine<|' .qemud/domains/vm.xml >.qemud/domains/mine.xml");
	until(named("mine"));
	CHECK(number_of("vm") == 1 && number_of("mine") == -1 && is_there("mine"));
	/* And one that has a UUID of its own, but not a name. */
	put("third", "vm", 3, "");
	until(named("vm-1"));
	CHECK(number_of("vm-1") == 3 && !is_there("third") && is_there("vm-1"));
	/* Copied, and edited in the moment after. */
	run("cd .qemud/domains && cp vm.xml web.xml && sed -i 's|>vm<|>web<|; s|<uuid>.*</uuid>||' "
	    "web.xml");
	until(named("web"));
	CHECK(is_there("web") && domains.n == 4);
	close_all();
}

/* What the file says and virsh dumpxml does not is kept as well, and its change is one. */
static void
secrets_are_kept(void)
{
	begin();
	define("vm", 1, "");
	run("sed -i \"s|</devices>|<graphics type='vnc' autoport='yes' "
	    "passwd='aaaaa'/></devices>|\" .qemud/domains/vm.xml");
	until(strcmp(reported.events, "vm:0/1 ") == 0);
	run("sed -i 's|aaaaa|bbbbb|' .qemud/domains/vm.xml");
	until(strcmp(reported.events, "vm:0/1 vm:0/1 ") == 0);
	run("cp .qemud/domains/vm.xml .qemud/domains/copy.xml");
	until(named("vm-1"));
	CHECK(file_has("vm-1", "bbbbb") && file_has("vm", "bbbbb") && reported.n == 0);
	/* Nor told to a log, where they break a rule of XML. */
	run("sed -i \"s|passwd='bbbbb'|passwd='ccccc'<|\" .qemud/domains/vm.xml");
	until(reported.n == 1);
	said("(domain_definition):");
	CHECK(file_has("vm", "ccccc") && !strstr(reported.why, "ccccc"));
	close_all();
}

static void
a_moved_file_is_the_same(void)
{
	struct domain *vm;

	begin();
	define("vm", 1, "");
	vm = named("vm");
	CHECK(domains_set_autostart(&domains, vm, true, &error) == RPC_DONE);
	run("mv .qemud/domains/vm.xml .qemud/domains/elsewhere.xml");
	until(is_there("vm"));
	CHECK(named("vm") == vm && number_of("vm") == 1 && !is_there("elsewhere"));
	CHECK_STR(reported.events, "");
	run("cd .qemud/domains && mv vm.xml web.xml && sed -i 's|>vm<|>web<|' web.xml");
	until(named("web"));
	CHECK(named("web") == vm && number_of("web") == 1 && domains.n == 1);
	CHECK(vm->autostart && definitions_autostart(&home, "web"));
	CHECK(!definitions_autostart(&home, "vm"));
	CHECK_STR(reported.events, "vm:1/1 web:0/2 ");
	close_all();
}

static void
a_name_that_is_edited(void)
{
	struct domain *vm;

	begin();
	define("vm", 1, "");
	define("taken", 2, "");
	vm = named("vm");
	run("sed -i 's|>vm<|>web<|' .qemud/domains/vm.xml");
	until(named("web"));
	CHECK(named("web") == vm && is_there("web") && !is_there("vm"));
	run("sed -i 's|>web<|>taken<|' .qemud/domains/web.xml");
	until(named("taken-1"));
	CHECK(named("taken-1") == vm && number_of("taken") == 2 && domains.n == 2);
	/* Without a UUID it is still that domain; with another it is another. */
	run("sed -i 's|<uuid>.*</uuid>||' .qemud/domains/taken.xml");
	until(file_has("taken", "<uuid>"));
	CHECK(number_of("taken") == 2);
	*reported.events = '\0';
	run("sed -i 's|000000000002<|000000000003<|' .qemud/domains/taken.xml");
	until(number_of("taken") == 3);
	CHECK_STR(reported.events, "taken:1/0 taken:0/0 ");
	reopen();
	CHECK(domains.n == 2 && number_of("taken") == 3 && number_of("taken-1") == 1);
	close_all();
}

static void
a_file_over_another(void)
{
	begin();
	define("one", 1, "");
	define("two", 2, "");
	run("cd .qemud/domains && mv one.xml two.xml");
	until(is_there("one"));
	CHECK(domains.n == 1 && number_of("one") == 1 && !is_there("two"));
	CHECK_STR(reported.events, "two:1/0 ");
	close_all();
}

static void
names_that_are_no_text(void)
{
	begin();
	put("\xff\xfe", "vm", 1, "");
	until(named("vm"));
	CHECK(is_there("vm") && number_of("vm") == 1);
	run("f=$(printf '%%0240d' 1); sed 's|>vm<|>long<|; s|<uuid>.*</uuid>||' "
	    ".qemud/domains/vm.xml "
	    ">.qemud/domains/$f.xml");
	until(named("long"));
	CHECK(is_there("long"));
	/* Nothing can be put beside this one; it is said so, and it stays. */
	run("f=$(printf '%%0250d' 1); sed 's|<uuid>.*</uuid>||' .qemud/domains/vm.xml "
	    ">.qemud/domains/$f.xml");
	until(reported.n == 1);
	said("File name too long");
	run("test -f .qemud/domains/$(printf '%%0250d' 1).xml");
	close_all();
}

/* --- at the first load -------------------------------------------------------------------- */

static void
the_older_keeps_what_it_has(void)
{
	begin();
	close_all();
	put("b", "vm", 1, "");
	put("vm", "vm", 1, "");
	put("a", "vm", 2, "");
	put("z", "z", 3, "<title>older</title>");
	put("y", "y", 3, "");
	run("touch -d '2 days ago' .qemud/domains/b.xml .qemud/domains/z.xml");
	open_all();
	/* Who is called after its file comes first, then who is older. */
	CHECK(number_of("vm") == 1 && domains.n == 5 && reported.n == 0);
	CHECK(number_of("vm-1") == -1 && number_of("vm-2") == 2 && number_of("z") == 3);
	CHECK(number_of("y") == -1 && is_there("y") && named("y"));
	CHECK(is_there("vm-1") && is_there("vm-2") && !is_there("a") && !is_there("b"));
	CHECK_STR(reported.events, "");
	reopen();
	CHECK(domains.n == 5 && reported.n_changed == 0 && number_of("vm-2") == 2);
	close_all();
}

static void
no_uuid_is_given_one_once(void)
{
	uint8_t uuid[16];

	begin();
	close_all();
	put("vm", "vm", 1, "");
	run("sed -i 's|<uuid>.*</uuid>||' .qemud/domains/vm.xml");
	open_all();
	ASSERT(named("vm"));
	memcpy(uuid, named("vm")->config->uuid, 16);
	reopen();
	CHECK(named("vm") && memcmp(named("vm")->config->uuid, uuid, 16) == 0);
	CHECK(reported.n_changed == 0);
	close_all();
}

/* Stopped between the two steps of a save, as kill -9 might. */
static void
a_save_that_was_cut_short(void)
{
	begin();
	define("vm", 1, "");
	close_all();
	/* The copy has its new name and UUID, and not yet its place; its temporary is there. */
	put("copy", "vm-1", 9, "");
	run("echo '<dom' >.qemud/domains/.copy.xml.new");
	open_all();
	CHECK(domains.n == 2 && number_of("vm-1") == 9 && is_there("vm-1") && !is_there("copy"));
	CHECK(reported.n == 0);
	close_all();
}

/* --- VMs that run ------------------------------------------------------------------------- */

static void
what_runs_goes_on(void)
{
	struct domain *vm;

	begin();
	define("vm", 1, "<title>old</title>");
	vm = named("vm");
	start("vm");
	run("sed -i 's|>old<|>next<|' .qemud/domains/vm.xml");
	until(has_title("vm", "next"));
	CHECK_STR(vm->live->title, "old");
	/* Its file goes: it is transient. The file comes back: it is not. */
	run("mv .qemud/domains/vm.xml .");
	until(!vm->config);
	CHECK(named("vm") == vm && vm->live && vm->id == 7);
	CHECK_STR(reported.events, "vm:0/1 vm:1/0 ");
	run("mv vm.xml .qemud/domains/");
	until(vm->config != NULL);
	CHECK(domains.n == 1);
	/* Another name waits until it has ended. */
	run("sed -i 's|>vm<|>web<|' .qemud/domains/vm.xml");
	until(reported.n == 1);
	said("renamed when it has ended");
	CHECK(named("vm") == vm && !named("web"));
	stop(vm);
	until(named("web"));
	CHECK(named("web") == vm && reported.n == 1 && is_there("web"));
	/* And its file goes while it runs: so does it, when it has ended. */
	start("web");
	run("rm .qemud/domains/web.xml");
	until(!vm->config);
	stop(vm);
	CHECK(domains.n == 0);
	close_all();
}

static void
another_in_the_place_of_one_that_runs(void)
{
	struct domain *vm;

	begin();
	define("vm", 1, "");
	vm = named("vm");
	start("vm");
	put("vm", "vm", 2, "");
	until(reported.n == 1);
	said("it counts when that has ended");
	CHECK(number_of("vm") == 1 && vm->config);
	stop(vm);
	until(number_of("vm") == 2);
	CHECK(domains.n == 1);
	close_all();
}

/* --- the folder itself -------------------------------------------------------------------- */

static void
folders_that_go_are_made_again(void)
{
	begin();
	define("vm", 1, "");
	CHECK(domains_set_autostart(&domains, named("vm"), true, &error) == RPC_DONE);
	run("rm -r .qemud/log .qemud/autostart");
	until(access(".qemud/log", F_OK) == 0 && access(".qemud/autostart", F_OK) == 0);
	CHECK(!named("vm")->autostart);
	CHECK(domains_set_autostart(&domains, named("vm"), true, &error) == RPC_DONE);
	run("test -L .qemud/autostart/vm.xml");
	/* The folder of definitions with all of them; and another in its place. */
	run("mv .qemud/domains aside");
	until(!named("vm"));
	CHECK(access(".qemud/domains", F_OK) == 0 && !definitions_autostart(&home, "vm"));
	define("new", 2, "");
	CHECK(access(".qemud/domains/new.xml", F_OK) == 0);
	run("rm -r .qemud/domains && mv aside .qemud/domains");
	until(named("vm") && !named("new"));
	/* All of it: nothing is made while rm is at it. */
	run("rm -r .qemud");
	until(!named("vm") && access(".qemud/domains", F_OK) == 0);
	define("again", 3, "");
	run("grep -q again .qemud/domains/again.xml && test -f .qemud/lock");
	put("hand", "hand", 4, "");
	until(named("hand"));
	/* One that is not to be trusted is not used. */
	run("mv .qemud/domains aside && mkdir -m 0777 .qemud/domains");
	until(reported.n_trouble == 1);
	CHECK(strstr(reported.trouble, "must have 0700") != NULL && named("hand"));
	run("rmdir .qemud/domains && mv aside .qemud/domains");
	close_all();
}

static void
links_of_autostart(void)
{
	begin();
	define("vm", 1, "");
	run("ln -s ../domains/vm.xml .qemud/autostart/");
	until(named("vm")->autostart);
	run("rm .qemud/autostart/vm.xml");
	until(!named("vm")->autostart);
	run("ln -s ../domains/vm.xml .qemud/autostart/");
	until(named("vm")->autostart);
	run("rm .qemud/domains/vm.xml");
	until(!named("vm"));
	CHECK(!definitions_autostart(&home, "vm"));
	close_all();
}

static void
nothing_is_heard(void)
{
	begin();
	define("vm", 1, "");
	define("gone", 2, "");
	/* As on a network file system: another host writes. */
	watch_stop(&folder.watch);
	put("vm", "vm", 1, "<title>theirs</title>");
	put("new", "new", 3, "");
	run("rm .qemud/domains/gone.xml");
	/* The kernel had no room for what happened: the same. */
	folder.watch.ops->lost(&folder.watch);
	until(has_title("vm", "theirs") && named("new") && !named("gone"));
	CHECK(reported.n == 0);
	close_all();
}

static void
there_are_no_more_watches(void)
{
	struct rlimit old, none = {0};

	begin();
	define("vm", 1, "");
	close_all();
	/* The next descriptor is one too many: as good as too many watches. */
	ASSERT(getrlimit(RLIMIT_NOFILE, &old) == 0);
	open_all();
	none.rlim_max = old.rlim_max;
	ASSERT(setrlimit(RLIMIT_NOFILE, &none) == 0);
	folder.watch.ops->folders(&folder.watch);
	watch_stop(&folder.watch);
	until(reported.n_trouble > 0);
	CHECK(named("vm"));
	ASSERT(setrlimit(RLIMIT_NOFILE, &old) == 0);
	put("vm", "vm", 1, "<title>heard</title>");
	until(has_title("vm", "heard"));
	close_all();
}

/* --- many --------------------------------------------------------------------------------- */

static unsigned
times_read(void)
{
	unsigned n = 0;
	struct file *file;

	for (int i = 0; i < FILE_N_LINES; i++)
		TAILQ_FOREACH (file, &folder.files.lines[i], entry)
			n += !file->known;
	return n;
}

static void
many_at_once(void)
{
	begin();
	define("vm", 1, "");
	run("i=0; while [ $i -lt 2000 ]; do echo x >.qemud/domains/bad$i.xml; i=$((i+1)); done");
	until(folder.files.n == 2001);
	/* What is known of them does not depend on how many lines a log can bear. */
	until(reported.n_trouble == 1 && TAILQ_EMPTY(&folder.files.lines[FILE_LATER]) &&
		TAILQ_EMPTY(&folder.files.lines[FILE_NEXT]));
	CHECK(reported.n < 100 && domains.n == 1);
	run("rm .qemud/domains/bad*.xml");
	until(folder.files.n == 1);
	/* A thousand copies are a thousand VMs. */
	run("cd .qemud/domains && for i in $(seq 300); do cp vm.xml c$i.xml; done");
	until(domains.n == 301);
	CHECK(number_of("vm") == 1 && named("vm-300"));
	close_all();
}

static unsigned n_slow;

/* Asked for each file without one, so that each look at such a file takes its time. */
static void
slow_uuid(void *arg, uint8_t uuid[16])
{
	struct timespec pause = {.tv_nsec = 2000000};

	n_slow++;
	ASSERT(nanosleep(&pause, NULL) == 0);
	rig_uuid(arg, uuid);
}

static void
what_is_slow_is_shared_out(void)
{
	unsigned most = 0;

	begin();
	run("for i in $(seq 40); do echo \"<domain "
	    "type='qemu'><name>n$i</name><memory>65536</memory>"
	    "<os><type>hvm</type></os></domain>\" >.qemud/domains/n$i.xml; done");
	env.new_uuid = slow_uuid;
	for (uint64_t end_ns = loop_clock() + LOOP_S(PATIENCE_S);
		domains.n < 40 && loop_clock() < end_ns;) {
		n_slow = 0;
		ASSERT(loop_once(&loop, 50) == 0);
		if (n_slow > most)
			most = n_slow;
	}
	CHECK(domains.n == 40);
	/* Between two of them clients have their turn. */
	CHECK(most == 1);
	close_all();
}

static void
what_has_not_changed_is_not_read(void)
{
	begin();
	close_all();
	for (unsigned i = 0; i < 100; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "vm%u", i);
		put(name, name, i, "");
	}
	/* So that no second change could hide behind the same time. */
	ASSERT(sleep(3) == 0);
	open_all();
	CHECK(domains.n == 100 && times_read() == 0);
	/* They would not parse any more: it would be noticed that they are read. */
	env.n_machines = 0;
	folder.watch.ops->lost(&folder.watch);
	until(folder.dir == NULL && !folder.work.queued);
	CHECK(reported.n == 0 && times_read() == 0);
	run("touch .qemud/domains/vm7.xml");
	until(reported.n == 1);
	CHECK_STR(reported.name, "vm7");
	close_all();
}

static void
with_the_workers_calls(void)
{
	folder_start(&folder, &loop, &home, &domains, &rig_folder_ops);
	put("vm", "vm", 1, "");
	until(named("vm"));
	put("copy", "vm", 1, "");
	until(named("vm-1") && is_there("vm-1"));
	CHECK(unlinkat(home.folder_fd[HOME_DOMAINS], "vm-1.xml", 0) == 0);
	until(!named("vm-1"));
	CHECK(unlinkat(home.fd, "log", AT_REMOVEDIR) == 0);
	until(mkdirat(home.fd, "log", 0700) < 0 && errno == EEXIST);
	folder_stop(&folder);
}

static void
as_the_worker(void)
{
	char name[16];

	begin();
	folder_stop(&folder);
	/* So many that libc sorts them in another way. */
	for (unsigned i = 0; i < 300; i++) {
		(void)snprintf(name, sizeof(name), "bad%u", i);
		put(name, "/", i, "");
	}
	filtered(with_the_workers_calls);
	close_all();
}

int
main(void)
{
	if (!mkdtemp(root) || chdir(root) < 0)
		return EXIT_FAILURE;
	TEST("a file comes, changes, goes: so does the domain, and it is told", comes_changes_goes);
	TEST("however editors write, it is one change of one domain", ways_to_write);
	TEST("what changes nothing, and what is written here, is not told",
		what_changes_nothing_is_not_told);
	TEST("a file is not read while it is written", half_written_is_not_read);
	TEST("a broken file is reported with its line, and what it said stays", broken_is_reported);
	TEST("what is no definition is left alone", no_definitions);
	TEST("a copy gets a UUID and a name, and the older is untouched", a_copy_is_another);
	TEST("a copy with a name of its own keeps it", a_copy_with_a_name_of_its_own);
	TEST("passwords in a definition are kept", secrets_are_kept);
	TEST("a file that was moved is that of the same domain", a_moved_file_is_the_same);
	TEST("a name that is edited is the domain's new name", a_name_that_is_edited);
	TEST("a file that was moved over another", a_file_over_another);
	TEST("names of files need not be text, or short", names_that_are_no_text);
	TEST("at the first load the older one keeps its UUID", the_older_keeps_what_it_has);
	TEST("a definition without a UUID is given one, once", no_uuid_is_given_one_once);
	TEST("a save that was cut short is finished", a_save_that_was_cut_short);
	TEST("what runs goes on, whatever happens to its file", what_runs_goes_on);
	TEST("another definition in the place of one that runs waits",
		another_in_the_place_of_one_that_runs);
	TEST("folders that go are made again", folders_that_go_are_made_again);
	TEST("links in autostart count as they are", links_of_autostart);
	TEST("what nobody tells is found", nothing_is_heard);
	TEST("without a watch there are scans", there_are_no_more_watches);
	TEST("many files at once", many_at_once);
	TEST("files that take long are looked at one in a turn", what_is_slow_is_shared_out);
	TEST("what has not changed is not read", what_has_not_changed_is_not_read);
	TEST("with the worker's system calls", as_the_worker);
	run("rm -rf .qemud");
	CHECK(chdir("/") == 0 && rmdir(root) == 0);
	return TEST_END();
}
