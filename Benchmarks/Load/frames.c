// HTTP/2 (RFC 9113) as far as a gRPC client of unary calls needs it. Raw frames, so that a call
// costs the sink less than the one that makes it; field sections are read by the library.
#include <stdio.h>
#include <stdlib.h>

#include "sink.h"

enum { frame_data, frame_headers, frame_priority, frame_reset, frame_settings, frame_push,
       frame_ping, frame_goaway, frame_window, frame_continuation };
enum { flag_end_stream = 1, flag_ack = 1, flag_end_headers = 4, flag_padded = 8,
       flag_priority = 32 };
enum { tell_after = 8 * 1024 * 1024, tell_stream_after = 1024 * 1024 };

static void append_header(
    struct sink_connection *connection, size_t count, int type, int flags, uint32_t stream) {
  unsigned char header[9] = {
      (unsigned char)(count >> 16), (unsigned char)(count >> 8), (unsigned char)count,
      (unsigned char)type, (unsigned char)flags, (unsigned char)(stream >> 24),
      (unsigned char)(stream >> 16), (unsigned char)(stream >> 8), (unsigned char)stream};
  sink_append(connection, header, sizeof header);
}

void sink_append(struct sink_connection *connection, const void *bytes, size_t count) {
  if (connection->out_count + count > connection->out_capacity) {
    connection->out_capacity = (connection->out_count + count) * 2;
    connection->out = realloc(connection->out, connection->out_capacity);
    if (connection->out == NULL) abort();
  }
  memcpy(connection->out + connection->out_count, bytes, count);
  connection->out_count += count;
}

static void append_window(
    struct sink_connection *connection, uint32_t stream, uint32_t bytes) {
  unsigned char payload[4] = {
      (unsigned char)(bytes >> 24), (unsigned char)(bytes >> 16), (unsigned char)(bytes >> 8),
      (unsigned char)bytes};
  append_header(connection, 4, frame_window, 0, stream);
  sink_append(connection, payload, 4);
}

void sink_greet(struct sink_connection *connection) {
  // MAX_CONCURRENT_STREAMS 4,096, INITIAL_WINDOW_SIZE 8 MiB: above what a message may have.
  static const unsigned char settings[] = {0, 3, 0, 0, 16, 0, 0, 4, 0, 128, 0, 0};
  append_header(connection, sizeof settings, frame_settings, 0, 0);
  sink_append(connection, settings, sizeof settings);
  append_window(connection, 0, 1u << 30);
}

static void append_message(
    struct sink_connection *connection, uint32_t stream, const unsigned char *message,
    size_t count) {
  unsigned char prefix[5] = {
      0, (unsigned char)(count >> 24), (unsigned char)(count >> 16), (unsigned char)(count >> 8),
      (unsigned char)count};
  append_header(connection, 5 + count, frame_data, 0, stream);
  sink_append(connection, prefix, 5);
  sink_append(connection, message, count);
  connection->window -= (int64_t)(5 + count);
}

// Streams are few: their fields are written whole, and nothing of them is indexed.
void sink_stream_message(
    struct sink_connection *connection, struct sink_stream *stream, const unsigned char *message,
    size_t count) {
  static const unsigned char head[] = "\x88\x0f\x10\x10" "application/grpc";
  if (!stream->has_head) {
    append_header(connection, sizeof head - 1, frame_headers, flag_end_headers, stream->id);
    sink_append(connection, head, sizeof head - 1);
    stream->has_head = 1;
  }
  append_message(connection, stream->id, message, count);
}

static void end_stream(struct sink_connection *connection, struct sink_stream *stream) {
  static const unsigned char tail[] = "\x00\x0b" "grpc-status" "\x01" "0";
  static const unsigned char both[] = "\x88\x00\x0b" "grpc-status" "\x01" "0";
  int end = flag_end_headers | flag_end_stream;
  size_t count = stream->has_head ? sizeof tail - 1 : sizeof both - 1;
  append_header(connection, count, frame_headers, end, stream->id);
  sink_append(connection, stream->has_head ? tail : both, count);
  stream->id = 0;
}

// Headers, message and trailers. What repeats is indexed from the second answer on, as brokers do:
// 62 is then the last field that was added (RFC 7541 §2.3.3).
void sink_answer(
    struct sink_connection *connection, uint32_t stream, const unsigned char *message,
    size_t count) {
  static const unsigned char first_head[] = "\x88\x5f\x10" "application/grpc";
  static const unsigned char first_tail[] = "\x40\x0b" "grpc-status" "\x01" "0";
  if (connection->has_answered) {
    append_header(connection, 2, frame_headers, flag_end_headers, stream);
    sink_append(connection, "\x88\xbf", 2);
  } else {
    append_header(connection, sizeof first_head - 1, frame_headers, flag_end_headers, stream);
    sink_append(connection, first_head, sizeof first_head - 1);
  }
  append_message(connection, stream, message, count);
  int end = flag_end_headers | flag_end_stream;
  if (connection->has_answered) {
    append_header(connection, 1, frame_headers, end, stream);
    sink_append(connection, "\xbe", 1);
  } else {
    append_header(connection, sizeof first_tail - 1, frame_headers, end, stream);
    sink_append(connection, first_tail, sizeof first_tail - 1);
    connection->has_answered = 1;
  }
}

static enum sink_method method_of(const unsigned char *path, size_t count) {
  static const struct {
    const char *path;
    enum sink_method method;
  } methods[] = {
      {"/danube.ProducerService/SendMessage", sink_send_message},
      {"/danube.ProducerService/CreateProducer", sink_create_producer},
      {"/danube.Discovery/TopicLookup", sink_topic_lookup},
      {"/danube.Discovery/TopicPartitions", sink_topic_partitions},
      {"/danube.HealthCheck/HealthCheck", sink_health_check},
      {"/danube.edge.EdgeReplicatorService/RegisterEdge", sink_register_edge},
      {"/danube.edge.EdgeReplicatorService/EdgeHeartbeat", sink_edge_heartbeat},
      {"/danube.edge.EdgeReplicatorService/ReplicateData", sink_replicate_data},
  };
  for (size_t index = 0; index < sizeof methods / sizeof *methods; index++) {
    if (strlen(methods[index].path) == count && memcmp(methods[index].path, path, count) == 0) {
      return methods[index].method;
    }
  }
  return sink_unknown;
}

// The method that a field section names; -1 when it is malformed.
static int read_fields(
    struct sink_connection *connection, const unsigned char *bytes, size_t count,
    enum sink_method *method) {
  for (;;) {
    nghttp2_nv field;
    int flags = 0;
    ssize_t taken =
        nghttp2_hd_inflate_hd2(connection->inflater, &field, &flags, bytes, count, 1);
    if (taken < 0) return -1;
    bytes += taken;
    count -= (size_t)taken;
    if (flags & NGHTTP2_HD_INFLATE_EMIT && field.namelen == 5 &&
        memcmp(field.name, ":path", 5) == 0) {
      *method = method_of(field.value, field.valuelen);
    }
    if (flags & NGHTTP2_HD_INFLATE_FINAL) {
      nghttp2_hd_inflate_end_headers(connection->inflater);
      return 0;
    }
    if (taken == 0 && !(flags & NGHTTP2_HD_INFLATE_EMIT)) return -1;
  }
}

static struct sink_stream *stream_of(struct sink_connection *connection, uint32_t id) {
  return &connection->streams[(id / 2) % sink_stream_places];
}

static void whole_request(
    struct bench_sink *sink, struct sink_connection *connection, struct sink_stream *stream,
    const unsigned char *bytes, size_t count) {
  uint32_t id = stream->id;
  stream->id = 0;
  stream->count = 0;
  size_t length = count < 5 ? 0
                            : (size_t)bytes[1] << 24 | (size_t)bytes[2] << 16 |
                                  (size_t)bytes[3] << 8 | bytes[4];
  if (count < 5 || bytes[0] != 0 || length != count - 5) {
    sink_wrong(sink, "a request of %zu bytes is no message", count);
    return;
  }
  sink_call(sink, connection, id, stream->method, bytes + 5, length);
}

// Keeps what is no whole request yet.
static void keep(
    struct sink_connection *connection, struct sink_stream *stream, const unsigned char *bytes,
    size_t count) {
  struct sink_buffer *buffer = &stream->buffer;
  if (buffer->bytes == NULL && connection->spare_count > 0) {
    *buffer = connection->spares[--connection->spare_count];
  }
  if (stream->count + count > buffer->capacity) {
    buffer->capacity = (stream->count + count) * 2;
    buffer->bytes = realloc(buffer->bytes, buffer->capacity);
    if (buffer->bytes == NULL) abort();
  }
  memcpy(buffer->bytes + stream->count, bytes, count);
  stream->count += count;
}

// A part of a stream of messages: those that are whole are answered.
static int take_batches(
    struct bench_sink *sink, struct sink_connection *connection, struct sink_stream *stream,
    int is_end, const unsigned char *bytes, size_t count) {
  stream->untold += count;
  if (stream->untold >= tell_stream_after && !is_end) {
    append_window(connection, stream->id, (uint32_t)stream->untold);
    stream->untold = 0;
  }
  keep(connection, stream, bytes, count);
  size_t taken = 0;
  while (stream->count - taken >= 5) {
    const unsigned char *at = stream->buffer.bytes + taken;
    size_t length =
        (size_t)at[1] << 24 | (size_t)at[2] << 16 | (size_t)at[3] << 8 | (size_t)at[4];
    if (at[0] != 0 || length > (size_t)8 << 20) {
      sink_wrong(sink, "a stream's message of %zu bytes", length);
      return -1;
    }
    if (stream->count - taken - 5 < length) break;
    sink_batch(sink, connection, stream, at + 5, length);
    taken += 5 + length;
  }
  stream->count -= taken;
  memmove(stream->buffer.bytes, stream->buffer.bytes + taken, stream->count);
  if (is_end) end_stream(connection, stream);
  return 0;
}

static int take_data(
    struct bench_sink *sink, struct sink_connection *connection, uint32_t id, int flags,
    const unsigned char *bytes, size_t count) {
  connection->untold += count;
  if (connection->untold >= tell_after) {
    append_window(connection, 0, (uint32_t)connection->untold);
    connection->untold = 0;
  }
  size_t padding = flags & flag_padded ? (size_t)bytes[0] + 1 : 0;
  if (padding > count) return -1;
  if (padding > 0) bytes++;
  count -= padding;
  struct sink_stream *stream = stream_of(connection, id);
  if (stream->id != id) return 0;  // It was reset.
  if (stream->method == sink_replicate_data) {
    return take_batches(sink, connection, stream, flags & flag_end_stream, bytes, count);
  }
  if (stream->count == 0 && flags & flag_end_stream) {
    whole_request(sink, connection, stream, bytes, count);
    return 0;
  }
  keep(connection, stream, bytes, count);
  struct sink_buffer *buffer = &stream->buffer;
  if (flags & flag_end_stream) {
    whole_request(sink, connection, stream, buffer->bytes, stream->count);
    if (connection->spare_count < sink_spare_limit) {
      connection->spares[connection->spare_count++] = *buffer;
      *buffer = (struct sink_buffer){0};
    }
  }
  return 0;
}

static int take_headers(
    struct bench_sink *sink, struct sink_connection *connection, uint32_t id, int flags,
    const unsigned char *bytes, size_t count) {
  size_t skipped = (flags & flag_padded ? 1u : 0u) + (flags & flag_priority ? 5u : 0u);
  size_t padding = flags & flag_padded ? bytes[0] : 0;
  if (!(flags & flag_end_headers) || skipped + padding > count) {
    sink_wrong(sink, "a field section in several frames");
    return -1;
  }
  struct sink_stream *stream = stream_of(connection, id);
  if (stream->id != 0 && stream->id != id) {
    sink_wrong(sink, "more than %d streams at a time", sink_stream_places);
    return -1;
  }
  enum sink_method method = sink_unknown;
  if (read_fields(connection, bytes + skipped, count - skipped - padding, &method) != 0) {
    sink_wrong(sink, "a malformed field section");
    return -1;
  }
  stream->id = id;
  stream->method = method;
  stream->count = 0;
  stream->has_head = 0;
  stream->untold = 0;
  return 0;
}

static uint32_t read_word(const unsigned char *bytes) {
  return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static int take_frame(
    struct bench_sink *sink, struct sink_connection *connection, const unsigned char *header,
    size_t count) {
  int flags = header[4];
  uint32_t id = read_word(header + 5) & 0x7fffffff;
  const unsigned char *bytes = header + 9;
  switch (header[3]) {
    case frame_data: return take_data(sink, connection, id, flags, bytes, count);
    case frame_headers: return take_headers(sink, connection, id, flags, bytes, count);
    case frame_reset:
      if (stream_of(connection, id)->id == id) stream_of(connection, id)->id = 0;
      return 0;
    case frame_settings:
      if (!(flags & flag_ack)) append_header(connection, 0, frame_settings, flag_ack, 0);
      return 0;
    case frame_ping:
      if (count != 8) return -1;
      if (!(flags & flag_ack)) {
        append_header(connection, 8, frame_ping, flag_ack, 0);
        sink_append(connection, bytes, 8);
      }
      return 0;
    case frame_window:
      if (count == 4 && id == 0) connection->window += read_word(bytes) & 0x7fffffff;
      return 0;
    case frame_priority:
    case frame_goaway: return 0;
    default: sink_wrong(sink, "a frame of type %d", header[3]); return -1;
  }
}

long sink_frames(struct bench_sink *sink, struct sink_connection *connection) {
  size_t taken = 0;
  if (!connection->has_preface) {
    if (connection->in_count < 24) return 0;
    if (memcmp(connection->in, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24) != 0) return -1;
    connection->has_preface = 1;
    taken = 24;
  }
  while (connection->in_count - taken >= 9) {
    const unsigned char *header = connection->in + taken;
    size_t count = (size_t)header[0] << 16 | (size_t)header[1] << 8 | header[2];
    if (count > 16384) {
      sink_wrong(sink, "a frame of %zu bytes", count);
      return -1;
    }
    if (connection->in_count - taken < 9 + count) break;
    if (take_frame(sink, connection, header, count) != 0) return -1;
    taken += 9 + count;
  }
  if (connection->window < 0) {
    sink_wrong(sink, "answers beyond the client's window");
    return -1;
  }
  return (long)taken;
}
