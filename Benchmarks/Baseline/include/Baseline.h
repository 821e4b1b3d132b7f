// Bare C beside which the gateway's parts are measured: the same work, with nothing around it.
#pragma once
#include <sched.h>
#include <stddef.h>
#include <stdint.h>

#include "BareServers.h"

// MARK: Heap

// Calls to malloc, calloc, realloc and the aligned ones in this process so far.
uint64_t baseline_heap_calls(void);

// MARK: Waiting

static inline void baseline_pause(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static inline void baseline_yield(void) { sched_yield(); }

static inline void baseline_spin(int rounds) {
  for (int i = 0; i < rounds; i++) baseline_pause();
}

// MARK: Ring

// Numbers 0 … count-1 from one thread to another through a ring of `capacity` (a power of two);
// how many came, or -1 when it did not start or their order was lost.
int64_t baseline_ring(int64_t capacity, int64_t count);

// MARK: Spool

// Records that differ, one after the other, each with room for a number.
struct baseline_spool_records {
  uint8_t *pool;
  uint32_t count, byte_count, number_offset;
};

struct baseline_spool_result {
  uint64_t records, syncs, system_calls;
};

// Appends numbered records to a new file: blocks of 256 KiB, LZ4, CRC-32C, pwrite, and an fdatasync
// whenever the one before is over, on a second thread, as the gateway has it by the kernel's ring.
// For so many seconds, or until there are `count` records. 0 or an error number.
int baseline_spool_append(
    const char *path, struct baseline_spool_records records, double seconds, uint64_t count,
    struct baseline_spool_result *result);

// Reads the file back and compares every record. 0 or an error number, EBADMSG for wrong bytes.
int baseline_spool_replay(
    const char *path, struct baseline_spool_records records,
    struct baseline_spool_result *result);

// Reads the last 4 KiB of every file of a folder; how many files, or a negative error number.
int baseline_read_ends(const char *folder);

// Lets the kernel forget what it holds of a folder's files.
void baseline_drop_cache(const char *folder);

// MARK: Codecs

// What a codec counted.
struct baseline_codec_result {
  uint64_t messages, payload_bytes, wrong;
};

// Reads blocks of `per_block` MQTT PUBLISH packets with QoS 1 (`version` 4: MQTT 3.1.1, 5: 5.0) and
// writes their PUBACKs, for so many seconds: packet length, topic length, identifier, nothing
// else. The identifiers written are compared with 1 … per_block.
void baseline_mqtt(
    const uint8_t *bytes, size_t count, int version, uint32_t per_block, double seconds,
    struct baseline_codec_result *result);

// Reads blocks of HTTP/1.1 requests with Content-Length and writes a 202 to each, for so many
// seconds: lines, names of fields where they may be that one, nothing else.
void baseline_http(
    const uint8_t *bytes, size_t count, double seconds, struct baseline_codec_result *result);

// MARK: Routes

// Looks topics up in a table of whole topics (FNV-1a, open addressing), `count` of them, one after
// the other in `texts`, ends in `ends`; the value of each is in `values`. For so many seconds.
// Nothing but exact topics: no levels, no wildcards.
void baseline_routes(
    const uint8_t *texts, const uint32_t *ends, const uint32_t *values, uint32_t count,
    double seconds, struct baseline_codec_result *result);

// Seconds on the monotonic clock.
double baseline_seconds(void);
