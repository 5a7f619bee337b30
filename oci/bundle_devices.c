/* SPDX-License-Identifier: Apache-2.0 */
/* --device and --device-cgroup-rule. Spec: moby daemon/oci_linux.go WithDevices(), oci/oci.go AppendDevicePermissionsFromCgroupRules() */
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "oci/bundle_parts.h"

#define DEVICES_MAX    256
#define NUMBER_DIGITS  9

/* "12" or "*" at *p, which moves behind it */
static bool number_take(const char **p, struct opt_i64 *ret)
{
	size_t n = strspn(*p, "0123456789");

	if (n == 0 && **p == '*') {
		*ret = (struct opt_i64){0};
		(*p)++;
		return true;
	}
	if (n == 0 || n > NUMBER_DIGITS)
		return false;
	*ret = (struct opt_i64){ true, strtol(*p, NULL, 10) };
	*p += n;
	return true;
}

static bool is_access(const char *text)
{
	size_t n = strlen(text);

	return n > 0 && n <= 3 && strspn(text, "rwm") == n;
}

static bool rule_read(const char *text, struct arena *a, struct oci_device_rule *ret)
{
	struct oci_device_rule r = { .allow = true };
	const char *p = text + 2;

	if (!text[0] || !strchr("abc", text[0]) || text[1] != ' ')
		return false;
	if (!number_take(&p, &r.major) || *p++ != ':' || !number_take(&p, &r.minor) || *p++ != ' ' || !is_access(p))
		return false;
	r.type = arena_strndup(a, text, 1);
	r.access = arena_strdup(a, p);
	*ret = r;
	return true;
}

int bundle_device_rules(const struct opt_host_config *h, struct arena *a, struct oci_device_rule **ret, size_t *ret_n,
			struct err *e)
{
	const struct str_list *texts = &h->device_cgroup_rules;
	struct oci_device_rule *rules = arena_new_array(a, struct oci_device_rule, texts->n + 1);

	if (texts->n > DEVICES_MAX)
		return err_set(e, ERR_INVALID, "more than %d device cgroup rules", DEVICES_MAX);
	for (size_t i = 0; i < texts->n; i++)
		if (!rule_read(texts->v[i], a, &rules[i]))
			return err_set(e, ERR_INVALID, "invalid device cgroup rule format: '%.60s'", texts->v[i]);
	*ret = rules;
	*ret_n = texts->n;
	return 0;
}

int bundle_check_devices(const struct opt_host_config *h, struct err *e)
{
	if (h->n_devices > DEVICES_MAX)
		return err_set(e, ERR_INVALID, "more than %d devices", DEVICES_MAX);
	for (size_t i = 0; i < h->n_devices; i++) {
		const struct opt_device *d = &h->devices[i];

		if (str_is_empty(d->path_on_host) || d->path_on_host[0] != '/')
			return err_set(e, ERR_INVALID, "invalid device: '%.200s' is not an absolute path",
				       d->path_on_host ? d->path_on_host : "");
		if (!str_is_empty(d->path_in_container) && d->path_in_container[0] != '/')
			return err_set(e, ERR_INVALID, "invalid device: '%.200s' is not an absolute path",
				       d->path_in_container);
		if (!str_is_empty(d->cgroup_permissions) && !is_access(d->cgroup_permissions))
			return err_set(e, ERR_INVALID, "invalid device mode: %.60s", d->cgroup_permissions);
	}
	return 0;
}
