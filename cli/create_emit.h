/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Emitters of options whose value in a request is not what the user typed: see opt_emit_fn. Each returns 0, or -1 with @e set. Pure but
 * for emit_security(), which reads the profile that is named, and emit_env(), which reads the environment.
 */
#pragma once

#include "base/opt.h"

/* Is it "K=V" or "K"? Return: 0, or -1 with @e set */
int emit_check_env(const char *text, struct err *e);

/* Return: all of these 0, or -1 with @e set */
int emit_map(struct jw *w, const char *key, const void *at, struct err *e);         /* "k=v" lists: {"k":"v"} */
int emit_tmpfs(struct jw *w, const char *key, const void *at, struct err *e);       /* "path:options" */
int emit_env(struct jw *w, const char *key, const void *at, struct err *e);
int emit_one(struct jw *w, const char *key, const void *at, struct err *e);         /* a text as ["text"] */
int emit_restart(struct jw *w, const char *key, const void *at, struct err *e);
int emit_ulimits(struct jw *w, const char *key, const void *at, struct err *e);
int emit_devices(struct jw *w, const char *key, const void *at, struct err *e);
int emit_weights(struct jw *w, const char *key, const void *at, struct err *e);     /* "/dev/sda:500" */
int emit_bps(struct jw *w, const char *key, const void *at, struct err *e);         /* "/dev/sda:1mb" */
int emit_iops(struct jw *w, const char *key, const void *at, struct err *e);
int emit_binds(struct jw *w, const char *key, const void *at, struct err *e);       /* those with a source */
int emit_volumes(struct jw *w, const char *key, const void *at, struct err *e);     /* those without */
int emit_ports(struct jw *w, const char *key, const void *at, struct err *e);
int emit_caps(struct jw *w, const char *key, const void *at, struct err *e);        /* "net_admin" as "CAP_NET_ADMIN" */
int emit_security(struct jw *w, const char *key, const void *at, struct err *e);
int emit_health_cmd(struct jw *w, const char *key, const void *at, struct err *e);
int emit_health_none(struct jw *w, const char *key, const void *at, struct err *e);
int emit_mounts(struct jw *w, const char *key, const void *at, struct err *e);      /* cli/create_mount.c */
