/* LiteRT through the C functions that libLiteRt.so exports (2.x), on the CPU with XNNPACK.
 *
 * Declared here, so that no header is needed: litert/c/litert_*.h of google-ai-edge/LiteRT. The
 * classic TfLite* functions are not exported. Threads are an "opaque option" with a TOML payload
 * (litert/c/options/litert_cpu_options.cc). */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "runner.h"

typedef int status;
typedef void *handle;

struct layout {
  unsigned rank : 7, has_strides : 1;
  int32_t dimensions[8];
  uint32_t strides[8];
};
struct tensor_type {
  int element_type;
  struct layout layout;
};

enum { CPU = 1, LOCK_READ = 0, LOCK_WRITE = 1 };

static struct {
  status (*create_environment)(int, const void *, handle *);
  status (*create_model)(handle, const char *, handle *);
  status (*create_options)(handle *);
  status (*set_accelerators)(handle, int);
  status (*create_opaque)(const char *, void *, void (*)(void *), handle *);
  status (*add_opaque)(handle, handle);
  status (*compile)(handle, handle, handle, handle *);
  status (*signature)(handle, size_t, handle *);
  status (*subgraph)(handle, handle *);
  status (*count_inputs)(handle, size_t *);
  status (*count_outputs)(handle, size_t *);
  status (*count_operators)(handle, size_t *);
  status (*input)(handle, size_t, handle *);
  status (*output)(handle, size_t, handle *);
  status (*type)(handle, struct tensor_type *);
  status (*input_needs)(handle, size_t, size_t, handle *);
  status (*output_needs)(handle, size_t, size_t, handle *);
  status (*create_buffer)(handle, const struct tensor_type *, handle, handle *);
  status (*size)(handle, size_t *);
  status (*lock)(handle, void **, int);
  status (*unlock)(handle);
  status (*run)(handle, size_t, size_t, handle *, size_t, handle *);
  status (*fully_accelerated)(handle, bool *);
} lrt;

static handle compiled, inputs[MOST_TENSORS], outputs[MOST_TENSORS];
static size_t input_count, output_count;

static void check(status code, const char *what) {
  if (code) fail("Failed to load model %s: %s gave status %d", graph_name, what, code);
}
#define CHECK(call) check(call, #call)

static void bind(void *library) {
#define BIND(field, name) *(void **)&lrt.field = symbol(library, "LiteRt" name)
  BIND(create_environment, "CreateEnvironment");
  BIND(create_model, "CreateModelFromFile");
  BIND(create_options, "CreateOptions");
  BIND(set_accelerators, "SetOptionsHardwareAccelerators");
  BIND(create_opaque, "CreateOpaqueOptions");
  BIND(add_opaque, "AddOpaqueOptions");
  BIND(compile, "CreateCompiledModel");
  BIND(signature, "GetModelSignature");
  BIND(subgraph, "GetSignatureSubgraph");
  BIND(count_inputs, "GetNumSubgraphInputs");
  BIND(count_outputs, "GetNumSubgraphOutputs");
  BIND(count_operators, "GetNumSubgraphOps");
  BIND(input, "GetSubgraphInput");
  BIND(output, "GetSubgraphOutput");
  BIND(type, "GetRankedTensorType");
  BIND(input_needs, "GetCompiledModelInputBufferRequirements");
  BIND(output_needs, "GetCompiledModelOutputBufferRequirements");
  BIND(create_buffer, "CreateManagedTensorBufferFromRequirements");
  BIND(size, "GetTensorBufferPackedSize");
  BIND(lock, "LockTensorBuffer");
  BIND(unlock, "UnlockTensorBuffer");
  BIND(run, "RunCompiledModel");
  BIND(fully_accelerated, "CompiledModelIsFullyAccelerated");
#undef BIND
}

/* Numbers of tflite.TensorType in the schema, which LiteRtElementType repeats. */
static void set_type(struct tensor *tensor, int element_type) {
  static const struct {
    int type;
    enum kind kind;
    size_t width;
  } types[] = {{1, KIND_FLOAT, 4},   {10, KIND_FLOAT16, 2}, {11, KIND_FLOAT, 8},
               {2, KIND_INTEGER, 4}, {3, KIND_INTEGER, 1},  {4, KIND_INTEGER, 8},
               {6, KIND_BOOL, 1},    {7, KIND_INTEGER, 2},  {9, KIND_INTEGER, 1},
               {16, KIND_INTEGER, 2}};
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    if (types[i].type == element_type) {
      tensor->kind = types[i].kind;
      tensor->width = types[i].width;
      return;
    }
  fail("Failed to load model %s: a tensor has type %d, not a number", graph_name, element_type);
}

static void create_tensor(handle environment, handle tensor, handle needs, handle *buffer,
                          struct tensor *described) {
  struct tensor_type type;
  CHECK(lrt.type(tensor, &type));
  set_type(described, type.element_type);
  status code = lrt.create_buffer(environment, &type, needs, buffer);
  if (code) fail("Failed to allocate memory for a tensor of %s: status %d", graph_name, code);
  CHECK(lrt.size(*buffer, &described->bytes));
}

static void run(void) {
  status code = lrt.run(compiled, 0, input_count, inputs, output_count, outputs);
  if (code) fail("Failed to invoke: status %d", code);
}

static void lock_inputs(struct session *session) {
  for (size_t i = 0; i < input_count; i++)
    CHECK(lrt.lock(inputs[i], &session->input[i].data, LOCK_WRITE));
}

static void unlock_inputs(struct session *session) {
  (void)session;
  for (size_t i = 0; i < input_count; i++) CHECK(lrt.unlock(inputs[i]));
}

static void lock_outputs(struct session *session) {
  for (size_t i = 0; i < output_count; i++)
    CHECK(lrt.lock(outputs[i], &session->output[i].data, LOCK_READ));
}

static void unlock_outputs(struct session *session) {
  (void)session;
  for (size_t i = 0; i < output_count; i++) CHECK(lrt.unlock(outputs[i]));
}

static handle options_for(int threads) {
  handle options, opaque;
  char *payload = malloc(64);
  if (!payload) fail("Failed to allocate memory");
  snprintf(payload, 64, "num_threads = %d\n", threads);
  CHECK(lrt.create_options(&options));
  CHECK(lrt.set_accelerators(options, CPU));
  CHECK(lrt.create_opaque("xnnpack", payload, free, &opaque));
  CHECK(lrt.add_opaque(options, opaque));
  return options;
}

void open_litert(void *library, const char *graph, int threads, struct session *session) {
  handle environment, model, signature, subgraph, tensor, needs;
  size_t operators;
  bool all = false;
  bind(library);
  CHECK(lrt.create_environment(0, NULL, &environment));
  CHECK(lrt.create_model(environment, graph, &model));
  CHECK(lrt.compile(environment, model, options_for(threads), &compiled));
  CHECK(lrt.signature(model, 0, &signature));
  CHECK(lrt.subgraph(signature, &subgraph));
  CHECK(lrt.count_inputs(subgraph, &input_count));
  CHECK(lrt.count_outputs(subgraph, &output_count));
  CHECK(lrt.count_operators(subgraph, &operators));
  if (input_count > MOST_TENSORS || output_count > MOST_TENSORS)
    fail("Failed to load model %s: it has more than %d inputs or outputs", graph, MOST_TENSORS);
  for (size_t i = 0; i < input_count; i++) {
    CHECK(lrt.input(subgraph, i, &tensor));
    CHECK(lrt.input_needs(compiled, 0, i, &needs));
    create_tensor(environment, tensor, needs, &inputs[i], &session->input[i]);
  }
  for (size_t i = 0; i < output_count; i++) {
    CHECK(lrt.output(subgraph, i, &tensor));
    CHECK(lrt.output_needs(compiled, 0, i, &needs));
    create_tensor(environment, tensor, needs, &outputs[i], &session->output[i]);
  }
  CHECK(lrt.fully_accelerated(compiled, &all));
  session->inputs = input_count;
  session->outputs = output_count;
  session->run = run;
  session->lock_inputs = lock_inputs;
  session->unlock_inputs = unlock_inputs;
  session->lock_outputs = lock_outputs;
  session->unlock_outputs = unlock_outputs;
  session->runtime = "litert";
  session->version = NULL;
  session->delegate = "xnnpack";
  session->fully_delegated = all;
  session->operators = (long)operators;
}
