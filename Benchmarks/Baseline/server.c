#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "BareServers.h"
#include "ring.h"

enum { verb_accept, verb_receive, verb_send };
enum { out_bytes = 64 * 1024, receive_bytes = 16 * 1024 };

struct connection {
  unsigned char *in;  // A request that has not come whole.
  size_t in_count, in_capacity;
  unsigned char *out;
  size_t out_capacity, out_count;
  unsigned char *sent;
  size_t sent_capacity;
  int is_sending, is_dirty;
};

static struct bare_ring ring;
static struct connection *connections;
static int connection_limit;
static int *dirty;
static int dirty_count;

static uint64_t tag(int verb, int fd) { return (uint64_t)verb << 32 | (uint32_t)fd; }

static int open_place(int fd) {
  if (fd >= connection_limit) {
    int limit = fd * 2 + 64;
    connections = realloc(connections, (size_t)limit * sizeof *connections);
    dirty = realloc(dirty, (size_t)limit * sizeof *dirty);
    if (connections == NULL || dirty == NULL) return -1;
    memset(
        connections + connection_limit, 0,
        (size_t)(limit - connection_limit) * sizeof *connections);
    connection_limit = limit;
  }
  struct connection *connection = &connections[fd];
  connection->in_count = connection->out_count = 0;
  connection->is_sending = connection->is_dirty = 0;
  return 0;
}

static int reserve(unsigned char **memory, size_t *capacity, size_t needed) {
  if (needed <= *capacity) return 0;
  size_t grown = *capacity * 2 > needed ? *capacity * 2 : needed;
  unsigned char *bytes = realloc(*memory, grown);
  if (bytes == NULL) return -1;
  *memory = bytes;
  *capacity = grown;
  return 0;
}

static void mark(int fd) {
  if (connections[fd].is_dirty) return;
  connections[fd].is_dirty = 1;
  dirty[dirty_count++] = fd;
}

static int answer(
    struct connection *connection, bare_protocol protocol, const unsigned char *bytes,
    size_t count, size_t *taken) {
  *taken = 0;
  while (*taken < count) {
    if (reserve(&connection->out, &connection->out_capacity, connection->out_count + 8192)) {
      return -1;
    }
    struct bare_answer result = protocol(
        bytes + *taken, count - *taken, connection->out + connection->out_count,
        connection->out_capacity - connection->out_count);
    if (result.failed) return -1;
    connection->out_count += result.written;
    *taken += result.taken;
    if (result.taken == 0) return 0;
  }
  return 0;
}

static int received(int fd, bare_protocol protocol, const unsigned char *bytes, size_t count) {
  struct connection *connection = &connections[fd];
  size_t taken = 0;
  if (connection->in_count == 0) {
    if (answer(connection, protocol, bytes, count, &taken)) return -1;
    bytes += taken;
    count -= taken;
  }
  if (count > 0) {
    size_t needed = connection->in_count + count;
    if (reserve(&connection->in, &connection->in_capacity, needed)) return -1;
    memcpy(connection->in + connection->in_count, bytes, count);
    connection->in_count = needed;
    if (answer(connection, protocol, connection->in, needed, &taken)) return -1;
    memmove(connection->in, connection->in + taken, needed - taken);
    connection->in_count = needed - taken;
  }
  if (connection->out_count > 0) mark(fd);
  return 0;
}

static void flush(void) {
  for (int index = 0; index < dirty_count; index++) {
    int fd = dirty[index];
    struct connection *connection = &connections[fd];
    connection->is_dirty = 0;
    if (connection->is_sending || connection->out_count == 0) continue;
    unsigned char *bytes = connection->out;
    size_t capacity = connection->out_capacity;
    connection->out = connection->sent;
    connection->out_capacity = connection->sent_capacity;
    connection->sent = bytes;
    connection->sent_capacity = capacity;
    connection->is_sending = 1;
    bare_ring_send(&ring, fd, bytes, connection->out_count, tag(verb_send, fd));
    connection->out_count = 0;
  }
  dirty_count = 0;
}

static void completed(struct io_uring_cqe *cqe, int listener, bare_protocol protocol) {
  int fd = (int)(uint32_t)cqe->user_data;
  switch (cqe->user_data >> 32) {
    case verb_accept:
      if (cqe->res >= 0) {
        int on = 1;
        setsockopt(cqe->res, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (open_place(cqe->res) == 0) {
          bare_ring_receive(&ring, cqe->res, tag(verb_receive, cqe->res));
        }
      }
      if (!(cqe->flags & IORING_CQE_F_MORE)) {
        struct io_uring_sqe *entry = bare_ring_entry(&ring);
        io_uring_prep_multishot_accept(entry, listener, NULL, NULL, SOCK_CLOEXEC);
        entry->user_data = tag(verb_accept, 0);
      }
      break;
    case verb_receive: {
      int is_over = cqe->res <= 0 && cqe->res != -ENOBUFS;
      if (cqe->res > 0) {
        unsigned index = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
        is_over = received(fd, protocol, ring.memory + (size_t)index * ring.bytes,
                           (size_t)cqe->res);
        bare_ring_give(&ring, index);
        if (is_over) shutdown(fd, SHUT_RDWR);
      }
      if (cqe->res <= 0 && is_over) {
        close(fd);
      } else if (!(cqe->flags & IORING_CQE_F_MORE)) {
        bare_ring_receive(&ring, fd, tag(verb_receive, fd));
      }
      break;
    }
    default:
      connections[fd].is_sending = 0;
      if (cqe->res >= 0 && connections[fd].out_count > 0) mark(fd);
      break;
  }
}

int bare_serve(bare_protocol protocol) {
  prctl(PR_SET_PDEATHSIG, 9);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = {.sin_family = AF_INET};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  if (listener < 0 || bind(listener, (struct sockaddr *)&address, length) != 0 ||
      listen(listener, 4096) != 0 ||
      getsockname(listener, (struct sockaddr *)&address, &length) != 0) {
    return errno;
  }
  int code = bare_ring_open(&ring, 4096, 1024, receive_bytes);
  if (code != 0) return -code;
  if (open_place(listener) != 0) return ENOMEM;
  struct io_uring_sqe *entry = bare_ring_entry(&ring);
  io_uring_prep_multishot_accept(entry, listener, NULL, NULL, SOCK_CLOEXEC);
  entry->user_data = tag(verb_accept, 0);
  printf("PORT %d\n", ntohs(address.sin_port));
  fflush(stdout);
  for (;;) {
    int waited = io_uring_submit_and_wait(&ring.ring, 1);
    baseline_system_call();
    if (waited < 0 && waited != -EINTR && waited != -EBUSY) return -waited;
    struct io_uring_cqe *cqe;
    unsigned head, count = 0;
    io_uring_for_each_cqe(&ring.ring, head, cqe) {
      completed(cqe, listener, protocol);
      count++;
    }
    io_uring_cq_advance(&ring.ring, count);
    flush();
  }
}
