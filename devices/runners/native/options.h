/* The command line: benchmark_model's names where it has them, so that one builder serves both. */
#ifndef EDGEZOO_OPTIONS_H
#define EDGEZOO_OPTIONS_H

#include <stdint.h>

struct options {
  const char *graph, *library, *runtime, *affinity, *output_filepath;
  long threads, warmup_runs, runs, seed;
  double warmup_min_secs, min_secs, max_secs;
};

/* Returns the options; prints usage and ends with exit code 1 for anything it does not know. */
struct options read_options(int count, char **arguments);

#endif
