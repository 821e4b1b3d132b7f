#include "record.h"

#include <stdlib.h>

const unsigned char *record_pattern(void) {
  static unsigned char *pattern;
  unsigned char *known = __atomic_load_n(&pattern, __ATOMIC_ACQUIRE);
  if (known != NULL) return known;
  unsigned char *made = malloc(record_pattern_bytes);
  if (made == NULL) abort();
  uint64_t state = 0x9e3779b97f4a7c15u;
  for (size_t index = 0; index < record_pattern_bytes; index++) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    // Half of it is text that repeats, as sensors' messages do.
    made[index] = index % 32 < 16 ? (unsigned char)"\"temperature\":21"[index % 16]
                                  : (unsigned char)state;
  }
  unsigned char *expected = NULL;
  if (__atomic_compare_exchange_n(
          &pattern, &expected, made, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
    return made;
  }
  free(made);
  return expected;
}
