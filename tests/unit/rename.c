/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A domain gets another name, or keeps its own: whatever is refused, fails or is killed, it is there
 * once, whole, under one of the two, and starts with the host if it did.
 * test: timeout=360
 */
#include "tests/unit/folder_rig.h"

#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

#include "protocol/rpc/procedure.h"
#include "worker/store/definitions.h"

static struct rpc_error error;

static struct domain *
named(const char *name)
{
	return domains_find_name(&domains, name);
}

static struct domain *
define(const char *name, unsigned number, const char *more)
{
	struct domain *domain = NULL;
	bool is_new;

	CHECK(domains_define(&domains, xml_of(name, number, more), NULL, &error, &domain,
		      &is_new) == RPC_DONE);
	return domain;
}

/* What is in a folder, hidden files too: "a.xml b.xml ". */
static const char *
files_of(const char *where)
{
	static char text[512];
	char command[128];
	FILE *pipe;

	(void)snprintf(command, sizeof(command), "ls -A .qemud/%s | tr '\\n' ' '", where);
	pipe = popen(command, "r");
	ASSERT(pipe);
	text[fread(text, 1, sizeof(text) - 1, pipe)] = '\0';
	(void)pclose(pipe);
	return text;
}

static void
turn(void)
{
	for (int i = 0; i < 5; i++)
		ASSERT(loop_once(&loop, 0) == 0);
}

static void
gets_another_name(void)
{
	struct domain *vm;

	begin();
	vm = define("vm", 1, "<title>t</title>");
	CHECK(domains_set_autostart(&domains, vm, true, &error) == RPC_DONE);
	CHECK(domains_rename(&domains, vm, "web", &error) == RPC_DONE);
	CHECK(named("web") == vm && !named("vm") && domains.n == 1);
	CHECK(vm->autostart && vm->config->uuid[15] == 1);
	CHECK_STR(vm->config->title, "t");
	CHECK_STR(files_of("domains"), "web.xml ");
	CHECK_STR(files_of("autostart"), "web.xml ");
	CHECK(system("grep -q '<name>web</name>' .qemud/autostart/web.xml") == 0);
	/* The kernel tells of it what is known already. */
	turn();
	CHECK_STR(reported.events, "");
	CHECK(reported.n == 0 && reported.n_changed == 0);
	/* The old one is free. */
	(void)define("vm", 2, "");
	reopen();
	CHECK(named("web") && named("vm") && named("web")->autostart && !named("vm")->autostart);
	close_all();
}

static void
refused(struct domain *domain, const char *name, int code, int from, const char *message)
{
	CHECK(domains_rename(&domains, domain, name, &error) == RPC_FAILED);
	CHECK(error.code == code && (int)error.domain == from);
	CHECK_STR(error.message, message);
	CHECK_STR(domain->config->name, "vm");
}

static void
is_refused(void)
{
	struct domain *vm, *other;

	begin();
	vm = define("vm", 1, "");
	other = define("other", 2, "");
	refused(vm, "vm", 55, 20,
		"Requested operation is not valid: Can't rename domain to itself");
	refused(vm, "other", 55, 20,
		"Requested operation is not valid: domain with name 'other' already exists");
	refused(vm, "a/b", 27, 10, "XML error: name a/b cannot contain '/'");
	refused(vm, ".a", 27, 10, "XML error: name .a cannot begin with '.'");
	refused(vm, "a\nb", 27, 10, "XML error: name must be UTF-8 without control characters");
	vm->vm = (struct vm *)other;
	refused(vm, "web", 55, 10, "Requested operation is not valid: cannot rename active domain");
	vm->vm = NULL;
	/* Somebody's file, that was left alone. */
	run("echo '<domain' >.qemud/domains/web.xml");
	refused(vm, "web", 9, 10,
		"operation failed: ~/.qemud/domains/web.xml is there and has not been loaded (the "
		"log says why); move it away or mend it");
	run("rm .qemud/domains/web.xml");
	CHECK_STR(files_of("domains"), "other.xml vm.xml ");
	close_all();
}

/* --- cut short ---------------------------------------------------------------------------- */

enum { RENAMED = 0, UNREADY = 2, FAILED = 3 }; /* what the child ends with */

/* Opens all as a worker does, and renames, stopped before and behind each system call. */
_Noreturn static void
rename_traced(void)
{
	struct domain *vm;

	open_all();
	vm = named("vm");
	if (!vm || ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
		_exit(UNREADY);
	(void)raise(SIGSTOP);
	_exit(domains_rename(&domains, vm, "web", &error) == RPC_DONE ? RENAMED : FAILED);
}

static pid_t
start_child(void)
{
	int status = 0;
	pid_t pid;

	(void)fflush(stdout);
	pid = fork();
	ASSERT(pid >= 0);
	if (pid == 0)
		rename_traced();
	ASSERT(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status));
	return pid;
}

/* Let it go on to that stop. Returns false when it has ended before, which is well. */
static bool
go_to(pid_t pid, unsigned stop)
{
	int status = 0;

	for (unsigned i = 0; i < stop; i++) {
		ASSERT(ptrace(PTRACE_SYSCALL, pid, NULL, NULL) == 0);
		ASSERT(waitpid(pid, &status, 0) == pid);
		if (!WIFSTOPPED(status)) {
			CHECK(WIFEXITED(status) && WEXITSTATUS(status) == RENAMED);
			return false;
		}
	}
	return true;
}

static bool
kill_at(unsigned stop)
{
	pid_t pid = start_child();
	int status = 0;

	if (!go_to(pid, stop))
		return false;
	ASSERT(kill(pid, SIGKILL) == 0 && waitpid(pid, &status, 0) == pid);
	CHECK(WIFSIGNALED(status));
	return true;
}

/* The system call that it is about to make is none: ENOSYS. Returns false as go_to(). */
static bool
fail_at(unsigned stop, int *ret_status)
{
	pid_t pid = start_child();
	int status = 0;

	if (!go_to(pid, 2 * stop + 1))
		return false;
	ASSERT(ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, regs.orig_rax), -1) == 0);
	ASSERT(ptrace(PTRACE_CONT, pid, NULL, NULL) == 0 && waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status));
	*ret_status = WEXITSTATUS(status);
	return true;
}

static void
define_again(void)
{
	begin();
	CHECK(domains_set_autostart(
		      &domains, define("vm", 1, "<title>kept</title>"), true, &error) == RPC_DONE);
	close_all();
}

/* The next worker finds it, once, whole. Returns whether it has its new name. */
static bool
find_again(void)
{
	const struct domain *vm;
	const char *file;
	bool is_new;

	open_all();
	vm = TAILQ_FIRST(&domains.all);
	ASSERT(vm);
	is_new = strcmp(vm->config->name, "web") == 0;
	file = is_new ? "web.xml " : "vm.xml ";
	CHECK(is_new || strcmp(vm->config->name, "vm") == 0);
	CHECK(domains.n == 1 && reported.n == 0);
	CHECK(vm->config->uuid[15] == 1 && vm->autostart);
	CHECK_STR(vm->config->title, "kept");
	/* A temporary may be left; nothing else. */
	run("rm -f .qemud/domains/.*.new");
	CHECK_STR(files_of("domains"), file);
	CHECK_STR(files_of("autostart"), file);
	close_all();
	return is_new;
}

static void
is_killed_anywhere(void)
{
	unsigned stop = 0, n_new = 0;
	bool killed = true;

	for (; killed && stop < 1000; stop++) {
		define_again();
		killed = kill_at(stop);
		n_new += find_again();
	}
	CHECK(!killed && stop > 20 && n_new > 10 && n_new < stop - 10);
}

static void
fails_anywhere(void)
{
	unsigned stop = 0, n_failed = 0;
	bool injected = true;

	for (; injected && stop < 1000; stop++) {
		int status = RENAMED;
		bool is_new;

		define_again();
		injected = fail_at(stop, &status);
		is_new = find_again();
		CHECK(is_new == (status == RENAMED) || !printf("# call %u\n", stop));
		n_failed += status == FAILED;
	}
	CHECK(!injected && n_failed > 5);
}

int
main(void)
{
	ASSERT(mkdtemp(root) && chdir(root) == 0);
	TEST("it gets another name, with its file and link", gets_another_name);
	TEST("what libvirt refuses is refused in its words", is_refused);
	TEST("killed at any system call, it is there once, old or new", is_killed_anywhere);
	TEST("what fails at any system call has not happened", fails_anywhere);
	ASSERT(chdir("/") == 0);
	run("rm -rf %s", root);
	return TEST_END();
}
