/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "cli/human.h"

#define QUIET_NS (CLOCK_NS_PER_SEC)
#define EVERY_NS (CLOCK_NS_PER_SEC / 5)

void progress_begin(struct progress *p, const char *what, uint64_t total, bool is_bytes)
{
	*p = (struct progress){
		.what = what, .is_on = isatty(STDERR_FILENO) == 1, .began_ns = clock_mono_ns(), .total = total, .is_bytes = is_bytes,
	};
}

void progress_text(const struct progress *p, int64_t now_ns, struct strbuf *out)
{
	double seconds = (double)(now_ns - p->began_ns) / CLOCK_NS_PER_SEC;
	char done[HUMAN_MAX], total[HUMAN_MAX], rate[HUMAN_MAX];

	strbuf_addf(out, "%s ", p->what);
	if (!p->is_bytes) {
		strbuf_addf(out, "%llu of %llu, %.0f s", (unsigned long long)p->done, (unsigned long long)p->total, seconds);
		return;
	}
	strbuf_adds(out, human_size((double)p->done, 3, done));
	if (p->total)
		strbuf_addf(out, " of %s (%d%%)", human_size((double)p->total, 3, total),
			    (int)(p->done < p->total ? (double)p->done / (double)p->total * 100 : 100));
	if (seconds > 0)
		strbuf_addf(out, ", %s/s", human_size((double)p->done / seconds, 3, rate));
}

void progress_add(struct progress *p, uint64_t n)
{
	int64_t now_ns = clock_mono_ns();
	struct strbuf line = {0};

	p->done += n;
	if (!p->is_on || now_ns - p->began_ns < QUIET_NS || now_ns - p->shown_ns < EVERY_NS)
		return;
	progress_text(p, now_ns, &line);
	fprintf(stderr, "\r%s\033[K", line.data);
	strbuf_done(&line);
	p->shown_ns = now_ns;
	p->is_shown = true;
}

void progress_hide(struct progress *p)
{
	if (p->is_shown)
		fputs("\r\033[K", stderr);
	p->is_shown = false;
	p->shown_ns = 0;
}
