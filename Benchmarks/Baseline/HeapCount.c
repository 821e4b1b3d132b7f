// Counts a process's calls to the C heap, and tells where they come from.
//
// Within the bench its definitions go before the C library's. Made into a shared library and
// preloaded (LD_PRELOAD), it does the same for any other process; there the numbers lie in the file
// that HEAP_COUNT_FILE names, readable and writable while the process runs:
//
// | 8-byte words | what |
// |---|---|
// | 0 | calls so far |
// | 1 | whether callers are noted: anything but 0, written by whoever wants to know |
// | 2 | where the executable was loaded |
// | 3 | callers that had no place |
// | 4 | system calls that a bare loop of the bench says it made |
// | 16 … | callers of 16 words: calls, bytes of the last one, return addresses, innermost first |
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

uint64_t baseline_heap_calls(void);
void baseline_system_call(void);

enum { callers = 255, depth = 14 };

struct caller {
  _Atomic uint64_t calls, bytes;
  _Atomic uint64_t frames[depth];
};

struct page {
  _Atomic uint64_t calls, is_noting, base, lost, system_calls, unused[11];
  struct caller callers[callers];
};

static struct page own;
static struct page *page = &own;

static int find_base(struct dl_phdr_info *info, size_t size, void *base) {
  (void)size;
  *(uint64_t *)base = info->dlpi_addr;
  return 1;  // The executable comes first.
}

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("HEAP_COUNT_FILE");
  if (!path) return;
  int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return;
  if (ftruncate(file, sizeof *page) == 0) {
    void *shared = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (shared != MAP_FAILED) page = shared;
  }
  close(file);
  uint64_t base = 0;
  dl_iterate_phdr(find_base, &base);
  atomic_store(&page->base, base);
}

uint64_t baseline_heap_calls(void) {
  return atomic_load_explicit(&page->calls, memory_order_relaxed);
}

void baseline_system_call(void) {
  atomic_fetch_add_explicit(&page->system_calls, 1, memory_order_relaxed);
}

// Follows the frame pointers, which Swift keeps. C may not: what is no frame can't be read then, or
// lies where no caller's frame can be, and the list ends.
static void note(size_t bytes) {
  uint64_t frames[depth] = {0}, hash = 14695981039346656037u;
  uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
  frames[0] = (uint64_t)__builtin_return_address(0);
  for (int level = 0; level < depth; level++) {
    uintptr_t pair[2];
    struct iovec to = {pair, sizeof pair}, from = {(void *)frame, sizeof pair};
    if (process_vm_readv(getpid(), &to, 1, &from, 1, 0) != (ssize_t)sizeof pair) break;
    frames[level] = pair[1];
    hash = (hash ^ pair[1]) * 1099511628211u;
    if (pair[0] <= frame || pair[0] - frame > 1 << 16 || pair[0] % 8 != 0) break;
    frame = pair[0];
  }
  for (uint64_t probe = 0; probe < callers; probe++) {
    struct caller *caller = &page->callers[(hash + probe) % callers];
    uint64_t empty = 0;
    if (atomic_compare_exchange_strong(&caller->frames[0], &empty, frames[0])) {
      for (int level = 1; level < depth; level++) caller->frames[level] = frames[level];
    } else {
      int level = 0;
      while (level < depth && caller->frames[level] == frames[level]) level++;
      if (level < depth) continue;
    }
    caller->bytes = bytes;
    caller->calls++;
    return;
  }
  page->lost++;
}

static inline __attribute__((always_inline)) void count(size_t bytes) {
  atomic_fetch_add_explicit(&page->calls, 1, memory_order_relaxed);
  if (__builtin_expect(
          atomic_load_explicit(&page->is_noting, memory_order_relaxed) != 0, 0)) {
    note(bytes);
  }
}

void *malloc(size_t size) {
  count(size);
  return __libc_malloc(size);
}

void *calloc(size_t number, size_t size) {
  count(number * size);
  return __libc_calloc(number, size);
}

void *realloc(void *old, size_t size) {
  count(size);
  return __libc_realloc(old, size);
}

int posix_memalign(void **out, size_t alignment, size_t size) {
  count(size);
  *out = __libc_memalign(alignment, size);
  return *out ? 0 : ENOMEM;
}

void *aligned_alloc(size_t alignment, size_t size) {
  count(size);
  return __libc_memalign(alignment, size);
}
