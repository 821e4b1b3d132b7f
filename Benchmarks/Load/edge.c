// Danube's edge service to the sink: it takes every topic, and acknowledges every batch.
#include "fields.h"
#include "sink.h"

enum { largest_batch = 4 * 1024 * 1024 };

size_t sink_register(const unsigned char *message, size_t count, unsigned char *out, size_t room) {
  const unsigned char *at = message, *end = message + count;
  struct field field;
  size_t length = write_number(out, 1, 1);
  length += write_number(out + length, 3, 1);
  while (next_field(&at, end, &field) > 0) {
    if (field.number != 2) continue;
    struct field topic = find_field(field.bytes, field.count, 1);
    unsigned char result[300];
    if (topic.count > 256 || length + topic.count + 16 > room) return 0;
    size_t bytes = write_bytes(result, 1, topic.bytes, topic.count);
    length += write_bytes(out + length, 4, result, bytes);
  }
  return length;
}

size_t sink_heartbeat(unsigned char *out) { return write_number(out, 2, 1); }

void sink_batch(
    struct bench_sink *sink, struct sink_connection *connection, struct sink_stream *stream,
    const unsigned char *message, size_t count) {
  const unsigned char *at = message, *end = message + count;
  struct field field, topic = {0};
  uint64_t last = 0, request = 0, records = 0;
  int state;
  while ((state = next_field(&at, end, &field)) > 0) {
    if (field.number == 1) topic = field;
    if (field.number == 3) last = field.value;
    if (field.number != 2) continue;
    records++;
    sink_record(sink, field.bytes, field.count, &request);
  }
  if (state < 0 || records == 0 || last == 0 || topic.count == 0 || topic.count > 256 ||
      count > largest_batch) {
    sink_wrong(sink, "a batch of %zu bytes that no broker takes", count);
    return;
  }
  sink->counts.batches++;
  unsigned char ack[300];
  size_t length = write_bytes(ack, 1, topic.bytes, topic.count);
  length += write_number(ack + length, 2, last);
  sink_stream_message(connection, stream, ack, length);
}
