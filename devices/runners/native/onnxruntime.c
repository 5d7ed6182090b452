/* ONNX Runtime through its C API, on the CPU execution provider.
 *
 * The API is a table of functions to which versions only append, so the place of a function is
 * part of its contract (onnxruntime_c_api.cc: "End of Version 1 - DO NOT MODIFY ABOVE"; places up
 * to 101). Everything used here is in version 1, hence no header is needed. */
#include <stdio.h>

#include "runner.h"

typedef void *handle;
typedef void *status; /* NULL is success */

struct api_base {
  const void *const *(*get_api)(uint32_t version);
  const char *(*version)(void);
};

enum {
  GET_ERROR_MESSAGE = 2,
  CREATE_ENV = 3,
  CREATE_SESSION = 7,
  RUN = 9,
  CREATE_SESSION_OPTIONS = 10,
  SET_INTRA_OP_THREADS = 24,
  SET_INTER_OP_THREADS = 25,
  SESSION_INPUT_COUNT = 30,
  SESSION_OUTPUT_COUNT = 31,
  SESSION_INPUT_TYPE = 33,
  SESSION_INPUT_NAME = 36,
  SESSION_OUTPUT_NAME = 37,
  CREATE_TENSOR = 48,
  TENSOR_DATA = 51,
  CAST_TYPE_TO_TENSOR = 55,
  ELEMENT_TYPE = 60,
  DIMENSION_COUNT = 61,
  DIMENSIONS = 62,
  ELEMENT_COUNT = 64,
  TENSOR_TYPE_AND_SHAPE = 65,
  DEFAULT_ALLOCATOR = 78,
};
enum { API_VERSION = 1, ERRORS_ONLY = 3, MOST_DIMENSIONS = 16 };

static struct {
  const char *(*message)(status);
  status (*create_env)(int, const char *, handle *);
  status (*create_session)(handle, const char *, handle, handle *);
  status (*run)(handle, handle, const char *const *, const handle *, size_t, const char *const *,
                size_t, handle *);
  status (*create_options)(handle *);
  status (*set_intra_op_threads)(handle, int);
  status (*set_inter_op_threads)(handle, int);
  status (*count_inputs)(handle, size_t *);
  status (*count_outputs)(handle, size_t *);
  status (*input_type)(handle, size_t, handle *);
  status (*input_name)(handle, size_t, handle, const char **);
  status (*output_name)(handle, size_t, handle, const char **);
  status (*create_tensor)(handle, const int64_t *, size_t, int, handle *);
  status (*data)(handle, void **);
  status (*cast_to_tensor)(handle, handle *);
  status (*element_type)(handle, int *);
  status (*count_dimensions)(handle, size_t *);
  status (*dimensions)(handle, int64_t *, size_t);
  status (*count_elements)(handle, size_t *);
  status (*type_and_shape)(handle, handle *);
  status (*default_allocator)(handle *);
} ort;

static handle opened, inputs[MOST_TENSORS], outputs[MOST_TENSORS];
static const char *input_names[MOST_TENSORS], *output_names[MOST_TENSORS];
static size_t input_count, output_count;

static void bind(const void *const *table) {
#define BIND(field, place) *(const void **)&ort.field = table[place]
  BIND(message, GET_ERROR_MESSAGE);
  BIND(create_env, CREATE_ENV);
  BIND(create_session, CREATE_SESSION);
  BIND(run, RUN);
  BIND(create_options, CREATE_SESSION_OPTIONS);
  BIND(set_intra_op_threads, SET_INTRA_OP_THREADS);
  BIND(set_inter_op_threads, SET_INTER_OP_THREADS);
  BIND(count_inputs, SESSION_INPUT_COUNT);
  BIND(count_outputs, SESSION_OUTPUT_COUNT);
  BIND(input_type, SESSION_INPUT_TYPE);
  BIND(input_name, SESSION_INPUT_NAME);
  BIND(output_name, SESSION_OUTPUT_NAME);
  BIND(create_tensor, CREATE_TENSOR);
  BIND(data, TENSOR_DATA);
  BIND(cast_to_tensor, CAST_TYPE_TO_TENSOR);
  BIND(element_type, ELEMENT_TYPE);
  BIND(count_dimensions, DIMENSION_COUNT);
  BIND(dimensions, DIMENSIONS);
  BIND(count_elements, ELEMENT_COUNT);
  BIND(type_and_shape, TENSOR_TYPE_AND_SHAPE);
  BIND(default_allocator, DEFAULT_ALLOCATOR);
#undef BIND
}

static void check(status code) {
  if (code) fail("Failed to load model %s: %s", graph_name, ort.message(code));
}

/* Numbers of ONNXTensorElementDataType. */
static void set_type(struct tensor *tensor, int element_type) {
  static const struct {
    int type;
    enum kind kind;
    size_t width;
  } types[] = {{1, KIND_FLOAT, 4},   {10, KIND_FLOAT16, 2}, {11, KIND_FLOAT, 8},
               {2, KIND_INTEGER, 1}, {3, KIND_INTEGER, 1},  {4, KIND_INTEGER, 2},
               {5, KIND_INTEGER, 2}, {6, KIND_INTEGER, 4},  {7, KIND_INTEGER, 8},
               {9, KIND_BOOL, 1},    {12, KIND_INTEGER, 4}, {13, KIND_INTEGER, 8}};
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    if (types[i].type == element_type) {
      tensor->kind = types[i].kind;
      tensor->width = types[i].width;
      return;
    }
  fail("Failed to load model %s: a tensor has type %d, not a number", graph_name, element_type);
}

static void describe(struct tensor *tensor, handle info) {
  int type;
  size_t elements;
  check(ort.element_type(info, &type));
  check(ort.count_elements(info, &elements));
  set_type(tensor, type);
  tensor->bytes = elements * tensor->width;
}

static void create_input(handle allocator, size_t i, struct tensor *tensor) {
  handle type, info;
  size_t rank;
  int element_type;
  int64_t dimensions[MOST_DIMENSIONS];
  check(ort.input_name(opened, i, allocator, &input_names[i]));
  check(ort.input_type(opened, i, &type));
  check(ort.cast_to_tensor(type, &info));
  if (!info) fail("Failed to load model %s: input %s is no tensor", graph_name, input_names[i]);
  check(ort.count_dimensions(info, &rank));
  if (rank > MOST_DIMENSIONS) fail("Failed to load model %s: rank %zu", graph_name, rank);
  check(ort.dimensions(info, dimensions, rank));
  for (size_t k = 0; k < rank; k++)
    if (dimensions[k] < 0)
      fail("Failed to load model %s: input %s has an open shape; export it with a fixed one",
           graph_name, input_names[i]);
  check(ort.element_type(info, &element_type));
  describe(tensor, info);
  check(ort.create_tensor(allocator, dimensions, rank, element_type, &inputs[i]));
  check(ort.data(inputs[i], &tensor->data));
}

/* The first run allocates the outputs, later ones write into the same. */
static void run(void) {
  status code = ort.run(opened, NULL, input_names, inputs, input_count, output_names, output_count,
                        outputs);
  if (code) fail("Failed to invoke: %s", ort.message(code));
}

static void nothing(struct session *session) { (void)session; }

static void lock_outputs(struct session *session) {
  for (size_t i = 0; i < output_count; i++) {
    handle info;
    check(ort.type_and_shape(outputs[i], &info));
    describe(&session->output[i], info);
    check(ort.data(outputs[i], &session->output[i].data));
  }
}

void open_onnxruntime(void *library, const char *graph, int threads, struct session *session) {
  handle environment, options, allocator;
  const struct api_base *(*base)(void) = NULL;
  *(void **)&base = symbol(library, "OrtGetApiBase");
  const void *const *table = base()->get_api(API_VERSION);
  if (!table) fail("Failed to load library: it has no version %d of its API", API_VERSION);
  bind(table);
  check(ort.create_env(ERRORS_ONLY, "edgezoo", &environment));
  check(ort.create_options(&options));
  check(ort.set_intra_op_threads(options, threads));
  check(ort.set_inter_op_threads(options, 1));
  check(ort.create_session(environment, graph, options, &opened));
  check(ort.default_allocator(&allocator));
  check(ort.count_inputs(opened, &input_count));
  check(ort.count_outputs(opened, &output_count));
  if (input_count > MOST_TENSORS || output_count > MOST_TENSORS)
    fail("Failed to load model %s: it has more than %d inputs or outputs", graph, MOST_TENSORS);
  for (size_t i = 0; i < input_count; i++) create_input(allocator, i, &session->input[i]);
  for (size_t i = 0; i < output_count; i++)
    check(ort.output_name(opened, i, allocator, &output_names[i]));
  session->inputs = input_count;
  session->outputs = output_count;
  session->run = run;
  session->lock_inputs = session->unlock_inputs = session->unlock_outputs = nothing;
  session->lock_outputs = lock_outputs;
  session->runtime = "onnxruntime";
  session->version = base()->version();
  session->delegate = "CPUExecutionProvider";
  session->fully_delegated = 1;
  session->operators = -1;
}
