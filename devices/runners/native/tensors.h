/* Seeded inputs, and what is looked at in outputs. */
#ifndef EDGEZOO_TENSORS_H
#define EDGEZOO_TENSORS_H

#include "runner.h"

/* Fills the inputs; devices/runners/inputs.py makes the same bytes. */
void fill_inputs(struct session *, uint64_t seed);
/* Returns how many values of a float tensor are NaN or infinite, 0 for other kinds. */
size_t count_non_finite(const struct tensor *);
/* Returns the 64-bit FNV-1a hash of the bytes. */
uint64_t fingerprint(const struct tensor *);

#endif
