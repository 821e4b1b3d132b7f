// What Danube's methods mean to the sink: the messages are those of docs on Danube's protocol,
// read and written by hand.
#include <stdio.h>

#include "fields.h"
#include "sink.h"

static void check(struct bench_sink *sink, const struct record *record, uint64_t now) {
  uint64_t *next = &sink->next[record->client];
  sink->counts.records++;
  sink->counts.last_ns = now;
  if (sink->counts.first_ns == 0) sink->counts.first_ns = now;
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
  sink->counts.bytes += count;
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

void sink_call(
    struct bench_sink *sink, struct sink_connection *connection, uint32_t stream,
    enum sink_method method, const unsigned char *message, size_t count) {
  unsigned char answer[1024];
  size_t length = 0;
  uint64_t request = 0;
  if (method == sink_send_message) {
    sink_record(sink, message, count, &request);
  } else {
    request = find_field(message, count, 1).value;
  }
  switch (method) {
    case sink_send_message: length = write_number(answer, 1, request); break;
    case sink_create_producer: {
      struct field name = find_field(message, count, 2);
      if (name.count > 256) name.count = 256;
      length = write_number(answer, 1, request);
      length += write_number(answer + length, 2, ++sink->producers);
      length += write_bytes(answer + length, 3, name.bytes, name.count);
      break;
    }
    case sink_topic_lookup: {
      char url[64];
      int port = __atomic_load_n(&sink->advertised_port, __ATOMIC_ACQUIRE);
      int bytes = snprintf(
          url, sizeof url, "%s://127.0.0.1:%d", connection->session ? "https" : "http",
          port ? port : sink->port);
      length = write_number(answer, 3, request);
      length += write_number(answer + length, 4, 1);
      length += write_bytes(answer + length, 5, url, (size_t)bytes);
      length += write_bytes(answer + length, 6, url, (size_t)bytes);
      break;
    }
    case sink_topic_partitions: {
      struct field topic = find_field(message, count, 2);
      if (topic.count > 256) topic.count = 256;
      length = write_number(answer, 1, request);
      length += write_bytes(answer + length, 2, topic.bytes, topic.count);
      break;
    }
    case sink_health_check: break;
    case sink_register_edge:
      length = sink_register(message, count, answer, sizeof answer);
      if (length == 0) sink_wrong(sink, "a registration of %zu bytes", count);
      break;
    case sink_edge_heartbeat: length = sink_heartbeat(answer); break;
    case sink_replicate_data: sink_wrong(sink, "a stream of batches that ended at once"); break;
    case sink_unknown: sink_wrong(sink, "a call of a method that the sink does not know"); break;
  }
  sink_answer(connection, stream, answer, length);
}
