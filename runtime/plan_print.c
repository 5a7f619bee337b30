/* SPDX-License-Identifier: Apache-2.0 */
#include "base/own.h"
#include "base/str.h"
#include "runtime/mounts.h"
#include "runtime/namespaces.h"
#include "runtime/plan_parts.h"

static void print_root(const struct root_plan *r, struct strbuf *out)
{
	if (r->overlay_options != NULL)
		strbuf_addf(out, "root: overlay on %s in %s: %s\n", r->path, r->layers_dir,
			    r->overlay_options);
	else
		strbuf_addf(out, "root: %s\n", r->path);
}

static void print_host(const struct launch_plan_stages *s, struct strbuf *out)
{
	if (s->root.is_readonly)
		strbuf_adds(out, "root is read-only\n");
	strbuf_adds(out, "pivot\n");
	if (s->hostname != NULL)
		strbuf_addf(out, "host name: %s\n", s->hostname);
	if (s->domainname != NULL)
		strbuf_addf(out, "domain name: %s\n", s->domainname);
	if (s->brings_lo_up)
		strbuf_adds(out, "lo up\n");
	for (size_t i = 0; i < s->n_sysctls; i++)
		strbuf_addf(out, "control %s = %s\n", s->sysctls[i].path, s->sysctls[i].value);
}

static void print_identity(const struct stage_identity *id, struct strbuf *out)
{
	if (id->text != NULL)
		strbuf_addf(out, "user: '%s' of the container's files", id->text);
	else
		strbuf_addf(out, "user: %u:%u", id->uid, id->gid);
	for (size_t i = 0; i < id->n_groups; i++)
		strbuf_addf(out, "%s%u", i == 0 ? " and groups " : ",", id->groups[i]);
	for (size_t i = 0; i < id->n_extra; i++)
		strbuf_addf(out, "%s'%s'", i == 0 ? " and also " : ",", id->extra[i]);
	strbuf_addc(out, '\n');
}

static void print_limits(const struct process_plan *p, struct strbuf *out)
{
	for (size_t i = 0; i < p->n_rlimits; i++)
		strbuf_addf(out, "limit %s: %llu:%llu\n", p->rlimits[i].name,
			    (unsigned long long)p->rlimits[i].limit.rlim_cur,
			    (unsigned long long)p->rlimits[i].limit.rlim_max);
	if (p->oom_score_adj != NULL)
		strbuf_addf(out, "oom score: %s\n", p->oom_score_adj);
	strbuf_addf(out, "umask: %04o\n", p->umask);
}

void process_plan_print(const struct process_plan *p, struct strbuf *out)
{
	print_identity(&p->identity, out);
	print_limits(p, out);
	strbuf_addf(out,
		    "capabilities: bounding %016llx permitted %016llx effective %016llx ambient %016llx\n",
		    (unsigned long long)p->caps.bounding, (unsigned long long)p->caps.permitted,
		    (unsigned long long)p->caps.effective, (unsigned long long)p->caps.ambient);
	strbuf_addf(out, "no new privileges: %s\n", p->no_new_privs ? "yes" : "no");
	for (size_t i = 0; i < p->n_lsm; i++)
		strbuf_addf(out, "%s: %s\n", p->lsm[i].what, p->lsm[i].text);
	strbuf_addf(out, "seccomp: %s\n", p->filter.len != 0 ? "filtered" : "none");
	if (p->tty)
		strbuf_addf(out, "terminal: %ux%u\n", p->width, p->height);
	strbuf_addf(out, "cwd: %s\n", p->cwd);
	for (char **env = p->env; *env != NULL; env++)
		strbuf_addf(out, "env: %s\n", *env);
	if (p->env_home_slot != NULL)
		strbuf_adds(out, "env: HOME of the user\n");
	strbuf_adds(out, p->wants_init ? "init\nexec:" : "exec:");
	for (char *const *arg = p->argv; *arg != NULL; arg++)
		strbuf_addf(out, " %s", *arg);
	strbuf_addc(out, '\n');
}

void launch_plan_print(const struct launch_plan *plan, struct strbuf *out)
{
	const struct launch_plan_stages *s = &plan->stages;

	namespaces_print(s, out);
	print_root(&s->root, out);
	mounts_print(s->ops, s->n_ops, out);
	print_host(s, out);
	process_plan_print(&s->process, out);
}
