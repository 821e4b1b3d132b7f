// What every message of the bench carries, so that whoever gets it can check all of it:
//
//     offset  bytes
//     0       4      client number
//     4       4      payload bytes, these included
//     8       8      sequence of the client
//     16      8      when it was to be sent, nanoseconds of the monotonic clock
//     24      …      a run of the pattern that client and sequence choose
#pragma once
#include <stdint.h>
#include <string.h>

#include "BenchLoad.h"

enum { record_pattern_bytes = 4 * 1024 * 1024 + 4096 };

// Half noise, half text that repeats: neither all nor nothing of it can be compressed.
const unsigned char *record_pattern(void);

static inline const unsigned char *record_filler(uint32_t client, uint64_t sequence) {
  return record_pattern() + ((client * 131u + sequence * 17u) & 4095u);
}

static inline void record_write(
    unsigned char *bytes, uint32_t client, uint32_t count, uint64_t sequence, uint64_t due) {
  memcpy(bytes, &client, 4);
  memcpy(bytes + 4, &count, 4);
  memcpy(bytes + 8, &sequence, 8);
  memcpy(bytes + 16, &due, 8);
  memcpy(bytes + 24, record_filler(client, sequence), count - 24);
}

struct record {
  uint32_t client;
  uint64_t sequence, due;
};

// Whether these bytes are a record as it was written.
static inline int record_read(const unsigned char *bytes, size_t count, struct record *record) {
  uint32_t written;
  if (count < bench_record_smallest) return 0;
  memcpy(&record->client, bytes, 4);
  memcpy(&written, bytes + 4, 4);
  memcpy(&record->sequence, bytes + 8, 8);
  memcpy(&record->due, bytes + 16, 8);
  if (written != count) return 0;
  return memcmp(bytes + 24, record_filler(record->client, record->sequence), count - 24) == 0;
}
