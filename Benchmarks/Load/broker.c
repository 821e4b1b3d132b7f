// What Danube's methods mean to the sink: the messages are those of docs on Danube's protocol,
// read and written by hand.
#include <stdio.h>

#include "sink.h"

struct field {
  uint32_t number;
  uint64_t value;
  const unsigned char *bytes;
  size_t count;
};

static int read_varint(const unsigned char **at, const unsigned char *end, uint64_t *value) {
  *value = 0;
  for (int shift = 0; shift < 64 && *at < end; shift += 7) {
    unsigned char byte = *(*at)++;
    *value |= (uint64_t)(byte & 0x7f) << shift;
    if (byte < 0x80) return 1;
  }
  return 0;
}

// The next field; 0 at the end, -1 when it is malformed.
static int next_field(const unsigned char **at, const unsigned char *end, struct field *field) {
  if (*at == end) return 0;
  uint64_t tag;
  if (!read_varint(at, end, &tag)) return -1;
  field->number = (uint32_t)(tag >> 3);
  switch (tag & 7) {
    case 0: return read_varint(at, end, &field->value) ? 1 : -1;
    case 2:
      if (!read_varint(at, end, &field->value)) return -1;
      if (field->value > (uint64_t)(end - *at)) return -1;
      field->bytes = *at;
      field->count = (size_t)field->value;
      *at += field->count;
      return 1;
    default: return -1;
  }
}

static size_t write_varint(unsigned char *out, uint64_t value) {
  size_t count = 0;
  for (; value > 127; value >>= 7) out[count++] = (unsigned char)(value | 0x80);
  out[count++] = (unsigned char)value;
  return count;
}

static size_t write_number(unsigned char *out, int field, uint64_t value) {
  out[0] = (unsigned char)(field << 3);
  return 1 + write_varint(out + 1, value);
}

static size_t write_bytes(unsigned char *out, int field, const void *bytes, size_t count) {
  out[0] = (unsigned char)(field << 3 | 2);
  size_t start = 1 + write_varint(out + 1, count);
  memcpy(out + start, bytes, count);
  return start + count;
}

static void check(struct bench_sink *sink, const struct record *record, uint64_t now) {
  uint64_t *next = &sink->next[record->client];
  sink->counts.records++;
  sink->counts.last_ns = now;
  bench_histogram_add(sink->latencies, now > record->due ? now - record->due : 0);
  if (record->sequence == *next) {
    *next += 1;
  } else if (record->sequence < *next) {
    sink->counts.duplicates++;
    if (sink->problem[0] == 0) {
      snprintf(
          sink->problem, sizeof sink->problem, "record %llu of client %u came again",
          (unsigned long long)record->sequence, record->client);
    }
  } else {
    if (sink->counts.gaps++ == 0) {
      snprintf(
          sink->problem, sizeof sink->problem, "record %llu of client %u came before %llu",
          (unsigned long long)record->sequence, record->client, (unsigned long long)*next);
    }
    // One that is missing is one gap, not as many as follow.
    *next = record->sequence + 1;
  }
}

void sink_record(
    struct bench_sink *sink, const unsigned char *bytes, size_t count, uint64_t *request) {
  const unsigned char *end = bytes + count;
  struct field field, payload = {0}, key = {0};
  int state, has_id = 0;
  while ((state = next_field(&bytes, end, &field)) > 0) {
    if (field.number == 1) *request = field.value;
    if (field.number == 2) has_id = 1;
    if (field.number == 3) payload = field;
    if (field.number == 10) key = field;
  }
  struct record record;
  if (state < 0 || !has_id || payload.bytes == NULL ||
      !record_read(payload.bytes, payload.count, &record) || record.client >= sink->clients) {
    sink_wrong(sink, "a record of %zu bytes has another content than was sent", payload.count);
    return;
  }
  if (sink->keyed) {
    char expected[24];
    unsigned rest = record.client;
    expected[0] = 'c';
    for (int digit = 6; digit > 0; digit--, rest /= 10) expected[digit] = (char)('0' + rest % 10);
    if (key.count != 7 || memcmp(key.bytes, expected, 7) != 0) {
      sink_wrong(sink, "a record of client %u has another key", record.client);
      return;
    }
  }
  // The faults stand here, in front of the checks that have to find them.
  int repeats = 1;
  if (sink->plant != bench_plant_none && !sink->is_planted && ++sink->seen == 100) {
    sink->is_planted = 1;
    if (sink->plant == bench_plant_lost) repeats = 0;
    if (sink->plant == bench_plant_duplicate) repeats = 2;
  }
  uint64_t now = bench_now();
  for (; repeats > 0; repeats--) check(sink, &record, now);
}

// The string of a field, the one that stands last.
static struct field string_field(const unsigned char *bytes, size_t count, uint32_t number) {
  const unsigned char *end = bytes + count;
  struct field field, found = {.bytes = bytes};
  while (next_field(&bytes, end, &field) > 0) {
    if (field.number == number) found = field;
  }
  return found;
}

void sink_call(
    struct bench_sink *sink, struct sink_connection *connection, uint32_t stream,
    enum sink_method method, const unsigned char *message, size_t count) {
  unsigned char answer[1024];
  size_t length = 0;
  uint64_t request = 0;
  if (method == sink_send_message) {
    sink_record(sink, message, count, &request);
  } else {
    request = string_field(message, count, 1).value;
  }
  switch (method) {
    case sink_send_message: length = write_number(answer, 1, request); break;
    case sink_create_producer: {
      struct field name = string_field(message, count, 2);
      if (name.count > 256) name.count = 256;
      length = write_number(answer, 1, request);
      length += write_number(answer + length, 2, ++sink->producers);
      length += write_bytes(answer + length, 3, name.bytes, name.count);
      break;
    }
    case sink_topic_lookup: {
      char url[64];
      int bytes = snprintf(url, sizeof url, "http://127.0.0.1:%u", sink->port);
      length = write_number(answer, 3, request);
      length += write_number(answer + length, 4, 1);
      length += write_bytes(answer + length, 5, url, (size_t)bytes);
      length += write_bytes(answer + length, 6, url, (size_t)bytes);
      break;
    }
    case sink_topic_partitions: {
      struct field topic = string_field(message, count, 2);
      if (topic.count > 256) topic.count = 256;
      length = write_number(answer, 1, request);
      length += write_bytes(answer + length, 2, topic.bytes, topic.count);
      break;
    }
    case sink_health_check: break;
    case sink_unknown: sink_wrong(sink, "a call of a method that the sink does not know"); break;
  }
  sink_answer(connection, stream, answer, length);
}
