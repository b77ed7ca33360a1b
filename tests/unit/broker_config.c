/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * broker_config.c: qemud.conf sets what it says, and every mistake is told with file and line.
 */
#include "broker/config.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/fd.h"
#include "lib/take.h"
#include "tests/unit/test.h"

static char error[CONFIG_ERROR_MAX];

static int
read_text(struct config *config, const char *text)
{
	config_default(config);
	error[0] = '\0';
	return config_read(config, "qemud.conf", text, strlen(text), error);
}

static void
test_every_key(void)
{
	struct config config;

	CHECK(read_text(&config, "# all of them\n"
				 "runtime_dir = /run/q\n"
				 "state_dir=/srv/state\n"
				 "cgroup = none\n"
				 "system_account = vm\n"
				 "view_account = look\n"
				 "max_users = 16\n"
				 "max_connections = 32\n"
				 "max_vms = 7\n"
				 "max_views = 5\n"
				 "user_connections = 1\n"
				 "user_connections_per_second = 2\n"
				 "idle_seconds = 3\n"
				 "account_seconds = 4\n"
				 "policy = /srv/rules\n"
				 "network = none\n"
				 "port_min = 2048\nkvm = none\nlimits = enforce\n"
				 "log_level = debug\n") == 0);
	CHECK_STR(config.runtime_dir, "/run/q");
	CHECK_STR(config.state_dir, "/srv/state");
	CHECK_STR(config.cgroup, "none");
	CHECK_STR(config.system_account, "vm");
	CHECK_STR(config.view_account, "look");
	CHECK(config.max_users == 16 && config.max_connections == 32 && config.max_vms == 7);
	CHECK(config.max_views == 5);
	CHECK(config.user_connections == 1 && config.user_connections_per_second == 2);
	CHECK(config.network == CONFIG_NETWORK_NONE && config.port_min == 2048 &&
		config.kvm == CONFIG_KVM_NONE && config.limits == CONFIG_LIMITS_ENFORCE);
	CHECK_STR(config.policy, "/srv/rules");
	CHECK(config.idle_seconds == 3 && config.account_seconds == 4 &&
		config.log_level == LEVEL_DEBUG);
}

static void
test_defaults(void)
{
	struct config config;

	CHECK(read_text(&config, "max_users = 17\n") == 0);
	CHECK(config.max_users == 17 && config.max_connections == 16384 && config.max_vms == 1024);
	CHECK_STR(config.runtime_dir, "/run/qemud");
	CHECK_STR(config.cgroup, "auto");
	CHECK(read_text(&config, "") == 0);
	CHECK(read_text(&config, "cgroup = /sys/fs/cgroup/lab\n") == 0);
	CHECK_STR(config.cgroup, "/sys/fs/cgroup/lab");
}

/* Each text is refused, and the error has this in it. */
static void
test_mistakes(void)
{
	static const struct {
		const char *text, *told;
	} mistakes[] = {
		{"\n\nmax_user = 5\n", "qemud.conf:3: there is no key \"max_user\""},
		{"max_users = 20\n# \nmax_users = 20\n",
			"qemud.conf:3: max_users was set in line 1 already"},
		{"max_users = 15\n", "qemud.conf:1: max_users must be a number from 16 to 65536"},
		{"max_users = 65537\n", "not \"65537\""},
		{"max_users = ten\n", "must be a number"},
		{"max_users = -1\n", "must be a number"},
		{"max_users =\n", "not \"\""},
		{"max_vms = 0\n", "qemud.conf:1: max_vms must be a number from 1 to 65536"},
		{"max_vms = 65537\n", "not \"65537\""},
		{"max_views = 0\n", "qemud.conf:1: max_views must be a number from 1 to 4096"},
		{"user_connections = 0\n", "from 1 to 1000000"},
		{"network = bridge\n", "none or user"},
		{"kvm = yes\n", "none or user"},
		{"limits = on\n", "count or enforce"},
		{"port_min = 65536\n", "from 1 to 65535"},
		{"idle_seconds = 18446744073709551617\n", "from 1 to 86400"},
		{"account_seconds = 0\n", "account_seconds must be a number from 1 to 86400"},
		{"policy = etc\n", "policy must be an absolute path"},
		{"runtime_dir = run\n", "runtime_dir must be an absolute path"},
		{"runtime_dir = /\n", "runtime_dir must be"},
		{"runtime_dir = /run/\n", "runtime_dir must be"},
		{"runtime_dir = /run//qemud\n", "runtime_dir must be"},
		{"runtime_dir = /run/../etc\n", "runtime_dir must be"},
		{"runtime_dir = /run/.\n", "runtime_dir must be"},
		{"state_dir = /123456789/123456789/123456789/123456789/123456789/123456789/"
		 "123456789/123456789/123456789/1\n",
			"at most 91 bytes"},
		{"cgroup = maybe\n", "cgroup must be auto, none or an absolute path"},
		{"system_account = a b\n", "system_account must be an account name"},
		{"view_account = /x\n", "not \"/x\""},
		{"log_level = loud\n", "error, warning, info or debug"},
		{"max_users 5\n", "qemud.conf:1: "},
		{"max_users = 20\nlog_level = \x1b[31m\n", "qemud.conf:2: "},
		{"= 5\n", "qemud.conf:1: "},
	};
	struct config config;

	for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
		CHECK(read_text(&config, mistakes[i].text) == CONFIG_E_BAD);
		if (!strstr(error, mistakes[i].told))
			CHECK_STR(error, mistakes[i].told);
		CHECK(!strchr(error, '\x1b'));
	}
}

static void
test_longest_path(void)
{
	char text[256] = "runtime_dir = /";
	size_t len = strlen(text) + CONFIG_PATH_MAX - 2;
	struct config config;

	memset(text + strlen(text), 'x', CONFIG_PATH_MAX - 2);
	CHECK(read_text(&config, text) == 0);
	CHECK(strlen(config.runtime_dir) == CONFIG_PATH_MAX - 1);
	text[len] = 'x';
	CHECK(read_text(&config, text) == CONFIG_E_BAD);
}

static void
test_files(void)
{
	char name[] = "/tmp/qemud-config-XXXXXX", fifo[sizeof name + 8];
	struct config config;
	fd_auto int fd = mkstemp(name);

	CHECK(fd >= 0 && fd_write_all(fd, "idle_seconds = 9\n", 17) == 0);
	CHECK(config_load(&config, name, error) == 0 && config.idle_seconds == 9);
	CHECK(config_load(&config, "/nonexistent/qemud.conf", error) == CONFIG_E_BAD);
	CHECK_STR(error, "/nonexistent/qemud.conf cannot be read: No such file or directory");
	CHECK(config_load(&config, "/tmp", error) == CONFIG_E_BAD);
	CHECK(ftruncate(fd, CONFIG_FILE_MAX + 1) == 0);
	CHECK(config_load(&config, name, error) == CONFIG_E_BAD);
	CHECK(strstr(error, "File too large"));
	(void)snprintf(fifo, sizeof fifo, "%s.fifo", name);
	CHECK(mkfifo(fifo, 0600) == 0);
	/* Nobody writes to it; it must not be waited for. */
	CHECK(config_load(&config, fifo, error) == 0 && config.idle_seconds == 60);
	(void)unlink(fifo);
	(void)unlink(name);
}

int
main(void)
{
	TEST("every key is read", test_every_key);
	TEST("what is not set has its built-in value", test_defaults);
	TEST("every mistake is told with file, line and what would be right", test_mistakes);
	TEST("a path may be as long as a socket's address allows", test_longest_path);
	TEST("a named file must be there and be a file of sane size", test_files);
	return TEST_END();
}
