// A bare caller of SendMessage: nghttp2 as it comes, one connection, one thread, one io_uring.
#include "ring.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../Load/message.h"
#include "BareServers.h"

enum { out_bytes = 256 * 1024, client_names = 8 };

struct call {
  unsigned char *message;  // With its gRPC prefix.
  size_t count, offset;
};

struct publisher {
  nghttp2_session *session;
  struct call *calls;
  uint64_t *sequences;
  uint32_t *free_calls;
  uint32_t call_count, free_count, payload_bytes;
  uint64_t request, refused;
  // With a rate: how many times have passed, and when the first one was.
  uint64_t scheduled, schedule_start;
  uint32_t rate;
  int has_producer;
};

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static uint64_t due_time(const struct publisher *publisher, uint64_t n) {
  return publisher->schedule_start + (uint64_t)((double)n * 1e9 / publisher->rate);
}

// Whether a call may be made now.
static int is_due(struct publisher *publisher) {
  if (publisher->rate == 0 || !publisher->has_producer) return 1;
  uint64_t moment = now();
  if (publisher->schedule_start == 0) publisher->schedule_start = moment;
  return due_time(publisher, publisher->scheduled) <= moment;
}

static void write_record(struct publisher *publisher, uint32_t index) {
  struct call *call = &publisher->calls[index];
  call->offset = 0;
  uint64_t due = publisher->rate ? due_time(publisher, publisher->scheduled++) : 0;
  call->count = message_record(
      call->message, index, publisher->payload_bytes, publisher->sequences[index]++,
      ++publisher->request, due);
}

static void write_producer(struct call *call) {
  call->offset = 0;
  call->count = message_producer(call->message);
}

static ssize_t read_body(
    nghttp2_session *session, int32_t stream, uint8_t *out, size_t capacity, uint32_t *flags,
    nghttp2_data_source *source, void *user) {
  (void)session, (void)stream, (void)user;
  struct call *call = source->ptr;
  size_t left = call->count - call->offset, part = left < capacity ? left : capacity;
  memcpy(out, call->message + call->offset, part);
  call->offset += part;
  if (part == left) *flags |= NGHTTP2_DATA_FLAG_EOF;
  return (ssize_t)part;
}

#define FIELD(name, value) \
  {(uint8_t *)name, (uint8_t *)value, sizeof name - 1, sizeof value - 1, \
   NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE}

static int submit(struct publisher *publisher, uint32_t index) {
  static const nghttp2_nv send[] = {
      FIELD(":method", "POST"), FIELD(":scheme", "http"),
      FIELD(":path", "/danube.ProducerService/SendMessage"),
      FIELD(":authority", "127.0.0.1:6650"), FIELD("te", "trailers"),
      FIELD("content-type", "application/grpc"), FIELD("user-agent", "bench")};
  nghttp2_nv fields[sizeof send / sizeof *send];
  memcpy(fields, send, sizeof send);
  if (!publisher->has_producer) {
    static const char create[] = "/danube.ProducerService/CreateProducer";
    fields[2].value = (uint8_t *)create;
    fields[2].valuelen = sizeof create - 1;
    write_producer(&publisher->calls[index]);
  } else {
    write_record(publisher, index);
  }
  nghttp2_data_provider body = {
      .source.ptr = &publisher->calls[index], .read_callback = read_body};
  int32_t stream = nghttp2_submit_request(
      publisher->session, NULL, fields, sizeof send / sizeof *send, &body,
      (void *)(uintptr_t)(index + 1));
  return stream < 0 ? -1 : 0;
}

static int on_header(
    nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_count,
    const uint8_t *value, size_t value_count, uint8_t flags, void *user) {
  (void)session, (void)frame, (void)flags;
  struct publisher *publisher = user;
  if (name_count == 11 && memcmp(name, "grpc-status", 11) == 0 &&
      (value_count != 1 || *value != '0')) {
    publisher->refused++;
  }
  return 0;
}

static int on_close(nghttp2_session *session, int32_t stream, uint32_t code, void *user) {
  struct publisher *publisher = user;
  uintptr_t tag = (uintptr_t)nghttp2_session_get_stream_user_data(session, stream);
  if (code != 0) publisher->refused++;
  if (tag > 0) publisher->free_calls[publisher->free_count++] = (uint32_t)tag - 1;
  publisher->has_producer = 1;
  return 0;
}

static int connect_to(uint16_t port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ? fd : -1;
}

// Frames that are ready, one buffer full.
static size_t gather(struct publisher *publisher, unsigned char *out) {
  size_t count = 0;
  while (count + 32 * 1024 < out_bytes) {
    const uint8_t *frame;
    ssize_t part = nghttp2_session_mem_send(publisher->session, &frame);
    if (part <= 0) break;
    memcpy(out + count, frame, (size_t)part);
    count += (size_t)part;
  }
  return count;
}

static int open_session(struct publisher *publisher, uint32_t calls, uint32_t payload_bytes) {
  publisher->payload_bytes = payload_bytes;
  publisher->call_count = publisher->free_count = calls;
  publisher->calls = calloc(calls, sizeof *publisher->calls);
  publisher->sequences = calloc(calls, sizeof *publisher->sequences);
  publisher->free_calls = calloc(calls + 1, sizeof *publisher->free_calls);
  if (!publisher->calls || !publisher->sequences || !publisher->free_calls) return ENOMEM;
  for (uint32_t index = 0; index < calls; index++) {
    publisher->calls[index].message = malloc(payload_bytes + message_room);
    publisher->free_calls[index] = index;
    if (publisher->calls[index].message == NULL) return ENOMEM;
  }
  nghttp2_session_callbacks *callbacks;
  nghttp2_option *option;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_option_new(&option);
  nghttp2_option_set_no_closed_streams(option, 1);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
  int code = nghttp2_session_client_new2(&publisher->session, callbacks, publisher, option);
  nghttp2_submit_settings(publisher->session, 0, NULL, 0);
  nghttp2_session_set_local_window_size(publisher->session, 0, 0, 1 << 24);
  return code != 0 ? ENOMEM : 0;
}

// One hand-over to the kernel, which waits until something came or the next call is due.
static void turn(struct publisher *publisher, struct bare_ring *ring) {
  baseline_system_call();
  if (publisher->rate == 0 || publisher->schedule_start == 0 || publisher->free_count == 0) {
    io_uring_submit_and_wait(&ring->ring, 1);
    return;
  }
  uint64_t moment = now(), due = due_time(publisher, publisher->scheduled);
  uint64_t wait = due > moment ? due - moment : 0;
  struct __kernel_timespec time = {
      .tv_sec = (long long)(wait / 1000000000u), .tv_nsec = (long long)(wait % 1000000000u)};
  struct io_uring_cqe *cqe;
  io_uring_submit_and_wait_timeout(&ring->ring, &cqe, 1, &time, NULL);
}

int baseline_publisher(uint16_t port, uint32_t payload_bytes, uint32_t calls, uint32_t rate) {
  enum { receive_tag = 1, send_tag = 2 };
  static struct bare_ring ring;
  struct publisher publisher = {0};
  unsigned char *out = malloc(out_bytes);
  prctl(PR_SET_PDEATHSIG, 9);
  prctl(PR_SET_TIMERSLACK, 1);
  publisher.rate = rate;
  int fd = connect_to(port), is_sending = 0;
  if (fd < 0 || out == NULL) return errno;
  int code = open_session(&publisher, calls, payload_bytes);
  if (code != 0) return code;
  code = bare_ring_open(&ring, 64, 256, 16 * 1024);
  if (code != 0) return -code;
  bare_ring_receive(&ring, fd, receive_tag);
  for (int is_first = 1;; is_first = 0) {
    while (publisher.free_count > 0 && (publisher.has_producer || is_first) &&
           is_due(&publisher)) {
      if (submit(&publisher, publisher.free_calls[--publisher.free_count]) != 0) return EPROTO;
      if (!publisher.has_producer) break;
    }
    size_t count = is_sending ? 0 : gather(&publisher, out);
    if (count > 0) {
      bare_ring_send(&ring, fd, out, count, send_tag);
      is_sending = 1;
    }
    turn(&publisher, &ring);
    struct io_uring_cqe *cqe;
    unsigned head, taken = 0;
    io_uring_for_each_cqe(&ring.ring, head, cqe) {
      taken++;
      if (cqe->user_data == send_tag) is_sending = 0;
      if (cqe->res == 0 || (cqe->res < 0 && cqe->res != -ENOBUFS)) return ECONNRESET;
      if (cqe->user_data == send_tag) continue;
      if (cqe->res > 0) {
        unsigned index = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
        ssize_t used = nghttp2_session_mem_recv(
            publisher.session, ring.memory + (size_t)index * ring.bytes, (size_t)cqe->res);
        bare_ring_give(&ring, index);
        if (used < 0 || publisher.refused > 0) return EPROTO;
      }
      if (!(cqe->flags & IORING_CQE_F_MORE)) bare_ring_receive(&ring, fd, receive_tag);
    }
    io_uring_cq_advance(&ring.ring, taken);
  }
}
