/* SPDX-License-Identifier: Apache-2.0 */
/* /etc/hosts, hostname and resolv.conf. Spec: moby libnetwork etchosts, resolvconf */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/own.h"
#include "base/str.h"
#include "oci/bundle.h"

#define ETC_MAX_BYTES (1u << 20)

static const char loopback_hosts[] =
	"127.0.0.1\tlocalhost\n"
	"::1\tlocalhost ip6-localhost ip6-loopback\n"
	"fe00::0\tip6-localnet\n"
	"ff00::0\tip6-mcastprefix\n"
	"ff02::1\tip6-allnodes\n"
	"ff02::2\tip6-allrouters\n";

/* A file of the host that may be missing; "" then */
static int read_host_file(int etc_fd, const char *name, char **ret, struct err *e)
{
	/* Links are followed: resolv.conf often is one, and the host is trusted */
	AUTO_CLOSE int fd = openat(etc_fd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0 && errno == ENOENT) {
		*ret = xstrdup("");
		return 0;
	}
	if (fd < 0)
		return err_sys(e, "open the host's /etc/%s", name);
	if (fd_read_all(fd, ETC_MAX_BYTES, ret, NULL, e) < 0)
		return err_wrap(e, "the host's /etc/%s", name);
	return 0;
}

static int write_hosts(const struct container_options *o, int dir_fd, int etc_fd, struct err *e)
{
	const struct opt_config *c = o->config;
	AUTO_STRBUF struct strbuf out = {0};
	AUTO_FREE char *text = NULL;

	if (options_share(o->host, OPTIONS_NET, NULL) == SHARE_HOST) {
		if (read_host_file(etc_fd, "hosts", &text, e) < 0)
			return -1;
		return file_replace(dir_fd, "hosts", text, strlen(text), 0644, e);
	}
	strbuf_adds(&out, loopback_hosts);
	/* Without an address of its own the name still resolves: to the loopback, as Debian does it */
	if (!str_is_empty(c->domainname))
		strbuf_addf(&out, "127.0.1.1\t%s.%s %s\n", c->hostname, c->domainname, c->hostname);
	else
		strbuf_addf(&out, "127.0.1.1\t%s\n", c->hostname);
	return file_replace(dir_fd, "hosts", out.data, out.len, 0644, e);
}

static bool is_loopback_server(const char *line)
{
	line += strspn(line, " \t");
	if (!str_starts(line, "nameserver"))
		return false;
	line += strlen("nameserver");
	line += strspn(line, " \t");
	return str_starts(line, "127.") || str_starts(line, "::1");
}

static int write_resolv_conf(const struct container_options *o, int dir_fd, int etc_fd, struct err *e)
{
	bool is_host = options_share(o->host, OPTIONS_NET, NULL) == SHARE_HOST;
	AUTO_STRBUF struct strbuf out = {0};
	AUTO_FREE char *text = NULL;
	char *rest;

	if (read_host_file(etc_fd, "resolv.conf", &text, e) < 0)
		return -1;
	rest = text;
	for (char *line; (line = strsep(&rest, "\n")) != NULL;)
		if (*line && (is_host || !is_loopback_server(line)))
			strbuf_addf(&out, "%s\n", line);
	return file_replace(dir_fd, "resolv.conf", strbuf_cstr(&out), out.len, 0644, e);
}

int bundle_etc_write(const struct container_options *o, int dir_fd, int host_etc_fd, struct err *e)
{
	AUTO_FREE char *hostname = xasprintf("%s\n", o->config->hostname);

	if (write_hosts(o, dir_fd, host_etc_fd, e) < 0 || write_resolv_conf(o, dir_fd, host_etc_fd, e) < 0)
		return -1;
	return file_replace(dir_fd, "hostname", hostname, strlen(hostname), 0644, e);
}
