// Counts a process's calls to the C heap; preloaded by scripts/measure. The count lies in the first
// eight bytes of the file named by HEAP_COUNT_FILE, readable while the process runs.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

static _Atomic unsigned long calls;
static _Atomic unsigned long *shared = &calls;

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("HEAP_COUNT_FILE");
  if (!path) return;
  int file = open(path, O_RDWR | O_CREAT, 0600);
  if (file < 0 || ftruncate(file, 4096) != 0) return;
  void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (page != MAP_FAILED) shared = page;
}

void *malloc(size_t size) {
  atomic_fetch_add_explicit(shared, 1, memory_order_relaxed);
  return __libc_malloc(size);
}
void *calloc(size_t count, size_t size) {
  atomic_fetch_add_explicit(shared, 1, memory_order_relaxed);
  return __libc_calloc(count, size);
}
void *realloc(void *old, size_t size) {
  atomic_fetch_add_explicit(shared, 1, memory_order_relaxed);
  return __libc_realloc(old, size);
}
int posix_memalign(void **out, size_t alignment, size_t size) {
  atomic_fetch_add_explicit(shared, 1, memory_order_relaxed);
  *out = __libc_memalign(alignment, size);
  return *out ? 0 : 12;
}
void *aligned_alloc(size_t alignment, size_t size) {
  atomic_fetch_add_explicit(shared, 1, memory_order_relaxed);
  return __libc_memalign(alignment, size);
}
