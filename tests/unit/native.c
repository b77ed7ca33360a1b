/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domxml-to-native shows the command line of the box: a shell reads each argument as it is, and the
 * files come as descriptors; what is no definition is refused in libvirt's words.
 */
#include "tests/unit/test.h"

#include "tests/unit/worker_domains.h"
#include "worker/box/prefix.h"
#include "worker/qemu/command.h"
#include "worker/qemu/native.h"

#define VM                                                                            \
	"<domain type='qemu'><name>it&apos;s $HOME</name>"                            \
	"<uuid>00000000-0000-4000-8000-000000000001</uuid><memory>65536</memory><os>" \
	"<type>hvm</type><kernel>/boot/my kernel</kernel></os><devices>"              \
	"<serial type='pty'/>"                                                        \
	"<disk type='file' device='disk'><driver name='qemu' type='raw'/>"            \
	"<source file='/home/a/b; c&apos;d'/><target dev='vda' bus='virtio'/></disk>" \
	"<disk type='file' device='disk'><driver name='qemu' type='raw'/>"            \
	"<source file='/srv/ro'/><target dev='vdb' bus='virtio'/><readonly/></disk>"  \
	"</devices></domain>"

static int
native(int sock, const char *format, const char *xml, uint32_t flags, char **ret_text)
{
	struct rpc_connect_domain_xml_to_native_args args = {
		.nativeFormat = rpc_arena_strdup(&rig.arena, format),
		.domainXml = rpc_arena_strdup(&rig.arena, xml),
		.flags = flags};
	struct rpc_connect_domain_xml_to_native_ret ret = {0};
	int r = call(sock, RPC_PROC_CONNECT_DOMAIN_XML_TO_NATIVE, &args, &ret);

	*ret_text = ret.nativeConfig;
	return r;
}

static bool
has(const char *text, const char *piece)
{
	return strstr(text, piece) || !printf("# no %s in: %s\n", piece, text);
}

static void
test_shown(void)
{
	char *text;
	int sock;

	farm_start();
	sock = rig_open(VERBS_ALL);
	ASSERT(native(sock, "qemu-argv", VM, 0, &text) == 0);
	CHECK(strncmp(text, "PATH=", 5) == 0 && !strchr(text, '\n'));
	CHECK(has(text, " /usr/bin/qemu-system-x86_64 -nodefaults -no-user-config -sandbox on,"));
	CHECK(has(text, " -name 'guest=it'\\''s $HOME,debug-threads=on' "));
	CHECK(has(text, "<>'/home/a/b; c'\\''d'"));
	CHECK(has(text, "</srv/ro"));
	CHECK(has(text, "<'/boot/my kernel'"));
	/* Nothing of it is kept, or runs. */
	CHECK(rig.estate.domains.n == 0 && rig.estate.vms.n == 0);
	fd_close(&sock);
	farm_stop();
}

/* What a shell makes of it, word by word. */
static void
test_words(void)
{
	domain_def_auto struct domain_def *def = NULL, *live = NULL;
	struct qemu_command command = {.n_args = 0};
	struct rpc_error error;
	char *text = NULL, line[256 * 1024], word[64 * 1024];
	unsigned n = 0, n_first = 0, at = 0;
	FILE *script, *words;

	ASSERT(domain_def_parse(VM, strlen(VM), 0, &domain_tcg, &error, &def) == 0);
	ASSERT(domain_def_live(def, &domain_tcg, &live) == 0);
	ASSERT(qemu_command_make(live, &command) == 0 && qemu_native(live, &text) == 0);
	/* The program is another, and the files are no files here. */
	*strstr(text, "<>'/home") = '\0';
	*strrchr(text, ' ') = '\0';
	ASSERT(mkdtemp(strcpy(line, "/tmp/qemud-native-XXXXXX")) && chdir(line) == 0);
	script = fopen("script", "we");
	ASSERT(script);
	(void)fprintf(script, "qemu() { printf '%%s\\n' \"$@\"; }\n%.*s qemu %s\n",
		(int)(strstr(text, prefix_qemu_path) - text), text,
		strstr(text, prefix_qemu_path) + strlen(prefix_qemu_path));
	ASSERT(fclose(script) == 0);
	words = popen("sh ./script", "r");
	ASSERT(words);
	while (prefix_qemu[n_first + 1])
		n_first++;
	for (; fgets(word, sizeof(word), words); n++) {
		word[strcspn(word, "\n")] = '\0';
		if (n < n_first)
			CHECK_STR(word, prefix_qemu[n + 1]);
		else if (at < command.n_args)
			CHECK_STR(word, command.args[at++]);
	}
	CHECK(pclose(words) == 0 && at == command.n_args && n == n_first + command.n_args);
	ASSERT(unlink("script") == 0 && chdir("/") == 0 && rmdir(line) == 0);
	qemu_command_fini(&command);
	free(text);
}

static void
test_refused(void)
{
	static const struct {
		const char *format, *xml;
		uint32_t flags;
		int code;
		const char *kind, *message;
	} bad[] = {
		{"foo", VM, 0, 8, "8/10", "invalid argument: unsupported config type foo"},
		{"qemu-argv", VM, 1, 8, "8/10",
			"unsupported flags (0x1) in function virConnectDomainXMLToNative"},
		{"qemu-argv", "<domain", 0, 35, "35/20",
			"(domain_definition):1: Couldn't find end of Start Tag domain line 1\n"
			"<domain\n-------^"},
	};
	char *text;
	int sock;

	farm_start();
	sock = rig_open(VERBS_ALL);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CHECK(native(sock, bad[i].format, bad[i].xml, bad[i].flags, &text) == bad[i].code);
		CHECK_STR(call_error_kind(), bad[i].kind);
		CHECK_STR(call_error.message, bad[i].message);
	}
	fd_close(&sock);
	farm_stop();
}

int
main(void)
{
	TEST("the command line of the box, and the files behind its descriptors", test_shown);
	TEST("a shell reads each argument as it is", test_words);
	TEST("what is no definition is refused", test_refused);
	return TEST_END();
}
