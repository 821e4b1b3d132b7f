// A line with a round trip: bytes go from one socket to another after they have waited.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "BenchLoad.h"

// What is under way in one direction has room in `way_bytes`, and came in `way_marks` parts.
enum { way_bytes = 64 * 1024 * 1024, way_marks = 64 * 1024, connection_limit = 64 };

// Bytes up to a position of the stream, and when they may go on.
struct mark {
  uint64_t end, due;
};

struct way {
  unsigned char *bytes;
  struct mark *marks;
  uint64_t read, written, marked, passed;
  int is_ended, is_blocked, is_shut;
  uint64_t end_due;
};

struct pair {
  int fds[2];
  struct way ways[2];  // From the socket of this place to the other one.
};

struct bench_relay {
  int listener, bell, is_over;
  uint16_t port, target;
  uint64_t delay;
  pthread_t thread;
  struct pair pairs[connection_limit];
};

static struct sockaddr_in loopback(uint16_t port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

static void end_pair(struct pair *pair) {
  for (int side = 0; side < 2; side++) {
    close(pair->fds[side]);
    free(pair->ways[side].bytes);
    free(pair->ways[side].marks);
  }
  memset(pair, 0, sizeof *pair);
  pair->fds[0] = pair->fds[1] = -1;
}

static void take(struct bench_relay *relay) {
  int fd = accept4(relay->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), on = 1;
  if (fd < 0) return;
  struct pair *pair = NULL;
  for (int index = 0; index < connection_limit && pair == NULL; index++) {
    if (relay->pairs[index].fds[0] < 0) pair = &relay->pairs[index];
  }
  struct sockaddr_in address = loopback(relay->target);
  int other = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (pair == NULL || other < 0 ||
      connect(other, (struct sockaddr *)&address, sizeof address) != 0) {
    close(fd);
    if (other >= 0) close(other);
    return;
  }
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(other, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  pair->fds[0] = fd;
  pair->fds[1] = other;
  for (int side = 0; side < 2; side++) {
    pair->ways[side].bytes = malloc(way_bytes);
    pair->ways[side].marks = malloc(way_marks * sizeof(struct mark));
    if (pair->ways[side].bytes == NULL || pair->ways[side].marks == NULL) abort();
  }
}

static int has_room(const struct way *way) {
  return !way->is_ended && way->read - way->written < way_bytes &&
         way->marked - way->passed < way_marks;
}

// Reads what has come, once; whether the connection goes on.
static int read_way(struct bench_relay *relay, struct way *way, int fd) {
  size_t place = way->read % way_bytes, room = way_bytes - (way->read - way->written);
  if (room > way_bytes - place) room = way_bytes - place;
  ssize_t count = recv(fd, way->bytes + place, room, MSG_DONTWAIT);
  if (count < 0) return errno == EAGAIN;
  uint64_t due = bench_now() + relay->delay;
  if (count == 0) {
    way->is_ended = 1;
    way->end_due = due;
    return 1;
  }
  way->read += (uint64_t)count;
  way->marks[way->marked++ % way_marks] = (struct mark){.end = way->read, .due = due};
  return 1;
}

// Writes what has waited long enough; whether the connection goes on. `next` becomes the time at
// which there is more.
static int write_way(struct way *way, int fd, uint64_t now, uint64_t *next) {
  way->is_blocked = 0;
  while (way->passed < way->marked) {
    // All parts that may go on, at once.
    uint64_t end = way->written, last = way->passed;
    while (last < way->marked && way->marks[last % way_marks].due <= now) {
      end = way->marks[last++ % way_marks].end;
    }
    if (end == way->written) {
      uint64_t due = way->marks[way->passed % way_marks].due;
      if (due < *next) *next = due;
      return 1;
    }
    size_t place = way->written % way_bytes, count = end - way->written;
    if (count > way_bytes - place) count = way_bytes - place;
    ssize_t sent = send(fd, way->bytes + place, count, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EAGAIN) {
      way->is_blocked = 1;
      return 1;
    }
    if (sent < 0) return 0;
    way->written += (uint64_t)sent;
    while (way->passed < way->marked &&
           way->marks[way->passed % way_marks].end <= way->written) {
      way->passed++;
    }
  }
  if (!way->is_ended || way->is_shut) return 1;
  if (way->end_due > now) {
    if (way->end_due < *next) *next = way->end_due;
    return 1;
  }
  way->is_shut = 1;
  shutdown(fd, SHUT_WR);
  return 1;
}

static void *run(void *argument) {
  struct bench_relay *relay = argument;
  struct pollfd polled[2 + 2 * connection_limit];
  prctl(PR_SET_TIMERSLACK, 1);
  while (!__atomic_load_n(&relay->is_over, __ATOMIC_ACQUIRE)) {
    uint64_t now = bench_now(), next = now + 1000000000u;
    polled[0] = (struct pollfd){.fd = relay->bell, .events = POLLIN};
    polled[1] = (struct pollfd){.fd = relay->listener, .events = POLLIN};
    for (int index = 0; index < connection_limit; index++) {
      struct pair *pair = &relay->pairs[index];
      for (int side = 0; side < 2 && pair->fds[0] >= 0; side++) {
        struct way *way = &pair->ways[side];
        if (!write_way(way, pair->fds[1 - side], now, &next)) end_pair(pair);
      }
      if (pair->fds[0] >= 0 && pair->ways[0].is_shut && pair->ways[1].is_shut) end_pair(pair);
      for (int side = 0; side < 2; side++) {
        short events = 0;
        if (pair->fds[0] >= 0 && has_room(&pair->ways[side])) events |= POLLIN;
        if (pair->fds[0] >= 0 && pair->ways[1 - side].is_blocked) events |= POLLOUT;
        // One that is not asked for anything must not wake us by having ended.
        polled[2 + 2 * index + side] =
            (struct pollfd){.fd = events ? pair->fds[side] : -1, .events = events};
      }
    }
    now = bench_now();
    uint64_t wait = next > now ? next - now : 0;
    struct timespec time = {
        .tv_sec = (time_t)(wait / 1000000000u), .tv_nsec = (long)(wait % 1000000000u)};
    if (ppoll(polled, 2 + 2 * connection_limit, &time, NULL) < 0 && errno != EINTR) abort();
    for (int index = 0; index < connection_limit; index++) {
      struct pair *pair = &relay->pairs[index];
      for (int side = 0; side < 2 && pair->fds[0] >= 0; side++) {
        short events = polled[2 + 2 * index + side].revents;
        if (!(events & (POLLIN | POLLHUP | POLLERR)) || !has_room(&pair->ways[side])) continue;
        if (!read_way(relay, &pair->ways[side], pair->fds[side])) end_pair(pair);
      }
    }
    if (polled[1].revents) take(relay);
  }
  for (int index = 0; index < connection_limit; index++) {
    if (relay->pairs[index].fds[0] >= 0) end_pair(&relay->pairs[index]);
  }
  return NULL;
}

bench_relay *bench_relay_open(uint16_t port, uint64_t delay_ns) {
  struct bench_relay *relay = calloc(1, sizeof *relay);
  struct sockaddr_in address = loopback(0);
  socklen_t length = sizeof address;
  if (relay == NULL) abort();
  relay->target = port;
  relay->delay = delay_ns;
  for (int index = 0; index < connection_limit; index++) {
    relay->pairs[index].fds[0] = relay->pairs[index].fds[1] = -1;
  }
  relay->bell = eventfd(0, EFD_CLOEXEC);
  relay->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (relay->bell < 0 || bind(relay->listener, (struct sockaddr *)&address, length) != 0 ||
      listen(relay->listener, 64) != 0 ||
      getsockname(relay->listener, (struct sockaddr *)&address, &length) != 0) {
    return NULL;
  }
  relay->port = ntohs(address.sin_port);
  return pthread_create(&relay->thread, NULL, run, relay) == 0 ? relay : NULL;
}

void bench_relay_close(bench_relay *relay) {
  uint64_t one = 1;
  __atomic_store_n(&relay->is_over, 1, __ATOMIC_RELEASE);
  if (write(relay->bell, &one, sizeof one) != sizeof one) abort();
  pthread_join(relay->thread, NULL);
  close(relay->listener);
  close(relay->bell);
  free(relay);
}

uint16_t bench_relay_port(const bench_relay *relay) { return relay->port; }
