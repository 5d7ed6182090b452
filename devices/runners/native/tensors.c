#include "tensors.h"

#include <math.h>
#include <string.h>

/* splitmix64 (Steele, Lea and Flood, 2014): element `index` of the stream that `seed` names. */
static uint64_t draw(uint64_t seed, uint64_t index) {
  uint64_t x = seed + (index + 1) * UINT64_C(0x9E3779B97F4A7C15);
  x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
  x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
  return x ^ (x >> 31);
}

/* Twice the sum of three uniform 16-bit numbers, around 0: nearly normal with a standard deviation
 * of 65536, so that dividing by it is exact on every machine. */
static int32_t centred_sum(uint64_t x) {
  uint32_t sum = (x & 0xFFFF) + (x >> 16 & 0xFFFF) + (x >> 32 & 0xFFFF);
  return 2 * (int32_t)sum - 3 * 65535;
}

/* `value` is a multiple of 1/256 below 4 in size, which a half holds exactly. */
static uint16_t exact_half(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  if (value == 0) return 0;
  uint32_t exponent = (bits >> 23 & 0xFF) - 127 + 15;
  return (uint16_t)(bits >> 16 & 0x8000) | (uint16_t)(exponent << 10) |
         (uint16_t)(bits >> 13 & 0x3FF);
}

static void put(const struct tensor *tensor, size_t i, uint64_t x) {
  char *place = (char *)tensor->data + i * tensor->width;
  if (tensor->kind == KIND_FLOAT16) {
    uint16_t half = exact_half((float)(centred_sum(x) >> 8) / 256.0f);
    memcpy(place, &half, sizeof half);
  } else if (tensor->kind == KIND_FLOAT) {
    float value = (float)centred_sum(x) / 65536.0f;
    double wide = value;
    memcpy(place, tensor->width == 4 ? (void *)&value : (void *)&wide, tensor->width);
  } else {
    /* Small integers over their whole range; wider ones are indices more often than not. */
    int whole_range = tensor->kind == KIND_INTEGER && tensor->width <= 2;
    uint64_t value = whole_range ? x : x >> 63;
    for (size_t byte = 0; byte < tensor->width; byte++) place[byte] = (char)(value >> 8 * byte);
  }
}

void fill_inputs(struct session *session, uint64_t seed) {
  uint64_t index = 0;
  session->lock_inputs(session);
  for (size_t t = 0; t < session->inputs; t++) {
    const struct tensor *tensor = &session->input[t];
    for (size_t i = 0; i < tensor->bytes / tensor->width; i++) put(tensor, i, draw(seed, index++));
  }
  session->unlock_inputs(session);
}

static int is_finite(const struct tensor *tensor, size_t i) {
  const char *place = (const char *)tensor->data + i * tensor->width;
  if (tensor->kind == KIND_FLOAT16) {
    uint16_t half;
    memcpy(&half, place, sizeof half);
    return (half & 0x7C00) != 0x7C00;
  }
  if (tensor->width == 4) {
    float value;
    memcpy(&value, place, sizeof value);
    return isfinite(value);
  }
  double value;
  memcpy(&value, place, sizeof value);
  return isfinite(value);
}

size_t count_non_finite(const struct tensor *tensor) {
  size_t count = 0;
  if (tensor->kind != KIND_FLOAT && tensor->kind != KIND_FLOAT16) return 0;
  for (size_t i = 0; i < tensor->bytes / tensor->width; i++) count += !is_finite(tensor, i);
  return count;
}

uint64_t fingerprint(const struct tensor *tensor) {
  uint64_t hash = UINT64_C(0xCBF29CE484222325);
  for (size_t i = 0; i < tensor->bytes; i++)
    hash = (hash ^ ((const unsigned char *)tensor->data)[i]) * UINT64_C(0x100000001B3);
  return hash;
}
