// Many clients on one thread and one io_uring.
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { is_send = 1 };
// Clients of one source address: well below the ports that one has.
enum { clients_an_address = 20000 };

static void mark(struct bench_load *load, struct client *client) {
  if (client->is_dirty) return;
  client->is_dirty = 1;
  load->dirty[load->dirty_count++] = client;
}

static uint64_t tag(const struct client *client, int verb) {
  return (uint64_t)(uintptr_t)client | (uint64_t)verb;
}

static void closed(struct bench_load *load, struct client *client) {
  if (client->is_closed) return;
  client->is_closed = 1;
  load->counts.closed++;
  if (load->problem[0] == 0) {
    snprintf(
        load->problem, sizeof load->problem, "the connection of client %u ended",
        client->number);
  }
}

void load_unexpected(struct bench_load *load, struct client *client, const char *what) {
  if (load->problem[0] == 0) {
    snprintf(load->problem, sizeof load->problem, "client %u got %s", client->number, what);
  }
  load->counts.wrong++;
  shutdown(client->fd, SHUT_RDWR);
  closed(load, client);
}

void load_accepted(struct bench_load *load, struct client *client) {
  client->is_accepted = 1;
  load->accepted_count++;
}

// When a client's message is to be sent in an open loop: clients take turns.
static uint64_t due_time(const struct bench_load *load, const struct client *client, uint64_t n) {
  uint64_t place =
      n * load->options.connections + (client->number - load->options.first_client);
  return load->schedule_start +
         (uint64_t)((double)place * 1e9 / (double)load->options.rate_per_s);
}

// Writes as many messages as the window and the buffer allow, and sends them when the last are out.
static void fill(struct bench_load *load, struct client *client) {
  const bench_load_options *options = &load->options;
  while (load->is_sending && client->sent - client->answered < options->window &&
         client->fill_count + load->message_bytes <= load->buffer_bytes &&
         (options->rate_per_s == 0 || client->sent < client->due)) {
    uint64_t due =
        options->rate_per_s ? due_time(load, client, client->sent) : load->now;
    load_write_message(
        load, client->fill + client->fill_count, client->number, client->sent, due);
    client->fill_count += load->message_bytes;
    client->times[client->sent & load->time_mask] = due;
    client->sent++;
    load->counts.sent++;
    if (load->open_count++ == 0) load->last_answer = load->now;
  }
  if (client->is_sending || client->fill_count == 0) return;
  unsigned char *bytes = client->fill;
  client->fill = client->flight;
  client->flight = bytes;
  client->is_sending = 1;
  bare_ring_send(&load->ring, client->fd, bytes, client->fill_count, tag(client, is_send));
  client->fill_count = 0;
}

static void flush(struct bench_load *load) {
  for (size_t index = 0; index < load->dirty_count; index++) {
    struct client *client = load->dirty[index];
    client->is_dirty = 0;
    if (!client->is_closed) fill(load, client);
  }
  load->dirty_count = 0;
}

static void received(
    struct bench_load *load, struct client *client, const unsigned char *bytes, size_t count) {
  while (client->held_count > 0 && count > 0 && !client->is_closed) {
    // The rest of an answer that was cut: as much as the place for it takes.
    size_t room = sizeof client->held - client->held_count;
    size_t part = count < room ? count : room;
    memcpy(client->held + client->held_count, bytes, part);
    size_t before = client->held_count, all = before + part;
    size_t taken = load_take_answers(load, client, client->held, all);
    if (taken == 0 && all == sizeof client->held) {
      load_unexpected(load, client, "an answer that is too long");
      return;
    }
    if (taken >= before) {
      // What was held is through: go on where the answer ended.
      bytes += taken - before;
      count -= taken - before;
      client->held_count = 0;
    } else {
      memmove(client->held, client->held + taken, all - taken);
      client->held_count = all - taken;
      bytes += part;
      count -= part;
    }
  }
  if (count > 0 && !client->is_closed) {
    size_t taken = load_take_answers(load, client, bytes, count);
    if (client->is_closed) return;
    if (count - taken > sizeof client->held) {
      load_unexpected(load, client, "an answer that is too long");
      return;
    }
    memcpy(client->held, bytes + taken, count - taken);
    client->held_count = count - taken;
  }
  mark(load, client);
}

static void completed(struct bench_load *load, const struct io_uring_cqe *cqe) {
  struct client *client = (struct client *)(uintptr_t)(cqe->user_data & ~(uint64_t)7);
  if (cqe->user_data & is_send) {
    client->is_sending = 0;
    if (cqe->res < 0) {
      closed(load, client);
    } else {
      mark(load, client);
    }
    return;
  }
  if (cqe->res > 0) {
    unsigned index = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
    received(
        load, client, load->ring.memory + (size_t)index * load->ring.bytes, (size_t)cqe->res);
    bare_ring_give(&load->ring, index);
  } else if (cqe->res != -ENOBUFS) {
    closed(load, client);
    return;
  }
  if (!(cqe->flags & IORING_CQE_F_MORE)) {
    bare_ring_receive(&load->ring, client->fd, tag(client, 0));
  }
}

// One hand-over to the kernel, which waits until something came or `deadline`.
static void turn(struct bench_load *load, uint64_t deadline) {
  flush(load);
  uint64_t wait = deadline > load->now ? deadline - load->now : 0;
  struct __kernel_timespec time = {
      .tv_sec = (long long)(wait / 1000000000u), .tv_nsec = (long long)(wait % 1000000000u)};
  struct io_uring_cqe *cqe = NULL;
  io_uring_submit_and_wait_timeout(&load->ring.ring, &cqe, 1, &time, NULL);
  load->now = bench_now();
  unsigned head, count = 0;
  io_uring_for_each_cqe(&load->ring.ring, head, cqe) {
    completed(load, cqe);
    count++;
  }
  io_uring_cq_advance(&load->ring.ring, count);
}

// Lets the messages go whose time has come; when the next one's does.
static uint64_t schedule(struct bench_load *load) {
  uint64_t rate = load->options.rate_per_s;
  for (;;) {
    uint64_t due = load->schedule_start + (uint64_t)((double)load->scheduled * 1e9 / (double)rate);
    if (due > load->now) return due;
    struct client *client = &load->clients[load->scheduled % load->options.connections];
    client->due++;
    load->scheduled++;
    mark(load, client);
  }
}

void bench_load_run(bench_load *load, uint64_t nanoseconds) {
  load->now = bench_now();
  uint64_t end = load->now + nanoseconds;
  load->is_sending = 1;
  if (load->options.rate_per_s && load->schedule_start == 0) {
    prctl(PR_SET_TIMERSLACK, 1);
    load->schedule_start = load->now;
  }
  for (uint32_t index = 0; index < load->options.connections; index++) {
    mark(load, &load->clients[index]);
  }
  while (load->now < end && load->counts.closed < load->options.connections) {
    uint64_t next = load->options.rate_per_s ? schedule(load) : end;
    turn(load, next < end ? next : end);
  }
}

int bench_load_finish(bench_load *load, uint64_t nanoseconds) {
  load->now = bench_now();
  uint64_t end = load->now + nanoseconds;
  load->is_sending = 0;
  while (load->now < end && load->counts.acknowledged < load->counts.sent &&
         load->counts.closed < load->options.connections) {
    turn(load, end);
  }
  if (load->counts.acknowledged == load->counts.sent) return 1;
  if (load->problem[0] == 0) {
    snprintf(
        load->problem, sizeof load->problem, "%llu of %llu messages were not answered",
        (unsigned long long)(load->counts.sent - load->counts.acknowledged),
        (unsigned long long)load->counts.sent);
  }
  return 0;
}

static int connect_client(struct bench_load *load, struct client *client) {
  client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (client->fd < 0) return errno;
  int on = 1;
  setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  struct sockaddr_in address = {.sin_family = AF_INET};
  if (client->number >= clients_an_address) {
    setsockopt(client->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + client->number / clients_an_address);
    if (bind(client->fd, (struct sockaddr *)&address, sizeof address) != 0) return errno;
  }
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(load->options.port);
  if (connect(client->fd, (struct sockaddr *)&address, sizeof address) != 0) return errno;
  unsigned char greeting[64];
  size_t count = load_write_greeting(&load->options, greeting, client->number);
  if (count > 0 && send(client->fd, greeting, count, MSG_NOSIGNAL) != (ssize_t)count) return errno;
  if (count == 0) load_accepted(load, client);
  bare_ring_receive(&load->ring, client->fd, tag(client, 0));
  return 0;
}

static int connect_all(struct bench_load *load) {
  for (uint32_t index = 0; index < load->options.connections; index++) {
    struct client *client = &load->clients[index];
    client->number = load->options.first_client + index;
    client->fill = malloc(load->buffer_bytes);
    client->flight = malloc(load->buffer_bytes);
    client->times = malloc((load->time_mask + 1) * sizeof *client->times);
    if (!client->fill || !client->flight || !client->times) return ENOMEM;
    int code = connect_client(load, client);
    if (code != 0) return code;
    if (index % 64 == 63) {
      load->now = bench_now();
      turn(load, load->now);
    }
  }
  uint64_t end = bench_now() + 20000000000u;
  load->now = bench_now();
  while (load->accepted_count < load->options.connections && load->now < end) {
    turn(load, end);
    if (load->counts.closed > 0) return ECONNRESET;
  }
  return load->accepted_count < load->options.connections ? ETIMEDOUT : 0;
}

bench_load *bench_load_open(
    const bench_load_options *options, char *problem, size_t problem_bytes) {
  struct bench_load *load = calloc(1, sizeof *load);
  if (load == NULL) abort();
  load->options = *options;
  load->latencies = bench_histogram_new();
  load_prepare(load);
  load->buffer_bytes = load->message_bytes * options->window;
  if (load->buffer_bytes > 128 * 1024) load->buffer_bytes = 128 * 1024;
  if (load->buffer_bytes < load->message_bytes) load->buffer_bytes = load->message_bytes;
  while (load->time_mask + 1 < options->window) load->time_mask = load->time_mask * 2 + 1;
  load->clients = calloc(options->connections, sizeof *load->clients);
  load->dirty = calloc(options->connections, sizeof *load->dirty);
  for (uint32_t index = 0; load->clients && index < options->connections; index++) {
    load->clients[index].fd = -1;
  }
  int code = load->clients && load->dirty ? bare_ring_open(&load->ring, 4096, 1024, 4096)
                                          : -ENOMEM;
  code = code != 0 ? -code : connect_all(load);
  if (code == 0) return load;
  snprintf(
      problem, problem_bytes, "%u of %u connections: %s%s%s", load->accepted_count,
      options->connections, strerror(code), load->problem[0] ? ", " : "", load->problem);
  bench_load_close(load);
  return NULL;
}

void bench_load_close(bench_load *load) {
  for (uint32_t index = 0; load->clients && index < load->options.connections; index++) {
    if (load->clients[index].fd >= 0) close(load->clients[index].fd);
  }
  // The kernel sends from the buffers until the ring is gone.
  bare_ring_close(&load->ring);
  for (uint32_t index = 0; load->clients && index < load->options.connections; index++) {
    free(load->clients[index].fill);
    free(load->clients[index].flight);
    free(load->clients[index].times);
  }
  free(load->clients);
  free(load->dirty);
  bench_histogram_free(load->latencies);
  free(load);
}

bench_load_counts bench_load_counted(const bench_load *load) { return load->counts; }

uint64_t bench_load_answered(const bench_load *load, uint32_t client) {
  return load->clients[client].answered;
}

bench_histogram *bench_load_latencies(bench_load *load) { return load->latencies; }

void bench_load_reset(bench_load *load) {
  bench_histogram_reset(load->latencies);
  load->counts.longest_silence_ns = 0;
}

const char *bench_load_problem(const bench_load *load) { return load->problem; }
