# SPDX-License-Identifier: Apache-2.0
#
# One Makefile, no recursion. `make` builds the three programs into build/; `make help` tells the rest.
#
#   make V=1                     shows the commands
#   make WERROR=1 (or CI=true)   warnings are errors
#   make CC=clang                builds into build/clang/
#   make SAN=address,undefined   builds into build/asan/ (SAN=asan,undefined means the same)
#   make FAULTS=1                builds into build/faults/, where any call can be made to fail (tests/faults/)
#   make weak                    builds into build/weak/, where any single defence can be switched off (tests/security/)
#   make VARIANT=name            builds into build/name/, with whatever CC and CFLAGS you give
#
# A folder is a module of the architecture: each .c in it is compiled, main.c is left out of its archive.

all:
.SUFFIXES:
.SECONDARY:
.DELETE_ON_ERROR:
comma := ,

# --- configuration: made on demand, kept under build/ ----------------------------------------------
ifneq ($(if $(MAKECMDGOALS),$(filter-out clean help format,$(MAKECMDGOALS)),all),)
include build/config.mk
endif

build/config.mk: configure.ac config.mk.in
	@mkdir -p build
	@command -v autoconf >/dev/null || { \
		echo "autoconf is missing. Debian, Ubuntu: apt-get install autoconf; Fedora: dnf install autoconf" >&2; \
		exit 1; }
	cd build && autoconf -o configure ../configure.ac && ./configure --srcdir=.. --quiet $(CONFIGURE_FLAGS)
	@touch $@

# --- variants ---------------------------------------------------------------------------------------
ifeq ($(origin CC),default)
CC := $(CONFIGURED_CC)
endif
SAN ?=
SANITIZERS := $(subst asan,address,$(subst ubsan,undefined,$(subst tsan,thread,$(SAN))))
FAULTS ?= $(CONFIGURED_FAULTS)
VARIANT ?= $(subst $() ,-,$(strip $(if $(findstring clang,$(CC)),clang) $(if $(FAULTS),faults) \
	$(if $(SAN),$(if $(findstring address,$(SANITIZERS)),asan,$(if $(findstring thread,$(SANITIZERS)),tsan,san)))))
B := build$(if $(VARIANT),/$(VARIANT))
PYTHON ?= $(firstword $(wildcard /usr/bin/python3) python3)
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-5s %s\n' $(1) $(2))

# --- flags ------------------------------------------------------------------------------------------
WARNINGS := -Wall -Wextra -Wshadow -Wvla -Wmissing-prototypes -Wstrict-prototypes -Wwrite-strings
# A message and room for what follows it, in one buffer: an extension of GNU C, as is the rest of the dialect.
WARNINGS += $(if $(findstring clang,$(CC)),-Wno-gnu-variable-sized-type-not-at-end)
ifneq ($(filter true 1,$(CI) $(WERROR)),)
WARNINGS += -Werror
endif
HARDEN  := -fPIE -fstack-protector-strong -fstack-clash-protection
LDHARD  := -pie -Wl,-z,relro,-z,now,-z,noexecstack
ifeq ($(SAN),)
OPTIMIZE := -O2 -g
HARDEN   += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
else
OPTIMIZE := -O1 -g -fno-omit-frame-pointer -fsanitize=$(SANITIZERS) \
	$(if $(findstring undefined,$(SANITIZERS)),-fno-sanitize-recover=undefined)
LDHARD   += -fsanitize=$(SANITIZERS)
endif
# Fault injection tells calls apart by their frames, and defines what fortified calls would go around.
FAULT_OBJECT := $(if $(FAULTS),$(B)/obj/tests/faults/wrap.o)
ifneq ($(FAULTS),)
OPTIMIZE := -O1 -g -fno-omit-frame-pointer -fno-optimize-sibling-calls
HARDEN   := -fPIE
endif
# Code that is instrumented, or optimized less, makes gcc guess wrongly.
ifneq ($(SAN)$(FAULTS),)
WARNINGS += $(if $(findstring clang,$(CC)),,-Wno-format-truncation -Wno-stringop-overflow -Wno-stringop-truncation \
	-Wno-maybe-uninitialized)
endif
LIB_CFLAGS := $(sort $(SECCOMP_CFLAGS) $(CAP_CFLAGS) $(ARCHIVE_CFLAGS) $(JANSSON_CFLAGS) $(CGROUP_CFLAGS) \
	$(UV_CFLAGS) $(CRYPTO_CFLAGS) $(ISAL_CFLAGS) $(ZLIB_CFLAGS) $(ZSTD_CFLAGS) $(SQLITE_CFLAGS) $(SYSTEMD_CFLAGS))
CFLAGS ?=
LDFLAGS ?=
BASE_FLAGS = -std=gnu17 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DKILN_VERSION='"$(KILN_VERSION)"' -I. \
	$(OPTIMIZE) $(WARNINGS)
COMPILE = $(CC) $(BASE_FLAGS) $(HARDEN) -ffunction-sections -fdata-sections $(LIB_CFLAGS) -MMD -MP $(CFLAGS)
LINK = $(CC) $(OPTIMIZE) $(LDHARD) -Wl,--gc-sections,--as-needed $(CFLAGS) $(LDFLAGS)

# --- what is here -----------------------------------------------------------------------------------
SRC_base    := $(wildcard base/*.c)
SRC_oci     := $(wildcard oci/*.c)
SRC_runtime := $(wildcard runtime/*.c runtime/front/*.c)
SRC_daemon  := $(wildcard daemon/*.c daemon/doors/*.c daemon/engine/*.c daemon/net/*.c)
SRC_cli     := $(wildcard cli/*.c)
SRC_unit    := $(wildcard tests/unit/test_*.c)
# What the client shares with the daemon: the HTTP code and the API's types, and nothing else.
SRC_api     := $(wildcard daemon/api.c daemon/http.c)

obj = $(patsubst %.c,$(B)/obj/%.o,$(filter-out %/main.c,$(1)))
FOLDERS := base oci runtime daemon api cli
define archive
$(B)/lib$(1).a: $(call obj,$(SRC_$(1)))
	$$(call say,AR,$$@)
	$$(Q)rm -f $$@.new && $$(AR) rcs $$@.new $$^ && mv $$@.new $$@
endef
$(foreach f,$(FOLDERS),$(eval $(call archive,$(f))))

# Archives that a folder's code may need, itself first (the include matrix of docs/architecture.md).
ARS_base    := base
ARS_oci     := oci base
ARS_runtime := runtime oci base
ARS_daemon  := daemon oci base
ARS_cli     := cli api oci base
ARS_all     := cli daemon runtime oci base
ars = $(patsubst %,$(B)/lib%.a,$(ARS_$(1)))

# Libraries a program may link; --as-needed drops what it does not use. kilnd is kept from libarchive,
# libseccomp and libcgroup, and kiln-runtime from libuv and SQLite, by not being offered them.
LIBS_base    := $(JANSSON_LIBS)
# Of libcrypto we need SHA-256, five files of it. To load and relocate the shared library takes a millisecond at each exec, and
# kiln-runtime executes itself once more; a wrapped program has the shared one, whose calls are not ours.
CRYPTO_STATIC := $(if $(FAULTS),,$(wildcard $(shell $(CC) -print-file-name=libcrypto.a)))
CRYPTO_LINK := $(if $(CRYPTO_STATIC),$(patsubst -lcrypto,-l:libcrypto.a,$(CRYPTO_LIBS)),$(CRYPTO_LIBS))
LIBS_oci     := $(LIBS_base) $(CRYPTO_LINK) $(ISAL_LIBS) $(ZLIB_LIBS) $(ZSTD_LIBS)
# Of libarchive we need the reader of tar. The shared library brings thirteen more with it (libxml2, ICU, libstdc++), which
# every fork of the launcher would copy and tear down again: docs/performance.md has what that costs.
ARCHIVE_STATIC := $(if $(FAULTS),,$(wildcard $(shell $(CC) -print-file-name=libarchive.a)))
ARCHIVE_LINK := $(if $(ARCHIVE_STATIC),$(patsubst -larchive,-l:libarchive.a,$(ARCHIVE_LIBS)),$(ARCHIVE_LIBS))
LIBS_runtime := $(LIBS_oci) $(ARCHIVE_LINK) $(SECCOMP_LIBS) $(CAP_LIBS) $(CGROUP_LIBS)
LIBS_daemon  := $(LIBS_oci) $(UV_LIBS) $(HTTP_LIBS) $(SQLITE_LIBS) -lpthread
LIBS_cli     := $(LIBS_oci) $(HTTP_LIBS)
LIBS_all     := $(sort $(LIBS_runtime) $(LIBS_daemon) $(LIBS_cli))

# Made beside and renamed into place, so that one who runs a program never sees half of it.

# --- programs: one for each main.c that is here ---------------------------------------------------
PROGRAM_runtime := $(B)/kiln-runtime
PROGRAM_daemon  := $(B)/kilnd
PROGRAM_cli     := $(B)/kiln
define program
$(PROGRAM_$(1)): $(B)/obj/$(1)/main.o $(FAULT_OBJECT) $(call ars,$(1))
	$$(call say,LD,$$@)
	$$(Q)$$(LINK) -o $$@.new $$< $(FAULT_OBJECT) $(call ars,$(1)) $(LIBS_$(1)) && mv $$@.new $$@
PROGRAMS += $(if $(wildcard $(1)/main.c),$(PROGRAM_$(1)))
endef
$(foreach f,runtime daemon cli,$(eval $(call program,$(f))))

# --- defences that can be switched off: base/defence.h -----------------------------------------------
# Only the files that have one are compiled again; the linker takes them before the members of the archives.
WEAK := build/weak
WEAK_OBJECTS := $(patsubst %.c,$(WEAK)/obj/%.o,$(shell grep -ls '"base/defence.h"' base/*.c oci/*.c runtime/*.c daemon/*.c \
	daemon/*/*.c))
$(WEAK)/obj/%.o: %.c Makefile build/config.mk
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(COMPILE) -DKILN_WEAK -c -o $@ $<
weak_of = $(filter $(patsubst %,$(WEAK)/obj/%/%,$(ARS_$(1))),$(WEAK_OBJECTS)) $(WEAK)/obj/tests/security/weak.o
define weak_program
$(WEAK)/$(notdir $(PROGRAM_$(1))): $(B)/obj/$(1)/main.o $(call weak_of,$(1)) $(call ars,$(1))
	$$(call say,LD,$$@)
	$$(Q)$$(LINK) -o $$@.new $$^ $(LIBS_$(1)) && mv $$@.new $$@
endef
$(foreach f,runtime daemon cli,$(eval $(call weak_program,$(f))))

# The attacker is static: it runs in containers.
$(B)/attacker: tests/security/attacker.c Makefile build/config.mk
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 -D_GNU_SOURCE -O1 $(WARNINGS) -static -o $@ $<

weak: $(WEAK)/kiln-runtime $(WEAK)/kilnd $(WEAK)/kiln

PAYLOAD := $(if $(wildcard tests/payload.c),$(B)/payload)
$(B)/payload: tests/payload.c Makefile build/config.mk
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 -D_GNU_SOURCE -O2 -g $(WARNINGS) -static -o $@ $<

all: $(PROGRAMS) $(PAYLOAD) $(call ars,base) $(call ars,oci)

$(B)/obj/%.o: %.c Makefile build/config.mk
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(COMPILE) -c -o $@ $<
-include $(wildcard $(WEAK_OBJECTS:.o=.d))
-include $(wildcard $(patsubst %.c,$(B)/obj/%.d,$(SRC_base) $(SRC_oci) $(SRC_runtime) $(SRC_daemon) \
	$(SRC_cli) $(SRC_unit) $(wildcard tests/fuzz/*.c tests/faults/*.c)))

# Programs carry data files in themselves (.incbin), which -MMD does not see.
$(B)/obj/runtime/seccomp%.o $(B)/obj/daemon/%.o: $(wildcard contrib/seccomp/default.json)
$(B)/obj/cli/complete_script.o: $(wildcard contrib/completion/*)

# --- unit tests: one binary each --------------------------------------------------------------------
# test_foo.c is linked against the archives of the folder that has foo.c, else against all of them.
UNIT := $(patsubst tests/unit/%.c,$(B)/unit/%,$(SRC_unit))
home_of = $(firstword $(subst /, ,$(firstword $(wildcard $(foreach d,base oci runtime runtime/front daemon daemon/engine \
	daemon/doors daemon/net cli,$(d)/$(1).c)))) all)
# Layers are read in kiln-runtime only, so libarchive is no library of oci/ for the programs; tests of oci/ need it.
test_libs = $(LIBS_$(1)) $(if $(filter oci,$(1)),$(ARCHIVE_LINK))
define unit
$(B)/unit/test_$(1): $(B)/obj/tests/unit/test_$(1).o $(call ars,$(2))
	$$(call say,LD,$$@)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$$(LINK) -o $$@ $$< -Wl,--start-group $(call ars,$(2)) -Wl,--end-group $(call test_libs,$(2)) $(CHECK_LIBS)
endef
$(foreach t,$(patsubst tests/unit/test_%.c,%,$(SRC_unit)),$(eval $(call unit,$(t),$(call home_of,$(t)))))

# --- fuzz targets -----------------------------------------------------------------------------------
# fuzz_foo.c with a driver that replays its corpus is a unit test; with libFuzzer it is what `make fuzz` runs.
SRC_fuzz := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ := $(patsubst tests/fuzz/fuzz_%.c,%,$(SRC_fuzz))
FUZZ_SECONDS ?= 60
# Parts of the others, or readers of what Kiln and the kernel have written themselves: less time.
FUZZ_INNER := cgfile clock docker_exec jsonlog logfile options path reply str template unitprops
FUZZ_INNER_SECONDS ?= 10
REPLAY := $(FUZZ:%=$(B)/unit/fuzz_%)
define fuzz_target
$(B)/unit/fuzz_$(1): $(B)/obj/tests/fuzz/fuzz_$(1).o $(B)/obj/tests/fuzz/driver.o $(call ars,$(2))
	$$(call say,LD,$$@)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$$(LINK) -o $$@ $$(filter %.o,$$^) -Wl,--start-group $(call ars,$(2)) -Wl,--end-group $(call test_libs,$(2))
$(B)/fuzz_$(1): $(B)/obj/tests/fuzz/fuzz_$(1).o $(call ars,$(2))
	$$(call say,LD,$$@)
	$$(Q)$$(LINK) -fsanitize=fuzzer -o $$@ $$< -Wl,--start-group $(call ars,$(2)) -Wl,--end-group $(call test_libs,$(2))
endef
$(foreach t,$(patsubst tests/fuzz/fuzz_%.c,%,$(SRC_fuzz)),$(eval $(call fuzz_target,$(t),$(call home_of,$(t)))))

fuzz:
	$(Q)$(MAKE) --no-print-directory CC=clang SAN=fuzzer-no-link,address,undefined VARIANT=fuzz fuzz-run
fuzz-run: $(FUZZ:%=$(B)/fuzz_%)
	$(Q)sh tests/fuzz/run.sh $(B) $(FUZZ_SECONDS) $(filter-out $(FUZZ_INNER),$(FUZZ)) \
		$(patsubst %,%:$(FUZZ_INNER_SECONDS),$(filter $(FUZZ_INNER),$(FUZZ)))

check: all $(UNIT) $(REPLAY)
	$(Q)sh tests/unit/run.sh $(B)/results/unit.log $(sort $(UNIT) $(REPLAY))

unit-%: $(B)/unit/test_%
	$(Q)$<

# --- other suites -----------------------------------------------------------------------------------
lint: all
	$(Q)NM='$(NM)' BUILD=$(B) $(PYTHON) tests/lint/lint.py

e2e: all upgrade
	$(Q)KILN_BUILD=$(abspath $(B)) $(PYTHON) tests/e2e/run.py $(E2E)

# What is asked of kiln-runtime is asked of crun and runc, too. CONFORMANCE="names" picks some.
conformance: all
	$(Q)KILN_BUILD=$(abspath $(B)) $(PYTHON) tests/e2e/run.py --suite conformance $(CONFORMANCE)

# Each step of create, start, exec, rm and load fails once. FAULTS_ONLY="names" picks some; KILN_LONG=1 tries all.
faults:
	$(Q)$(MAKE) --no-print-directory FAULTS=1 all
	$(Q)KILN_BUILD=$(abspath build/faults) $(PYTHON) tests/e2e/run.py --suite faults $(FAULTS_ONLY)

# Attacks, each on the programs as they are, and once more with the defence that repels it switched off.
security: all weak $(B)/attacker
	$(Q)KILN_BUILD=$(abspath $(B)) $(PYTHON) tests/e2e/run.py --suite security $(SECURITY)

# kill -9 of everything under load; KILN_SEED repeats the choices, KILN_KILLS says how many.
chaos: all
	$(Q)KILN_BUILD=$(abspath $(B)) $(PYTHON) tests/e2e/run.py --suite chaos

# kilnd with ThreadSanitizer: the unit tests of what has threads, and kilnd at work. kiln-runtime has one thread, and clones.
THREADED := images later log loop server server_limits state wire
TSAN_E2E := test_uploads_are_counted test_import_trickles_through_the_loop test_round_trip_keeps_plain_layers test_exec \
	test_option_bind_ro test_reload_changes_the_log test_stop_all_keeps_what_is_desired test_next_kilnd_adopts_ended_with_code
tsan: all
	$(Q)CK_TIMEOUT_MULTIPLIER=4 $(MAKE) --no-print-directory SAN=thread tsan-run
tsan-run: $(B)/kilnd $(B)/payload $(THREADED:%=$(B)/unit/test_%)
	$(Q)sh tests/unit/run.sh $(B)/results/tsan.log $(THREADED:%=$(B)/unit/test_%)
	$(Q)KILN_BUILD=$(abspath $(B)) KILN_RUNTIME=$(abspath build/kiln-runtime) $(PYTHON) tests/e2e/run.py $(TSAN_E2E)
	$(Q)KILN_BUILD=$(abspath $(B)) KILN_RUNTIME=$(abspath build/kiln-runtime) KILN_KILLS=10 $(PYTHON) tests/e2e/run.py --suite chaos

# The release before this one, for the tests of upgrades.
upgrade:
	$(Q)sh tests/upgrade/build.sh >/dev/null

vm: all weak upgrade $(B)/attacker
	$(Q)bash tests/vm/run.sh $(VM)

acceptance:
	$(Q)$(PYTHON) tests/acceptance.py

# Kiln beside the bare kernel and its peers: SUITE=, ROUNDS=, CONTAINERS=, BENCH_LONG=1, BENCH_WRITE=1; docs/performance.md.
BENCH_PROGRAMS := $(B)/floor $(B)/client
$(BENCH_PROGRAMS): $(B)/%: tests/bench/%.c Makefile build/config.mk
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 -D_GNU_SOURCE -O2 -g $(WARNINGS) -o $@ $<

bench: all $(BENCH_PROGRAMS)
	$(Q)KILN_BUILD=$(abspath $(B)) SUITE='$(SUITE)' $(PYTHON) tests/bench/bench.py

report: all
	$(Q)$(PYTHON) tests/lint/size_report.py $(wildcard $(PROGRAMS))

# Tests of the build, of the scripts and of the documents: pages that are printed must be as they would be printed now.
PRINTED := errors options spec-coverage $(if $(wildcard daemon/engine/lifecycle.c),lifecycle)
scripts: all $(PRINTED:%=$(B)/docs/print_%)
	$(Q)KILN_BUILD=$(abspath $(B)) $(PYTHON) tests/scripts/run.py $(SCRIPTS)

# The slow and the long tests too.
check-long: check
	$(Q)KILN_LONG=1 $(MAKE) --no-print-directory e2e faults chaos vm

# Unit and end-to-end tests once more, on binaries with AddressSanitizer and UBSan.
check-all: check e2e
	$(Q)CK_TIMEOUT_MULTIPLIER=4 $(MAKE) --no-print-directory SAN=address,undefined check e2e

format:
	clang-format -i $$(git ls-files '*.c' '*.h')

# Pages that are printed from the tables in the code.
$(B)/docs/print_errors: $(B)/obj/docs/print_errors.o $(call ars,base)
$(B)/docs/print_spec-coverage: $(B)/obj/docs/print_spec-coverage.o $(call ars,oci)
$(B)/docs/print_lifecycle: $(B)/obj/docs/print_lifecycle.o $(call ars,daemon)
$(B)/docs/print_options: $(B)/obj/docs/print_options.o $(B)/libcli.a $(B)/libapi.a $(call ars,daemon)
$(B)/docs/print_man_kilnd: $(B)/obj/docs/print_man_kilnd.o $(call ars,daemon)
$(B)/docs/print_man_kiln: $(B)/obj/docs/print_man_kiln.o $(call ars,cli)
$(B)/docs/print_%:
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(LINK) -o $@ $^ $(LIBS_daemon)

# Pages of the manual: each program prints all of its own.
PRINT_MAN := $(patsubst %.c,$(B)/%,$(wildcard docs/print_man_*.c))
man: $(PRINT_MAN)
	$(Q)rm -rf $(B)/man && mkdir -p $(B)/man
	$(Q)for print in $(PRINT_MAN); do $$print $(B)/man || exit 1; done

docs: $(PRINTED:%=$(B)/docs/print_%)
	$(Q)for page in $(PRINTED); do $(B)/docs/print_$$page >docs/$$page.md || exit 1; done
	$(Q)$(PYTHON) tests/security/table.py --write

# --- install ----------------------------------------------------------------------------------------
# kilnd looks for kiln-runtime beside itself.
UNITS := kilnd.service kilnd.socket kiln-shutdown.service
has_units := $(filter-out no,$(systemdunitdir))
has_sysusers := $(filter-out no,$(sysusersdir))

COMPLETION_bash := $(wildcard contrib/completion/kiln.bash)
COMPLETION_zsh  := $(wildcard contrib/completion/_kiln)

install: all man
	install -d $(DESTDIR)$(bindir) $(DESTDIR)$(datadir)/doc/kiln
	install -m 755 $(PROGRAMS) $(DESTDIR)$(bindir)
	install -m 644 LICENSE NOTICE $(DESTDIR)$(datadir)/doc/kiln
	$(if $(PRINT_MAN),for page in $(B)/man/*; do \
		install -D -m 644 $$page $(DESTDIR)$(mandir)/man$${page##*.}/$${page##*/} || exit 1; done)
	$(if $(COMPLETION_bash),install -D -m 644 $(COMPLETION_bash) $(DESTDIR)$(datadir)/bash-completion/completions/kiln)
	$(if $(COMPLETION_zsh),install -D -m 644 $(COMPLETION_zsh) $(DESTDIR)$(datadir)/zsh/site-functions/_kiln)
	$(if $(has_units),install -d $(DESTDIR)$(systemdunitdir))
	$(if $(has_units),for unit in $(UNITS); do \
		sed 's|@bindir@|$(bindir)|' contrib/systemd/$$unit.in >$(DESTDIR)$(systemdunitdir)/$$unit && \
		chmod 644 $(DESTDIR)$(systemdunitdir)/$$unit || exit 1; done)
	$(if $(has_sysusers),install -D -m 644 contrib/systemd/kiln.sysusers $(DESTDIR)$(sysusersdir)/kiln.conf)

# Programs, units and documents; data root, configuration and the group stay.
uninstall: man
	rm -f $(patsubst %,$(DESTDIR)$(bindir)/%,$(notdir $(PROGRAMS)))
	rm -rf $(DESTDIR)$(datadir)/doc/kiln
	for page in $(if $(PRINT_MAN),$(B)/man/*); do rm -f $(DESTDIR)$(mandir)/man$${page##*.}/$${page##*/}; done
	rm -f $(DESTDIR)$(datadir)/bash-completion/completions/kiln $(DESTDIR)$(datadir)/zsh/site-functions/_kiln
	$(if $(has_units),rm -f $(UNITS:%=$(DESTDIR)$(systemdunitdir)/%))
	$(if $(has_sysusers),rm -f $(DESTDIR)$(sysusersdir)/kiln.conf)

clean:
	rm -rf build

help:
	@echo 'all         build/kilnd, build/kiln, build/kiln-runtime'
	@echo 'check       unit tests (no root, under a minute); unit-NAME runs one binary'
	@echo 'lint        the rules of HACKING.md'
	@echo 'e2e         end-to-end tests (root); E2E="names" picks some'
	@echo 'conformance one contract for kiln-runtime, crun and runc (root); CONFORMANCE="names" picks some'
	@echo 'faults      every step of create, start, exec, rm and load fails once (root); FAULTS_ONLY="names" picks some'
	@echo 'security    attacks, each also with its defence switched off (root); SECURITY="names" picks some'
	@echo 'chaos       kill -9 of kilnd, launcher and monitors under load, compared with a model (root); KILN_SEED=, KILN_KILLS='
	@echo 'tsan        kilnd and the unit tests that have threads, with ThreadSanitizer (root)'
	@echo 'vm          the subset that runs in a virtual machine with Debian'"'"'s kernel'
	@echo 'scripts     tests of the build, the scripts and the documents; SCRIPTS="names" picks some'
	@echo 'fuzz        each parser for FUZZ_SECONDS with libFuzzer (clang); FUZZ="names" picks some; FUZZ_SEED=0 tries others each time'
	@echo 'check-long  the slow tests too'
	@echo 'man         prints the pages of the manual into build/man/'
	@echo 'docs        prints docs/errors.md, lifecycle.md, options.md and spec-coverage.md from the code'
	@echo 'check-all   check and e2e, plain and with ASan and UBSan'
	@echo 'bench       Kiln beside the bare kernel and installed peers (root); SUITE="start stems exec run runtime api ping scale memory health log load"'
	@echo 'acceptance  compares tests/acceptance.tsv with the results of the last runs'
	@echo 'report      sizes of functions, files and programs'
	@echo 'format      clang-format over the tree'
	@echo 'install     DESTDIR=, prefix=, systemdunitdir= (or no), sysusersdir= (or no); uninstall takes it away'
	@echo 'clean'

.PHONY: all man weak upgrade check fuzz fuzz-run lint e2e faults security chaos tsan tsan-run vm scripts acceptance bench report check-all check-long conformance docs format install uninstall clean help
