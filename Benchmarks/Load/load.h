// What the parts of a load generator share.
#pragma once
#include <features.h>

#include "../Baseline/ring.h"
#include "BenchLoad.h"
#include "record.h"

struct client {
  int fd;
  uint32_t number;
  // Sequences: to be sent by now (open loop), sent, answered.
  uint64_t due, sent, answered;
  // Messages are written to `fill` while the kernel sends `flight`.
  unsigned char *fill, *flight;
  size_t fill_count;
  // When each unanswered message was to be sent, by sequence and `time_mask`.
  uint64_t *times;
  // The beginning of an answer that has not come whole.
  unsigned char held[1024];
  size_t held_count;
  int is_sending, is_dirty, is_accepted, is_closed;
};

struct bench_load {
  bench_load_options options;
  struct bare_ring ring;
  struct client *clients;
  struct client **dirty;
  size_t dirty_count;
  size_t message_bytes, buffer_bytes;
  // What stands before the payload, the same in all messages but for `mark_offset`: the packet id
  // or the client's number.
  unsigned char head[256];
  size_t head_bytes, mark_offset;
  uint64_t time_mask;
  // Open loop: the messages whose time has come, and when the first one's was.
  uint64_t scheduled, schedule_start;
  uint64_t now, last_answer, open_count;
  uint32_t accepted_count;
  int is_sending, is_planted;
  bench_load_counts counts;
  bench_histogram *latencies;
  char problem[160];
};

// Prepares the head of messages.
void load_prepare(struct bench_load *load);
// Writes one message of `message_bytes`.
void load_write_message(
    const struct bench_load *load, unsigned char *bytes, uint32_t client, uint64_t sequence,
    uint64_t due);
// What a connection says first; its length, 0 for nothing.
size_t load_write_greeting(
    const bench_load_options *options, unsigned char *bytes, uint32_t client);
// Takes whole answers and reports each; the bytes taken.
size_t load_take_answers(
    struct bench_load *load, struct client *client, const unsigned char *bytes, size_t count);

// An answer came: MQTT's packet id or HTTP's status.
void load_answered(struct bench_load *load, struct client *client, unsigned value);
// A connection was accepted by the gateway.
void load_accepted(struct bench_load *load, struct client *client);
// What came is no answer.
void load_unexpected(struct bench_load *load, struct client *client, const char *what);
