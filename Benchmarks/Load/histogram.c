#include <stdlib.h>
#include <string.h>

#include "BenchLoad.h"

enum { step_bits = 7, steps = 1 << step_bits, places = (64 - step_bits + 1) * steps };

struct bench_histogram {
  uint64_t count, longest;
  uint64_t counts[places];
};

// Below 2 * `steps` a place a value; above, `steps` places for each power of two.
static unsigned place_of(uint64_t value) {
  if (value < 2 * steps) return (unsigned)value;
  unsigned shift = 63u - (unsigned)__builtin_clzll(value) - step_bits;
  return shift * steps + (unsigned)(value >> shift);
}

// The largest value of a place.
static uint64_t value_of(unsigned place) {
  if (place < 2 * steps) return place;
  unsigned shift = place / steps - 1;
  return (((uint64_t)(place - shift * steps) + 1) << shift) - 1;
}

bench_histogram *bench_histogram_new(void) {
  bench_histogram *histogram = calloc(1, sizeof *histogram);
  if (histogram == NULL) abort();
  return histogram;
}

void bench_histogram_free(bench_histogram *histogram) { free(histogram); }

void bench_histogram_reset(bench_histogram *histogram) { memset(histogram, 0, sizeof *histogram); }

void bench_histogram_add(bench_histogram *histogram, uint64_t nanoseconds) {
  histogram->counts[place_of(nanoseconds)]++;
  histogram->count++;
  if (nanoseconds > histogram->longest) histogram->longest = nanoseconds;
}

uint64_t bench_histogram_count(const bench_histogram *histogram) { return histogram->count; }

uint64_t bench_histogram_at(const bench_histogram *histogram, double fraction) {
  if (fraction >= 1 || histogram->count == 0) return histogram->longest;
  double exact = fraction * (double)histogram->count;
  uint64_t wanted = (uint64_t)exact;
  if ((double)wanted < exact || wanted == 0) wanted++;
  uint64_t passed = 0;
  for (unsigned place = 0; place < places; place++) {
    passed += histogram->counts[place];
    if (passed >= wanted) {
      uint64_t value = value_of(place);
      return value < histogram->longest ? value : histogram->longest;
    }
  }
  return histogram->longest;
}

uint64_t bench_histogram_next(
    const bench_histogram *histogram, uint32_t *place, uint64_t *value) {
  while (*place < places) {
    uint32_t here = (*place)++;
    uint64_t highest = value_of(here);
    *value = highest < histogram->longest ? highest : histogram->longest;
    if (histogram->counts[here] > 0) return histogram->counts[here];
  }
  return 0;
}
