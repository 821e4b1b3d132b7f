// The messages of Danube's protocol that bare callers of SendMessage write, each with its gRPC
// prefix.
#pragma once
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "record.h"

// Room that a message needs beside its payload.
enum { message_room = 512 };

// What the broker calls the producer; the sink does not look at it.
static uint64_t message_producer_id = 1;

static inline size_t message_varint(unsigned char *out, uint64_t value) {
  size_t count = 0;
  for (; value > 127; value >>= 7) out[count++] = (unsigned char)(value | 0x80);
  out[count++] = (unsigned char)value;
  return count;
}

static inline size_t message_bytes(
    unsigned char *out, int field, const void *bytes, size_t count) {
  out[0] = (unsigned char)(field << 3 | 2);
  size_t start = 1 + message_varint(out + 1, count);
  memcpy(out + start, bytes, count);
  return start + count;
}

static inline size_t message_finish(unsigned char *message, size_t count) {
  size_t length = count - 5;
  unsigned char prefix[5] = {
      0, (unsigned char)(length >> 24), (unsigned char)(length >> 16),
      (unsigned char)(length >> 8), (unsigned char)length};
  memcpy(message, prefix, 5);
  return count;
}

// When the record was to be sent is `due`, or now where that is 0.
// A StreamMessage as the gateway sends it: request_id, msg_id, payload, publish_time,
// producer_name, routing_key.
static inline size_t message_record(
    unsigned char *out, uint32_t client, uint32_t payload_bytes, uint64_t sequence,
    uint64_t request, uint64_t due) {
  static const char topic[] = "/default/bench", producer[] = "bench-publisher";
  unsigned char id[64];
  size_t count = 5, id_count;
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  uint64_t now = (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
  out[count++] = 0x08;
  count += message_varint(out + count, request);
  id[0] = 0x08;
  id_count = 1 + message_varint(id + 1, message_producer_id);
  id_count += message_bytes(id + id_count, 2, topic, sizeof topic - 1);
  count += message_bytes(out + count, 2, id, id_count);
  out[count++] = 0x1a;
  count += message_varint(out + count, payload_bytes);
  record_write(out + count, client, payload_bytes, sequence, due ? due : now);
  count += payload_bytes;
  out[count++] = 0x20;
  count += message_varint(out + count, now / 1000000u);
  count += message_bytes(out + count, 5, producer, sizeof producer - 1);
  char key[16];
  snprintf(key, sizeof key, "c%06u", client % 1000000);
  count += message_bytes(out + count, 10, key, 7);
  return message_finish(out, count);
}

static inline size_t message_producer(unsigned char *out) {
  size_t count = 5;
  count += message_bytes(out + count, 2, "bench-publisher", 15);
  count += message_bytes(out + count, 3, "/default/bench", 14);
  // Reliable: the dispatch strategy of topics that gateways make.
  out[count++] = 0x30;
  out[count++] = 1;
  return message_finish(out, count);
}
