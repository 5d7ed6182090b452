#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct options given = {.library = "",
                               .runtime = "",
                               .affinity = "",
                               .output_filepath = "",
                               .graph = "",
                               .threads = 1,
                               .warmup_runs = 1,
                               .runs = 50,
                               .warmup_min_secs = 0.5,
                               .min_secs = 1,
                               .max_secs = 150};

static struct flag {
  const char *name, *kind, *fallback;
  void *value;
  const char *description;
  int seen;
} flags[] = {
    {"graph", "string", "", &given.graph, "model file, .tflite or .onnx", 0},
    {"num_runs", "int32", "50", &given.runs, "fewest timed runs", 0},
    {"min_secs", "float", "1", &given.min_secs, "fewest seconds of timed runs", 0},
    {"max_secs", "float", "150", &given.max_secs, "no new run starts after as many seconds", 0},
    {"warmup_runs", "int32", "1", &given.warmup_runs, "runs before, the first included", 0},
    {"warmup_min_secs", "float", "0.5", &given.warmup_min_secs, "fewest seconds of them", 0},
    {"num_threads", "int32", "1", &given.threads, "threads of the runtime", 0},
    {"library", "string", "", &given.library, "libLiteRt.so or libonnxruntime.so to load", 0},
    {"runtime", "string", "", &given.runtime, "litert or onnxruntime; by the graph's name", 0},
    {"seed", "int32", "0", &given.seed, "seed of the inputs", 0},
    {"affinity", "string", "", &given.affinity, "hexadecimal mask of the cores to run on", 0},
    {"output_filepath", "string", "", &given.output_filepath, "write all outputs here, raw", 0},
};

static void usage(const char *program, const char *name, const char *argument) {
  fprintf(stderr, "ERROR: Failed to parse flag '%s' against argv '%s'\n", name, argument);
  fprintf(stderr, "ERROR: usage: %s <flags>\nFlags:\n", program);
  for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
    fprintf(stderr, "\t--%s=%s\t%s\toptional\t%s\n", flags[i].name, flags[i].fallback,
            flags[i].kind, flags[i].description);
  fprintf(stderr, "ERROR: Benchmarking failed.\n");
  exit(1);
}

static int set(struct flag *flag, const char *text) {
  char *end = NULL;
  if (!strcmp(flag->kind, "string")) {
    *(const char **)flag->value = text;
    return 1;
  }
  if (!strcmp(flag->kind, "int32")) {
    long value = strtol(text, &end, 10);
    if (value < 0 || value > INT32_MAX) return 0;
    *(long *)flag->value = value;
  } else {
    double value = strtod(text, &end);
    if (!(value >= 0 && value <= 1e9)) return 0;
    *(double *)flag->value = value;
  }
  return *text && !*end;
}

static struct flag *find(const char *name, size_t length) {
  for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
    if (strlen(flags[i].name) == length && !strncmp(flags[i].name, name, length)) return &flags[i];
  return NULL;
}

struct options read_options(int count, char **arguments) {
  for (int i = 1; i < count; i++) {
    const char *argument = arguments[i], *equals = strchr(argument, '=');
    if (strncmp(argument, "--", 2) || !equals) usage(arguments[0], argument, argument);
    struct flag *flag = find(argument + 2, (size_t)(equals - argument - 2));
    if (!flag || flag->seen++ || !set(flag, equals + 1))
      usage(arguments[0], flag ? flag->name : argument, argument);
  }
  return given;
}
