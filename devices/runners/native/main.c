/* Times one model file with a runtime that is loaded at run time, and prints two things: text as
 * TFLite's benchmark_model prints it, and one line "EDGEZOO_JSON {...}" with the raw samples.
 *
 * Clocks are CLOCK_MONOTONIC and CLOCK_PROCESS_CPUTIME_ID (all threads). Outputs are checked once,
 * after the warm-up. Anything that goes wrong ends with "ERROR: ..." and exit code 1. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <math.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "options.h"
#include "tensors.h"

const char *graph_name = "";

struct samples {
  size_t count, room;
  int64_t *wall_ns, *cpu_ns;
};

void fail(const char *format, ...) {
  va_list arguments;
  fflush(stdout);
  fprintf(stderr, "ERROR: ");
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fprintf(stderr, "\nERROR: Benchmarking failed.\n");
  fflush(stderr);
  _exit(1); /* the runtime's threads may be in any state */
}

void *symbol(void *library, const char *name) {
  void *found = dlsym(library, name);
  if (!found) fail("Failed to load library: it has no function %s", name);
  return found;
}

static int64_t now_ns(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

/* Restricts this process, and the threads it will start, to the cores of a hexadecimal mask. */
static void set_affinity(const char *text) {
  char *end = NULL;
  unsigned long long mask = strtoull(text, &end, 16);
  cpu_set_t cores;
  if (*end || !mask) fail("Failed to parse flag 'affinity' against argv '%s'", text);
  CPU_ZERO(&cores);
  for (int core = 0; core < 64 && core < CPU_SETSIZE; core++)
    if (mask >> core & 1) CPU_SET(core, &cores);
  if (sched_setaffinity(0, sizeof cores, &cores))
    fail("Failed to parse flag 'affinity': the system has none of the cores in %s", text);
}

static unsigned long long affinity(void) {
  cpu_set_t cores;
  unsigned long long mask = 0;
  if (sched_getaffinity(0, sizeof cores, &cores)) return 0;
  for (int core = 0; core < 64 && core < CPU_SETSIZE; core++)
    if (CPU_ISSET(core, &cores)) mask |= 1ULL << core;
  return mask;
}

/* The peak of the resident set in KiB. Not ru_maxrss: Linux carries that over from the parent. */
static long peak_memory_kib(void) {
  char line[256];
  long kib = 0;
  FILE *file = fopen("/proc/self/status", "r");
  while (file && fgets(line, sizeof line, file)) sscanf(line, "VmHWM: %ld", &kib);
  if (file) fclose(file);
  return kib;
}

static void make_room(struct samples *samples, size_t room) {
  if (room <= samples->room) return;
  samples->wall_ns = realloc(samples->wall_ns, room * sizeof(int64_t));
  samples->cpu_ns = realloc(samples->cpu_ns, room * sizeof(int64_t));
  if (!samples->wall_ns || !samples->cpu_ns) fail("Failed to allocate memory for samples");
  /* Touched now, so that writing a sample causes no page fault between two runs. */
  size_t added = (room - samples->room) * sizeof(int64_t);
  memset(samples->wall_ns + samples->room, 0, added);
  memset(samples->cpu_ns + samples->room, 0, added);
  samples->room = room;
}

static struct samples time_runs(const struct session *session, long runs, double min_secs,
                                double max_secs) {
  struct samples samples = {0};
  printf("Running benchmark for at least %ld iterations and at least %g seconds but terminate if "
         "exceeding %g seconds.\n", runs, min_secs, max_secs);
  fflush(stdout);
  make_room(&samples, (size_t)runs + 1024);
  int64_t start = now_ns(CLOCK_MONOTONIC), end = start;
  while (((long)samples.count < runs || end - start < min_secs * 1e9) &&
         end - start <= max_secs * 1e9) {
    if (samples.count == samples.room) make_room(&samples, 2 * samples.room);
    int64_t cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID), wall = now_ns(CLOCK_MONOTONIC);
    session->run();
    end = now_ns(CLOCK_MONOTONIC);
    samples.cpu_ns[samples.count] = now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    samples.wall_ns[samples.count++] = end - wall;
  }
  return samples;
}

static int64_t microseconds(int64_t ns) { return (ns + 500) / 1000; }

static int ascending(const void *left, const void *right) {
  int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
  return (a > b) - (a < b);
}

/* Prints the statistics of whole microseconds as benchmark_model does; returns the average. */
static double print_statistics(const struct samples *samples) {
  size_t n = samples->count;
  if (!n) {
    printf("count=0\n\n");
    return 0;
  }
  int64_t *us = malloc(n * sizeof *us);
  if (!us) fail("Failed to allocate memory for statistics");
  double sum = 0, squares = 0;
  for (size_t i = 0; i < n; i++) {
    us[i] = microseconds(samples->wall_ns[i]);
    sum += (double)us[i];
  }
  long long first = us[0], current = us[n - 1];
  double average = sum / (double)n;
  for (size_t i = 0; i < n; i++) squares += ((double)us[i] - average) * ((double)us[i] - average);
  qsort(us, n, sizeof *us, ascending);
  printf("count=%zu first=%lld curr=%lld min=%lld max=%lld avg=%g std=%lld p5=%lld median=%lld "
         "p95=%lld\n\n", n, first, current, (long long)us[0], (long long)us[n - 1], average,
         (long long)sqrt(squares / (double)n), (long long)us[n * 5 / 100],
         (long long)us[n * 50 / 100], (long long)us[n * 95 / 100]);
  free(us);
  return average;
}

static void check_outputs(struct session *session) {
  session->lock_outputs(session);
  for (size_t t = 0; t < session->outputs; t++) {
    const struct tensor *output = &session->output[t];
    size_t count = count_non_finite(output);
    if (count)
      fail("%zu of %zu values of output %zu are NaN or infinite", count,
           output->bytes / output->width, t);
  }
  session->unlock_outputs(session);
}

static void write_outputs(const struct session *session, const char *path) {
  FILE *file = fopen(path, "wb");
  int good = file != NULL;
  for (size_t t = 0; good && t < session->outputs; t++)
    good = fwrite(session->output[t].data, 1, session->output[t].bytes, file) ==
           session->output[t].bytes;
  if (!good || fclose(file)) fail("Could not write the outputs to '%s'", path);
}

static void print_list(const char *name, const int64_t *ns, size_t count) {
  printf(",\"%s\":[", name);
  for (size_t i = 0; i < count; i++)
    printf(i ? ",%lld.%03d" : "%lld.%03d", (long long)(ns[i] / 1000), (int)(ns[i] % 1000));
  printf("]");
}

static void print_json(const struct session *session, const struct options *options,
                       const struct samples *samples, int64_t load_ns, int64_t first_ns,
                       long before_kib, long faults, long switches, time_t started) {
  printf("EDGEZOO_JSON {\"schema\":1,\"runtime\":\"%s\",\"version\":", session->runtime);
  session->version ? printf("\"%s\"", session->version) : printf("null");
  printf(",\"delegate\":\"%s\",\"fully_delegated\":%s,\"operators\":%ld", session->delegate,
         session->fully_delegated ? "true" : "false", session->operators);
  printf(",\"threads\":%ld,\"seed\":%ld,\"affinity\":\"%llx\"", options->threads, options->seed,
         affinity());
  printf(",\"load_us\":%.3f,\"first_us\":%.3f", (double)load_ns / 1e3, (double)first_ns / 1e3);
  printf(",\"peak_memory_kib\":%ld,\"memory_before_kib\":%ld", peak_memory_kib(), before_kib);
  printf(",\"minor_faults\":%ld,\"involuntary_switches\":%ld,\"started_at\":%lld", faults,
         switches, (long long)started);
  printf(",\"outputs\":[");
  for (size_t t = 0; t < session->outputs; t++)
    printf(t ? ",{\"bytes\":%zu,\"fnv1a\":\"%016llx\"}" : "{\"bytes\":%zu,\"fnv1a\":\"%016llx\"}",
           session->output[t].bytes, (unsigned long long)fingerprint(&session->output[t]));
  printf("]");
  print_list("samples_us", samples->wall_ns, samples->count);
  print_list("cpu_us", samples->cpu_ns, samples->count);
  printf("}\n");
}

static int wants_onnxruntime(const struct options *options) {
  size_t length = strlen(options->graph);
  if (!strcmp(options->runtime, "litert")) return 0;
  if (!strcmp(options->runtime, "onnxruntime")) return 1;
  if (*options->runtime) fail("Failed to parse flag 'runtime' against argv '%s'", options->runtime);
  return length > 5 && !strcmp(options->graph + length - 5, ".onnx");
}

static void *load_library(const char *path) {
  void *library = dlopen(path, RTLD_NOW);
  if (!library) fail("Failed to load library %s: %s", path, dlerror());
  return library;
}

/* Loads the library and the model, and says how long the model took. */
static int64_t open_session(const struct options *options, struct session *session,
                            long *before_kib) {
  struct stat file = {0};
  int onnx = wants_onnxruntime(options);
  const char *name = onnx ? "libonnxruntime.so" : "libLiteRt.so";
  /* From 1.29 on ONNX Runtime counts runs for its makers: a thread, a connection and files beside the
   * measurement. Who wants that sets the variable to 0. */
  setenv("ORT_DISABLE_TELEMETRY", "1", 0);
  void *library = load_library(*options->library ? options->library : name);
  if (stat(options->graph, &file)) fail("Could not open '%s'.", options->graph);
  *before_kib = peak_memory_kib();
  int64_t start = now_ns(CLOCK_MONOTONIC);
  (onnx ? open_onnxruntime : open_litert)(library, options->graph, (int)options->threads, session);
  int64_t load_ns = now_ns(CLOCK_MONOTONIC) - start;
  printf("Loaded model %s\nThe input model file size (MB): %g\nInitialized session in %gms.\n",
         options->graph, (double)file.st_size / 1e6, (double)load_ns / 1e6);
  return load_ns;
}

int main(int count, char **arguments) {
  printf("STARTING!\n");
  struct options options = read_options(count, arguments);
  struct session session = {0};
  struct rusage before, after;
  time_t started = time(NULL);
  long before_kib;
  if (!*options.graph) fail("Please specify the name of your TF Lite input file with --graph");
  graph_name = options.graph;
  printf("Min num runs: [%ld]\nNum threads: [%ld]\nMin warmup runs: [%ld]\nGraph: [%s]\n",
         options.runs, options.threads, options.warmup_runs, options.graph);
  if (*options.affinity) set_affinity(options.affinity);
  int64_t load_ns = open_session(&options, &session, &before_kib);

  fill_inputs(&session, (uint64_t)options.seed);
  struct samples warmup =
      time_runs(&session, options.warmup_runs, options.warmup_min_secs, options.max_secs);
  double warmup_us = print_statistics(&warmup);
  if (warmup.count) check_outputs(&session);
  getrusage(RUSAGE_SELF, &before);
  struct samples timed = time_runs(&session, options.runs, options.min_secs, options.max_secs);
  getrusage(RUSAGE_SELF, &after);
  double timed_us = print_statistics(&timed);

  int64_t first_ns = warmup.count ? warmup.wall_ns[0] : 0;
  printf("Inference timings in us: Init: %lld, First inference: %lld, Warmup (avg): %g, "
         "Inference (avg): %g\n", (long long)microseconds(load_ns),
         (long long)microseconds(first_ns), warmup_us, timed_us);
  if (!timed.count) fail("Failed to invoke: no run was asked for");
  check_outputs(&session);
  session.lock_outputs(&session);
  if (*options.output_filepath) write_outputs(&session, options.output_filepath);
  print_json(&session, &options, &timed, load_ns, first_ns, before_kib,
             after.ru_minflt - before.ru_minflt, after.ru_nivcsw - before.ru_nivcsw, started);
  fflush(stdout);
  _exit(0); /* some runtimes hang while they take themselves down */
}
