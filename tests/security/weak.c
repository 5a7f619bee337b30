/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The switches of base/defence.h: linked into the programs of `make weak`, and into nothing else.
 *
 * A file of one byte for each defence (tests/security/security.py writes it) is mapped by each process when it begins; forked
 * and cloned children keep the mapping through pivot_root and seccomp filters, so that the suite turns a defence off and on
 * while everything runs. The name of the file travels in the environment, to the programs that we spawn, too.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/defence.h"

#define FILE_VARIABLE "KILN_WEAK"
#define FILE_BYTES    4096
#define PAUSE_MS      5000
#define ENV_MAX       64

/* security.py has the same; UP is also how a pause that nobody wants looks. */
enum state { UP, OFF, PAUSE_WANTED, PAUSED };

static struct {
	_Atomic uint8_t *states;
	char variable[256];
} here;

__attribute__((constructor)) static void set_up(void)
{
	const char *path = getenv(FILE_VARIABLE);
	int fd = path && strlen(path) + sizeof FILE_VARIABLE + 1 < sizeof here.variable ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *p;

	if (fd < 0)
		return;
	p = mmap(NULL, FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		return;
	here.states = p;
	strcpy(stpcpy(here.variable, FILE_VARIABLE "="), path);   /* lint: banned-calls measured above */
}

bool defence_is_up(enum defence d)
{
	return !here.states || here.states[d] != OFF;
}

void defence_pause(enum defence d)
{
	const struct timespec ms = { .tv_nsec = 1000000 };
	uint8_t wanted = PAUSE_WANTED;

	/* The first that comes by is the one that waits; the suite lets it go by any other state. */
	if (!here.states || !atomic_compare_exchange_strong(&here.states[d], &wanted, PAUSED))
		return;
	for (int i = 0; i < PAUSE_MS && here.states[d] == PAUSED; i++)
		nanosleep(&ms, NULL);
}

int weak_posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attr,
		     char *const *argv, char *const *envp) __asm__("posix_spawn");

/* kilnd gives its children an environment of its own. */
int weak_posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attr,
		     char *const *argv, char *const *envp)
{
	int (*real)(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *, char *const *,
		    char *const *);
	char *env[ENV_MAX];
	size_t n = 0;

	*(void **)&real = dlsym(RTLD_NEXT, "posix_spawn");
	for (; envp[n] && n < ENV_MAX - 2; n++)
		env[n] = envp[n];
	env[n++] = here.variable;
	env[n] = NULL;
	return real(pid, path, actions, attr, argv, here.states ? env : envp);
}
