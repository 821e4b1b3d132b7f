// A log as little as it can be: blocks of records, compressed, checksummed, written, synced.
#define _GNU_SOURCE
#include "Baseline.h"

#include "CRC32C.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <lz4.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { raw_bytes = 256 << 10, alignment = 512 };

struct header {
  uint32_t magic, raw, stored, records, checksum, padding;
};

// Syncs go to a thread of their own, so that the next block can be compressed meanwhile.
struct syncer {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  int file, error;
  bool ends;
  uint64_t written, synced, syncs;
};

static void *sync_all(void *argument) {
  struct syncer *syncer = argument;
  pthread_mutex_lock(&syncer->lock);
  while (true) {
    while (syncer->written == syncer->synced && !syncer->ends)
      pthread_cond_wait(&syncer->changed, &syncer->lock);
    if (syncer->written == syncer->synced) break;
    uint64_t target = syncer->written;
    pthread_mutex_unlock(&syncer->lock);
    int error = fdatasync(syncer->file) == 0 ? 0 : errno;
    pthread_mutex_lock(&syncer->lock);
    if (error != 0) syncer->error = error;
    syncer->synced = target;
    syncer->syncs++;
    pthread_cond_broadcast(&syncer->changed);
  }
  pthread_mutex_unlock(&syncer->lock);
  return NULL;
}

static double now_seconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static size_t aligned(size_t count) { return (count + alignment - 1) / alignment * alignment; }

// Tells the syncer of a written block, and waits while more than 4 MiB are not synced.
static int written(struct syncer *syncer, uint64_t end) {
  pthread_mutex_lock(&syncer->lock);
  syncer->written = end;
  pthread_cond_broadcast(&syncer->changed);
  while (syncer->written - syncer->synced > 4 << 20 && syncer->error == 0)
    pthread_cond_wait(&syncer->changed, &syncer->lock);
  int error = syncer->error;
  pthread_mutex_unlock(&syncer->lock);
  return error;
}

static int append_blocks(
    struct syncer *syncer, struct baseline_spool_records records, double seconds, uint64_t count,
    uint8_t *raw, uint8_t *block, struct baseline_spool_result *result) {
  double began = now_seconds();
  uint64_t offset = 0;
  int room = LZ4_compressBound(raw_bytes);
  while (result->records < count && now_seconds() - began < seconds) {
    size_t used = 0;
    uint32_t number = 0;
    while (used + records.byte_count <= raw_bytes && result->records + number < count) {
      uint64_t next = result->records + number;
      uint8_t *record = records.pool + next % records.count * records.byte_count;
      uint32_t low = (uint32_t)next;
      memcpy(record + records.number_offset, &low, 4);
      memcpy(raw + used, record, records.byte_count);
      used += records.byte_count;
      number++;
    }
    uint8_t *payload = block + sizeof(struct header);
    int stored = LZ4_compress_default((char *)raw, (char *)payload, (int)used, room);
    if (stored <= 0) return EINVAL;
    struct header header = {
        0x4b4c4244, (uint32_t)used, (uint32_t)stored, number, crc32c(payload, (size_t)stored), 0};
    memcpy(block, &header, sizeof header);
    size_t total = aligned(sizeof header + (size_t)stored);
    memset(payload + stored, 0, total - sizeof header - (size_t)stored);
    if (pwrite(syncer->file, block, total, (off_t)offset) != (ssize_t)total) return errno;
    offset += total;
    result->records += number;
    result->system_calls++;
    int error = written(syncer, offset);
    if (error != 0) return error;
  }
  return 0;
}

int baseline_spool_append(
    const char *path, struct baseline_spool_records records, double seconds, uint64_t count,
    struct baseline_spool_result *result) {
  memset(result, 0, sizeof *result);
  struct syncer syncer = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER};
  syncer.file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (syncer.file < 0) return errno;
  pthread_t thread;
  uint8_t *raw = malloc(raw_bytes);
  uint8_t *block =
      malloc(sizeof(struct header) + (size_t)LZ4_compressBound(raw_bytes) + alignment);
  int error = raw == NULL || block == NULL ? ENOMEM : 0;
  if (error == 0) error = pthread_create(&thread, NULL, sync_all, &syncer);
  if (error == 0) {
    error = append_blocks(&syncer, records, seconds, count, raw, block, result);
    pthread_mutex_lock(&syncer.lock);
    syncer.ends = true;
    pthread_cond_broadcast(&syncer.changed);
    pthread_mutex_unlock(&syncer.lock);
    pthread_join(thread, NULL);
    if (error == 0) error = syncer.error;
    result->syncs = syncer.syncs;
    result->system_calls += syncer.syncs;
  }
  free(raw);
  free(block);
  close(syncer.file);
  return error;
}

static bool compare(
    const uint8_t *raw, struct header header, struct baseline_spool_records records,
    uint64_t first) {
  for (uint32_t index = 0; index < header.records; index++) {
    uint64_t number = first + index;
    uint8_t *record = records.pool + number % records.count * records.byte_count;
    uint32_t low = (uint32_t)number;
    memcpy(record + records.number_offset, &low, 4);
    if (memcmp(raw + (size_t)index * records.byte_count, record, records.byte_count) != 0)
      return false;
  }
  return true;
}

int baseline_spool_replay(
    const char *path, struct baseline_spool_records records,
    struct baseline_spool_result *result) {
  memset(result, 0, sizeof *result);
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return errno;
  size_t most = aligned(sizeof(struct header) + (size_t)LZ4_compressBound(raw_bytes));
  uint8_t *raw = malloc(raw_bytes), *block = malloc(most);
  int error = raw == NULL || block == NULL ? ENOMEM : 0;
  uint64_t offset = 0;
  while (error == 0) {
    ssize_t got = pread(file, block, most, (off_t)offset);
    result->system_calls++;
    if (got <= 0) {
      error = got < 0 ? errno : 0;
      break;
    }
    // What one read brings may be several blocks.
    size_t used = 0;
    while ((size_t)got >= used + sizeof(struct header)) {
      struct header header;
      memcpy(&header, block + used, sizeof header);
      size_t total = aligned(sizeof header + header.stored);
      if ((size_t)got < used + total) break;
      uint8_t *payload = block + used + sizeof header;
      if (crc32c(payload, header.stored) != header.checksum ||
          LZ4_decompress_safe((char *)payload, (char *)raw, (int)header.stored, raw_bytes) !=
              (int)header.raw ||
          !compare(raw, header, records, result->records)) {
        error = EBADMSG;
        break;
      }
      result->records += header.records;
      used += total;
    }
    if (used == 0 && error == 0) error = EBADMSG;
    offset += used;
  }
  free(raw);
  free(block);
  close(file);
  return error;
}
