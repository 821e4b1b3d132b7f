// One thread that accepts, receives and answers; what is in the bytes is the protocol's business.
#pragma once
#include <stddef.h>

struct bare_answer {
  size_t taken;  // Bytes of the input that were whole requests.
  size_t written;  // Bytes of answers.
  int failed;
};

// Takes whole requests of `bytes` and writes their answers to `out`, as far as they fit.
typedef struct bare_answer (*bare_protocol)(
    const unsigned char *bytes, size_t count, unsigned char *out, size_t capacity);

int bare_serve(bare_protocol protocol);
