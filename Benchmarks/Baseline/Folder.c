// What is done to every file of a folder.
#define _GNU_SOURCE
#include "Baseline.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

// Calls `body` with every file; how many, or a negative error number.
static int for_each_file(const char *path, int (*body)(int)) {
  DIR *names = opendir(path);
  if (names == NULL) return -errno;
  int count = 0;
  struct dirent *entry;
  while ((entry = readdir(names)) != NULL) {
    if (entry->d_name[0] == '.') continue;
    int file = openat(dirfd(names), entry->d_name, O_RDONLY | O_CLOEXEC);
    if (file < 0) continue;
    count += body(file);
    close(file);
  }
  closedir(names);
  return count;
}

static int read_end(int file) {
  static uint8_t bytes[4096];
  off_t size = lseek(file, 0, SEEK_END);
  off_t start = size > (off_t)sizeof bytes ? size - (off_t)sizeof bytes : 0;
  return pread(file, bytes, sizeof bytes, start) >= 0;
}

static int forget(int file) {
  // Only what is on the disk can be forgotten.
  fdatasync(file);
  return posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED) == 0;
}

int baseline_read_ends(const char *folder) { return for_each_file(folder, read_end); }

void baseline_drop_cache(const char *folder) { for_each_file(folder, forget); }
