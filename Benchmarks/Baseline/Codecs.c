// The least that reading a message and answering it can take.
#define _GNU_SOURCE
#include "Baseline.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

double baseline_seconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

// A variable byte integer of at most four bytes; moves `at` behind it.
static uint32_t variable(const uint8_t **at, const uint8_t *end) {
  uint32_t value = 0;
  for (int shift = 0; *at < end && shift < 28; shift += 7) {
    uint8_t byte = *(*at)++;
    value |= (uint32_t)(byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  return value;
}

static size_t mqtt_block(
    const uint8_t *at, const uint8_t *end, int version, uint8_t *answer,
    struct baseline_codec_result *result) {
  size_t used = 0;
  while (end - at >= 2) {
    if (*at++ >> 4 != 3) break;
    uint32_t length = variable(&at, end);
    if (length < 4 || length > (size_t)(end - at)) break;
    const uint8_t *packet_end = at + length;
    uint32_t topic = (uint32_t)at[0] << 8 | at[1];
    if (topic + 4 > length) break;
    at += 2 + topic;
    uint8_t ack[4] = {0x40, 2, at[0], at[1]};
    memcpy(answer + used, ack, 4);
    used += 4;
    at += 2;
    if (version == 5) {
      uint32_t properties = variable(&at, packet_end);
      if (properties > (size_t)(packet_end - at)) break;
      at += properties;
    }
    result->payload_bytes += (uint64_t)(packet_end - at);
    at = packet_end;
  }
  return used;
}

void baseline_mqtt(
    const uint8_t *bytes, size_t count, int version, uint32_t per_block, double seconds,
    struct baseline_codec_result *result) {
  memset(result, 0, sizeof *result);
  uint8_t *answer = malloc(4 * (size_t)per_block);
  double began = baseline_seconds();
  do {
    for (int block = 0; block < 256; block++) {
      size_t used = mqtt_block(bytes, bytes + count, version, answer, result);
      result->messages += used / 4;
      for (size_t at = 0; at < used; at += 4)
        result->wrong += ((size_t)answer[at + 2] << 8 | answer[at + 3]) != at / 4 + 1;
      __asm__ volatile("" ::: "memory");
    }
  } while (baseline_seconds() - began < seconds);
  free(answer);
}

static const char accepted[] = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";

static size_t http_block(
    const uint8_t *at, const uint8_t *end, uint8_t *answer,
    struct baseline_codec_result *result) {
  size_t used = 0;
  while (at < end) {
    size_t body = 0;
    while (1) {
      const uint8_t *line = memchr(at, '\n', (size_t)(end - at));
      if (line == NULL) return used;
      size_t length = (size_t)(line - at);
      if (length <= 1) {
        at = line + 1;
        break;
      }
      if ((*at == 'C' || *at == 'c') && length > 16 &&
          strncasecmp((const char *)at, "content-length: ", 16) == 0)
        body = strtoul((const char *)at + 16, NULL, 10);
      at = line + 1;
    }
    if (body > (size_t)(end - at)) return used;
    result->payload_bytes += body;
    at += body;
    memcpy(answer + used, accepted, sizeof accepted - 1);
    used += sizeof accepted - 1;
  }
  return used;
}

void baseline_http(
    const uint8_t *bytes, size_t count, double seconds, struct baseline_codec_result *result) {
  memset(result, 0, sizeof *result);
  uint8_t *answer = malloc(count * 4);
  double began = baseline_seconds();
  do {
    for (int block = 0; block < 64; block++) {
      result->messages += http_block(bytes, bytes + count, answer, result) / (sizeof accepted - 1);
      __asm__ volatile("" ::: "memory");
    }
  } while (baseline_seconds() - began < seconds);
  free(answer);
}

struct entry {
  uint64_t hash;
  uint32_t start, length, value;
};

static uint64_t fnv(const uint8_t *bytes, size_t count) {
  uint64_t hash = 0xcbf29ce484222325;
  for (size_t index = 0; index < count; index++) hash = (hash ^ bytes[index]) * 0x100000001b3;
  return hash;
}

void baseline_routes(
    const uint8_t *texts, const uint32_t *ends, const uint32_t *values, uint32_t count,
    double seconds, struct baseline_codec_result *result) {
  memset(result, 0, sizeof *result);
  size_t places = 16;
  while (places < 2 * (size_t)count) places *= 2;
  struct entry *table = calloc(places, sizeof *table);
  for (uint32_t index = 0; index < count; index++) {
    uint32_t start = index == 0 ? 0 : ends[index - 1];
    struct entry entry = {fnv(texts + start, ends[index] - start), start, ends[index] - start,
                          values[index]};
    size_t place = entry.hash & (places - 1);
    while (table[place].length != 0) place = (place + 1) & (places - 1);
    table[place] = entry;
  }
  double began = baseline_seconds();
  uint64_t next = 0;
  do {
    for (int look = 0; look < 65536; look++) {
      uint32_t index = (uint32_t)(next % count);
      next += 7919;
      uint32_t start = index == 0 ? 0 : ends[index - 1], length = ends[index] - start;
      uint64_t hash = fnv(texts + start, length);
      size_t place = hash & (places - 1);
      while (table[place].length != 0 &&
             (table[place].hash != hash || table[place].length != length ||
              memcmp(texts + table[place].start, texts + start, length) != 0))
        place = (place + 1) & (places - 1);
      result->wrong += table[place].length == 0 || table[place].value != values[index];
    }
    result->messages += 65536;
  } while (baseline_seconds() - began < seconds);
  free(table);
}
