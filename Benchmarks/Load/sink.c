// The sink's thread: connections, and what the bench asks of it.
#define _GNU_SOURCE
#include "sink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { in_bytes = 1024 * 1024 };

void sink_wrong(struct bench_sink *sink, const char *format, ...) {
  sink->counts.wrong++;
  if (sink->problem[0] != 0) return;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(sink->problem, sizeof sink->problem, format, arguments);
  va_end(arguments);
}

static void open_listener(struct bench_sink *sink) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(sink->port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  int on = 1;
  sink->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  setsockopt(sink->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(sink->listener, (struct sockaddr *)&address, length) != 0 ||
      listen(sink->listener, 64) != 0 ||
      getsockname(sink->listener, (struct sockaddr *)&address, &length) != 0) {
    close(sink->listener);
    sink->listener = -1;
    sink_wrong(sink, "the sink cannot listen: %s", strerror(errno));
    return;
  }
  sink->port = ntohs(address.sin_port);
}

static void drop(struct sink_connection *connection) {
  SSL_free(connection->session);
  close(connection->fd);
  for (int place = 0; place < sink_stream_places; place++) {
    free(connection->streams[place].buffer.bytes);
  }
  while (connection->spare_count > 0) free(connection->spares[--connection->spare_count].bytes);
  free(connection->streams);
  free(connection->in);
  free(connection->out);
  nghttp2_hd_inflate_del(connection->inflater);
  memset(connection, 0, sizeof *connection);
  connection->fd = -1;
}

static void take(struct bench_sink *sink) {
  int fd = accept4(sink->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return;
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  for (int index = 0; index < sink_connection_limit; index++) {
    struct sink_connection *connection = &sink->connections[index];
    if (connection->fd >= 0) continue;
    connection->fd = fd;
    connection->window = 65535;
    connection->in = malloc(in_bytes);
    connection->streams = calloc(sink_stream_places, sizeof *connection->streams);
    if (!connection->in || !connection->streams ||
        nghttp2_hd_inflate_new(&connection->inflater) != 0 ||
        !sink_begin_session(sink, connection)) {
      abort();
    }
    sink_greet(connection);
    sink->counts.connections++;
    return;
  }
  close(fd);
}

// Sends what is to be sent; whether the connection goes on.
static int write_out(struct sink_connection *connection) {
  size_t sent = 0;
  // Nothing may be sent before both sides have the keys.
  if (connection->session && !SSL_is_init_finished(connection->session)) return 1;
  while (sent < connection->out_count) {
    ssize_t part =
        sink_send(connection, connection->out + sent, connection->out_count - sent);
    if (part < 0 && errno == EAGAIN) break;
    if (part < 0) return 0;
    sent += (size_t)part;
  }
  memmove(connection->out, connection->out + sent, connection->out_count - sent);
  connection->out_count -= sent;
  connection->wants_write = connection->out_count > 0;
  return 1;
}

// Reads as much as there is room for; whether the connection goes on.
static int read_in(struct bench_sink *sink, struct sink_connection *connection) {
  ssize_t part;
  size_t before = connection->in_count;
  do {
    part = sink_receive(
        connection, connection->in + connection->in_count, in_bytes - connection->in_count);
    if (part > 0) connection->in_count += (size_t)part;
    // TLS gives a record at a time, and may hold more of them, of which poll(2) knows nothing.
  } while (part > 0 && connection->session && connection->in_count < in_bytes);
  if (part == 0 || (part < 0 && errno != EAGAIN)) return 0;
  if (connection->in_count == before) return write_out(connection);
  pthread_mutex_lock(&sink->lock);
  long taken = sink_frames(sink, connection);
  pthread_mutex_unlock(&sink->lock);
  if (taken < 0) return 0;
  connection->in_count -= (size_t)taken;
  memmove(connection->in, connection->in + taken, connection->in_count);
  if (part > 0 && connection->session) return read_in(sink, connection);
  return write_out(connection);
}

static void go_away(struct bench_sink *sink) {
  int away = __atomic_load_n(&sink->is_away, __ATOMIC_ACQUIRE);
  if (!away && sink->listener < 0) {
    pthread_mutex_lock(&sink->lock);
    open_listener(sink);
    pthread_mutex_unlock(&sink->lock);
  }
  if (!away || sink->listener < 0) return;
  close(sink->listener);
  sink->listener = -1;
  for (int index = 0; index < sink_connection_limit; index++) {
    if (sink->connections[index].fd >= 0) drop(&sink->connections[index]);
  }
}

static void *run(void *argument) {
  struct bench_sink *sink = argument;
  struct pollfd polled[sink_connection_limit + 2];
  while (!__atomic_load_n(&sink->is_over, __ATOMIC_ACQUIRE)) {
    polled[0] = (struct pollfd){.fd = sink->bell, .events = POLLIN};
    polled[1] = (struct pollfd){.fd = sink->listener, .events = POLLIN};
    for (int index = 0; index < sink_connection_limit; index++) {
      struct sink_connection *connection = &sink->connections[index];
      // Without room for answers no more is read: TCP pushes back.
      short events = connection->wants_write ? POLLOUT : POLLIN;
      polled[index + 2] = (struct pollfd){.fd = connection->fd, .events = events};
    }
    poll(polled, sink_connection_limit + 2, 1000);
    uint64_t rings;
    if (polled[0].revents && read(sink->bell, &rings, sizeof rings) > 0) go_away(sink);
    for (int index = 0; index < sink_connection_limit; index++) {
      struct sink_connection *connection = &sink->connections[index];
      short events = polled[index + 2].revents;
      if (connection->fd < 0 || connection->fd != polled[index + 2].fd || events == 0) continue;
      int goes_on = connection->wants_write ? write_out(connection) : read_in(sink, connection);
      if (!goes_on) drop(connection);
    }
    if (polled[1].revents && sink->listener >= 0) {
      pthread_mutex_lock(&sink->lock);
      take(sink);
      pthread_mutex_unlock(&sink->lock);
    }
  }
  __atomic_store_n(&sink->is_away, 1, __ATOMIC_RELAXED);
  go_away(sink);
  return NULL;
}

bench_sink *bench_sink_open(uint32_t clients, int keyed, int plant) {
  struct bench_sink *sink = calloc(1, sizeof *sink);
  if (sink == NULL) abort();
  sink->clients = clients;
  sink->keyed = keyed;
  sink->plant = plant;
  sink->next = calloc(clients, sizeof *sink->next);
  sink->latencies = bench_histogram_new();
  sink->bell = eventfd(0, EFD_CLOEXEC);
  for (int index = 0; index < sink_connection_limit; index++) sink->connections[index].fd = -1;
  pthread_mutex_init(&sink->lock, NULL);
  open_listener(sink);
  if (sink->next == NULL || sink->listener < 0 || sink->bell < 0 ||
      pthread_create(&sink->thread, NULL, run, sink) != 0) {
    return NULL;
  }
  return sink;
}

static void ring(struct bench_sink *sink) {
  uint64_t one = 1;
  if (write(sink->bell, &one, sizeof one) != sizeof one) abort();
}

void bench_sink_close(bench_sink *sink) {
  __atomic_store_n(&sink->is_over, 1, __ATOMIC_RELEASE);
  ring(sink);
  pthread_join(sink->thread, NULL);
  close(sink->bell);
  pthread_mutex_destroy(&sink->lock);
  bench_histogram_free(sink->latencies);
  sink_free_security(sink);
  free(sink->next);
  free(sink);
}

uint16_t bench_sink_port(const bench_sink *sink) { return sink->port; }

void bench_sink_advertise(bench_sink *sink, uint16_t port) {
  __atomic_store_n(&sink->advertised_port, port, __ATOMIC_RELEASE);
}

void bench_sink_set_away(bench_sink *sink, int away) {
  __atomic_store_n(&sink->is_away, away, __ATOMIC_RELEASE);
  ring(sink);
}

bench_sink_counts bench_sink_counted(bench_sink *sink) {
  pthread_mutex_lock(&sink->lock);
  bench_sink_counts counts = sink->counts;
  pthread_mutex_unlock(&sink->lock);
  return counts;
}

uint64_t bench_sink_next(bench_sink *sink, uint32_t client) {
  pthread_mutex_lock(&sink->lock);
  uint64_t next = client < sink->clients ? sink->next[client] : 0;
  pthread_mutex_unlock(&sink->lock);
  return next;
}

bench_histogram *bench_sink_latencies(bench_sink *sink) { return sink->latencies; }

void bench_sink_reset(bench_sink *sink) {
  pthread_mutex_lock(&sink->lock);
  bench_histogram_reset(sink->latencies);
  sink->counts.first_ns = 0;
  pthread_mutex_unlock(&sink->lock);
}

const char *bench_sink_problem(bench_sink *sink) { return sink->problem; }
