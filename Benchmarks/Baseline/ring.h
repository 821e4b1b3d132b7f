// What the bare servers and the load generators share: an io_uring with provided receive buffers,
// set up as the gateway sets its own up.
#pragma once
#include <features.h>

#include <liburing.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct bare_ring {
  struct io_uring ring;
  struct io_uring_buf_ring *buffers;
  unsigned char *memory;
  unsigned count, bytes;
};

static inline void bare_ring_give(struct bare_ring *ring, unsigned index) {
  io_uring_buf_ring_add(
      ring->buffers, ring->memory + (size_t)index * ring->bytes, ring->bytes,
      (unsigned short)index, io_uring_buf_ring_mask(ring->count), 0);
  io_uring_buf_ring_advance(ring->buffers, 1);
}

// 0 or a negative error number. `count` is a power of two.
static inline int bare_ring_open(
    struct bare_ring *ring, unsigned entries, unsigned count, unsigned bytes) {
  memset(ring, 0, sizeof *ring);
  unsigned modes[] = {IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, 0};
  int code = -1;
  for (int mode = 0; mode < 2 && code != 0; mode++) {
    struct io_uring_params parameters = {0};
    parameters.flags =
        IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | modes[mode];
    parameters.cq_entries = entries * 8;
    code = io_uring_queue_init_params(entries, &ring->ring, &parameters);
  }
  if (code != 0) return code;
  io_uring_register_ring_fd(&ring->ring);
  ring->count = count;
  ring->bytes = bytes;
  size_t table = sizeof(struct io_uring_buf) * count, space = (size_t)count * bytes;
  ring->buffers = mmap(
      NULL, table, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ring->memory = mmap(
      NULL, space, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (ring->buffers == MAP_FAILED || ring->memory == MAP_FAILED) return -12;
  struct io_uring_buf_reg registration = {
      .ring_addr = (uint64_t)(uintptr_t)ring->buffers, .ring_entries = count, .bgid = 0};
  code = io_uring_register_buf_ring(&ring->ring, &registration, 0);
  if (code != 0) return code;
  io_uring_buf_ring_init(ring->buffers);
  for (unsigned index = 0; index < count; index++) bare_ring_give(ring, index);
  return 0;
}

static inline void bare_ring_close(struct bare_ring *ring) {
  if (ring->count == 0) return;
  io_uring_queue_exit(&ring->ring);
  munmap(ring->buffers, sizeof(struct io_uring_buf) * ring->count);
  munmap(ring->memory, (size_t)ring->count * ring->bytes);
  ring->count = 0;
}

static inline struct io_uring_sqe *bare_ring_entry(struct bare_ring *ring) {
  struct io_uring_sqe *entry = io_uring_get_sqe(&ring->ring);
  while (entry == NULL) {
    io_uring_submit(&ring->ring);
    entry = io_uring_get_sqe(&ring->ring);
  }
  return entry;
}

// Receives into provided buffers until the connection ends.
static inline void bare_ring_receive(struct bare_ring *ring, int fd, uint64_t user_data) {
  struct io_uring_sqe *entry = bare_ring_entry(ring);
  io_uring_prep_recv_multishot(entry, fd, NULL, 0, 0);
  entry->flags = IOSQE_BUFFER_SELECT;
  entry->buf_group = 0;
  entry->user_data = user_data;
}

static inline void bare_ring_send(
    struct bare_ring *ring, int fd, const void *bytes, size_t count, uint64_t user_data) {
  struct io_uring_sqe *entry = bare_ring_entry(ring);
  io_uring_prep_send(entry, fd, bytes, count, MSG_NOSIGNAL | MSG_WAITALL);
  entry->user_data = user_data;
}
