// What the parts of the sink share.
#pragma once
#include <nghttp2/nghttp2.h>
#include <openssl/ssl.h>
#include <pthread.h>

#include "BenchLoad.h"
#include "record.h"

enum { sink_stream_places = 8192, sink_connection_limit = 16, sink_spare_limit = 1024 };

enum sink_method {
  sink_unknown,
  sink_send_message,
  sink_create_producer,
  sink_topic_lookup,
  sink_topic_partitions,
  sink_health_check,
  sink_register_edge,
  sink_edge_heartbeat,
  // A stream of batches, each answered when it has come.
  sink_replicate_data,
};

struct sink_buffer {
  unsigned char *bytes;
  size_t capacity;
};

// A call whose request has not come whole.
struct sink_stream {
  uint32_t id;
  enum sink_method method;
  struct sink_buffer buffer;
  size_t count;
  // Of a stream of messages: whether its answer has begun, and bytes that the client has not been
  // told are taken.
  int has_head;
  size_t untold;
};

struct sink_connection {
  int fd;
  int has_preface, has_answered, wants_write;
  SSL *session;
  unsigned char *in;
  size_t in_count;
  unsigned char *out;
  size_t out_count, out_capacity;
  // Bytes of DATA that the client has not been told are taken; the client's window for ours.
  size_t untold;
  int64_t window;
  nghttp2_hd_inflater *inflater;
  struct sink_stream *streams;
  // Buffers of requests that are through: new ones would cost a fault a page.
  struct sink_buffer spares[sink_spare_limit];
  size_t spare_count;
};

struct bench_sink {
  int listener, bell;
  uint16_t port;
  uint32_t clients;
  int keyed, plant, is_planted;
  uint64_t *next;
  uint64_t producers, seen;
  struct sink_connection connections[sink_connection_limit];
  // What clients are told to connect to in place of `port`, and TLS; both 0 for none.
  int advertised_port;
  SSL_CTX *security;
  // Both from the caller's thread.
  int is_away, is_over;
  pthread_t thread;
  // Guards what follows.
  pthread_mutex_t lock;
  bench_sink_counts counts;
  bench_histogram *latencies;
  char problem[200];
};

// Answers one call; `message` is the request without its gRPC prefix.
void sink_call(
    struct bench_sink *sink, struct sink_connection *connection, uint32_t stream,
    enum sink_method method, const unsigned char *message, size_t count);
// Checks one record, `bytes` being a StreamMessage.
void sink_record(
    struct bench_sink *sink, const unsigned char *bytes, size_t count, uint64_t *request);
// Answers RegisterEdge, or EdgeHeartbeat; the length of the answer, 0 when it has no room.
size_t sink_register(const unsigned char *message, size_t count, unsigned char *out, size_t room);
size_t sink_heartbeat(unsigned char *out);
// Checks the records of one batch and acknowledges it.
void sink_batch(
    struct bench_sink *sink, struct sink_connection *connection, struct sink_stream *stream,
    const unsigned char *message, size_t count);

// As recv(2) and send(2) that never wait, through TLS where the connection has it: -1 with errno
// EAGAIN where they would.
ssize_t sink_receive(struct sink_connection *connection, void *bytes, size_t count);
ssize_t sink_send(struct sink_connection *connection, const void *bytes, size_t count);
// Begins TLS on a new connection; 0 when it can't.
int sink_begin_session(struct bench_sink *sink, struct sink_connection *connection);
void sink_free_security(struct bench_sink *sink);

// Takes whole frames; the bytes taken, or -1 when the connection is of no use.
long sink_frames(struct bench_sink *sink, struct sink_connection *connection);
void sink_greet(struct sink_connection *connection);
void sink_append(struct sink_connection *connection, const void *bytes, size_t count);
void sink_answer(
    struct sink_connection *connection, uint32_t stream, const unsigned char *message,
    size_t count);
// A message of an answer that goes on, and its end.
void sink_stream_message(
    struct sink_connection *connection, struct sink_stream *stream, const unsigned char *message,
    size_t count);
void sink_wrong(struct bench_sink *sink, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
