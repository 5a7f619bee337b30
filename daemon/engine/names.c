/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/engine/names.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/own.h"
#include "base/str.h"

#define TRIES_WITHOUT_DIGIT 4

static const char *const adjectives[] = {
	"able",     "agile",    "amber",   "ample",    "apt",      "ardent",   "astute",
	"aware",    "blithe",   "bold",    "brave",    "brisk",    "calm",     "candid",
	"careful",  "cheerful", "civil",   "clear",    "clever",   "cobalt",   "composed",
	"constant", "cool",     "cordial", "crisp",    "curious",  "daring",   "deft",
	"diligent", "direct",   "eager",   "early",    "earnest",  "elated",   "fair",
	"fearless", "fervent",  "festive", "fleet",    "fluent",   "focused",  "frank",
	"free",     "gallant",  "gentle",  "glad",     "gleaming", "golden",   "grand",
	"hardy",    "hearty",   "helpful", "honest",   "humble",   "intent",   "jolly",
	"jovial",   "keen",     "kind",    "lively",   "loyal",    "lucid",    "lucky",
	"mellow",   "merry",    "mindful", "modest",   "neat",     "nimble",   "noble",
	"patient",  "placid",   "plucky",  "polished", "prompt",   "proud",    "quick",
	"quiet",    "radiant",  "ready",   "robust",   "sage",     "serene",   "sharp",
	"silent",   "sincere",  "smooth",  "sober",    "solid",    "spirited", "stately",
	"steady",   "sturdy",   "subtle",  "sunny",    "swift",    "tender",   "thankful",
	"tidy",     "tranquil", "trusty",  "upbeat",   "valiant",  "vivid",    "warm",
	"watchful", "wise",     "witty",   "zealous",  "zesty",
};

/* People of science and engineering. */
static const char *const surnames[] = {
	"abel",          "agnesi",   "aiken",      "ampere",      "archimedes", "aryabhata",
	"avogadro",      "babbage",  "banach",     "bardeen",     "bartik",     "bayes",
	"becquerel",     "bell",     "bernoulli",  "bohr",        "boltzmann",  "bolyai",
	"boole",         "born",     "bose",       "boyle",       "brahe",      "brunel",
	"cantor",        "carnot",   "carson",     "cauchy",      "cavendish",  "cerf",
	"chandrasekhar", "church",   "clarke",     "cori",        "coulomb",    "crick",
	"curie",         "darwin",   "davy",       "dedekind",    "descartes",  "dijkstra",
	"dirac",         "doppler",  "easley",     "edison",      "einstein",   "elion",
	"engelbart",     "erdos",    "euclid",     "euler",       "faraday",    "fermat",
	"fermi",         "feynman",  "fibonacci",  "fourier",     "franklin",   "galileo",
	"galois",        "gauss",    "germain",    "gibbs",       "goldberg",   "goodall",
	"haber",         "halley",   "hamilton",   "hawking",     "heisenberg", "herschel",
	"hertz",         "hilbert",  "hodgkin",    "hooke",       "hopper",     "hubble",
	"huygens",       "hypatia",  "jacobi",     "johnson",     "joule",      "kelvin",
	"kepler",        "khayyam",  "kirchhoff",  "knuth",       "kolmogorov", "kovalevskaya",
	"lagrange",      "lamarr",   "laplace",    "lavoisier",   "leavitt",    "leibniz",
	"liskov",        "lovelace", "mach",       "maxwell",     "mayer",      "mccarthy",
	"mcclintock",    "meitner",  "mendel",     "mendeleev",   "mirzakhani", "morse",
	"napier",        "nash",     "newton",     "nightingale", "nobel",      "noether",
	"ohm",           "pascal",   "pasteur",    "pauli",       "payne",      "planck",
	"poincare",      "poisson",  "ptolemy",    "ramanujan",   "riemann",    "ritchie",
	"rontgen",       "rubin",    "rutherford", "sagan",       "shannon",    "siemens",
	"somerville",    "swirles",  "tesla",      "thales",      "thompson",   "torvalds",
	"turing",        "vaughan",  "volta",      "watt",        "weyl",       "wiles",
	"wilkes",        "wing",     "wozniak",    "wu",          "yalow",      "yonath",
	"zuse",
};

static bool is_name_char(unsigned char c)
{
	return isalnum(c) || c == '_' || c == '.' || c == '-';
}

static bool is_name(const char *name)
{
	size_t n = strlen(name);

	if (n < 2 || n > NAME_MAX_BYTES || !isalnum((unsigned char)name[0]))
		return false;
	for (size_t i = 1; i < n; i++) {
		if (!is_name_char((unsigned char)name[i]))
			return false;
	}
	return true;
}

int name_check(const char *name, struct err *e)
{
	if (is_name(name))
		return 0;
	return err_set(e, ERR_INVALID,
		       "Invalid container name (%.300s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
		       name);
}

const char *name_invent(uint64_t random, unsigned attempt, char out[NAME_INVENT_MAX])
{
	const char *adjective = adjectives[random % ARRAY_SIZE(adjectives)];
	const char *surname = surnames[(random >> 32) % ARRAY_SIZE(surnames)];

	if (attempt < TRIES_WITHOUT_DIGIT)
		snprintf(out, NAME_INVENT_MAX, "%s_%s", adjective, surname);
	else
		snprintf(out, NAME_INVENT_MAX, "%s_%s%u", adjective, surname,
			 attempt - TRIES_WITHOUT_DIGIT);
	return out;
}

static void random_bytes(void *out, size_t n)
{
	/* Up to 256 bytes come whole once the pool is initialised, which it is long before a daemon runs. */
	BUG(getrandom(out, n, 0) != (ssize_t)n, "getrandom");
}

uint64_t name_random(void)
{
	uint64_t v;

	random_bytes(&v, sizeof v);
	return v;
}

const char *name_random_id(char out[65])
{
	unsigned char bytes[32];

	do {
		random_bytes(bytes, sizeof bytes);
		str_hex(bytes, sizeof bytes, out);
	} while (strspn(out, "0123456789") >= 12);
	return out;
}
