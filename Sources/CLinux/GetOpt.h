// getopt_long's global variables, which Swift 6 does not let anybody touch.
#pragma once
#include <features.h>

#include <getopt.h>

static inline struct option clinux_option(const char *name, int takes_value, int letter) {
  struct option result = {name, takes_value, 0, letter};
  return result;
}
static inline void clinux_getopt_quiet(void) { opterr = 0; }
static inline int clinux_optind(void) { return optind; }
static inline char *clinux_optarg(void) { return optarg; }
