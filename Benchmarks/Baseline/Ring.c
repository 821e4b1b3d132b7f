// A single-producer single-consumer ring as it stands in textbooks, on two pthreads.
#include "Baseline.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct ring {
  _Alignas(128) _Atomic uint64_t head;
  _Alignas(128) _Atomic uint64_t tail;
  _Alignas(128) uint64_t *elements;
  uint64_t mask, count;
};

static void wait_a_little(int *looks) {
  if (++*looks < 64) baseline_pause();
  else baseline_yield();
}

static void *produce(void *argument) {
  struct ring *ring = argument;
  uint64_t seen = 0;
  int looks = 0;
  for (uint64_t tail = 0; tail < ring->count; tail++) {
    while (tail - seen > ring->mask) {
      seen = atomic_load_explicit(&ring->head, memory_order_acquire);
      if (tail - seen > ring->mask) wait_a_little(&looks);
    }
    looks = 0;
    ring->elements[tail & ring->mask] = tail;
    atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
  }
  return NULL;
}

int64_t baseline_ring(int64_t capacity, int64_t count) {
  static struct ring ring;
  ring.elements = malloc((size_t)capacity * sizeof(uint64_t));
  if (ring.elements == NULL) return -1;
  ring.mask = (uint64_t)capacity - 1;
  ring.count = (uint64_t)count;
  atomic_store(&ring.head, 0);
  atomic_store(&ring.tail, 0);
  pthread_t thread;
  if (pthread_create(&thread, NULL, produce, &ring) != 0) return -1;
  uint64_t seen = 0, wrong = 0;
  int looks = 0;
  for (uint64_t head = 0; head < ring.count; head++) {
    while (head == seen) {
      seen = atomic_load_explicit(&ring.tail, memory_order_acquire);
      if (head == seen) wait_a_little(&looks);
    }
    looks = 0;
    wrong += ring.elements[head & ring.mask] != head;
    atomic_store_explicit(&ring.head, head + 1, memory_order_release);
  }
  pthread_join(thread, NULL);
  free(ring.elements);
  return wrong == 0 ? count : -1;
}
