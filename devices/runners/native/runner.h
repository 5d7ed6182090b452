/* The seam between the timing loop (main.c) and a runtime (litert.c, onnxruntime.c). */
#ifndef EDGEZOO_RUNNER_H
#define EDGEZOO_RUNNER_H

#include <stddef.h>
#include <stdint.h>

#define MOST_TENSORS 64

enum kind { KIND_FLOAT, KIND_FLOAT16, KIND_INTEGER, KIND_BOOL };

/* A tensor's memory; `width` is the bytes of one element, `is_signed` matters for integers. */
struct tensor {
  void *data;
  size_t bytes;
  enum kind kind;
  size_t width;
};

/* A loaded model. `run` is the only timed part. Tensors can be touched while locked,
 * and run while not. */
struct session {
  size_t inputs, outputs;
  struct tensor input[MOST_TENSORS], output[MOST_TENSORS];
  void (*run)(void);
  void (*lock_inputs)(struct session *);
  void (*unlock_inputs)(struct session *);
  void (*lock_outputs)(struct session *);
  void (*unlock_outputs)(struct session *);
  const char *runtime;      /* "litert" or "onnxruntime" */
  const char *version;      /* NULL where the library does not tell */
  const char *delegate;     /* what was asked for */
  int fully_delegated;      /* 1, 0, or -1 where the library does not tell */
  long operators;           /* in the file; -1 where the library does not tell */
};

/* Both end the process with a message on standard error where the file cannot be loaded. */
void open_litert(void *library, const char *graph, int threads, struct session *);
void open_onnxruntime(void *library, const char *graph, int threads, struct session *);

/* Prints "ERROR: " and the message to standard error, then ends with exit code 1. */
void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
/* Returns the function `name` of the library, or fails. */
void *symbol(void *library, const char *name);
/* The file that is being loaded, for messages. */
extern const char *graph_name;

#endif
