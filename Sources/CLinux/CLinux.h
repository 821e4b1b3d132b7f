// The door to Linux and liburing: declarations, and a name for what Swift can't import (macros over
// atomics, variadic calls, enum constants written as shifts). No decisions are made here.
// <features.h> comes first: without it <liburing.h> clashes over fd_set.
#pragma once
#include <features.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/sockios.h>
#include <malloc.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

// MARK: The clock

// Whether the time of day is synchronised (adjtimex(2), STA_UNSYNC). Asking takes no privilege;
// where it is refused all the same (seccomp) nobody knows.
static inline bool clinux_clock_is_synchronised(void) {
  struct timex timex = {0};
  return adjtimex(&timex) >= 0 && !(timex.status & STA_UNSYNC);
}

// MARK: Sockets

// Bytes of a socket's send queue that the other host has not acknowledged (tcp(7), SIOCOUTQ);
// negative where nobody can tell.
static inline int clinux_queued_bytes(int fd) {
  int count = 0;
  return ioctl(fd, SIOCOUTQ, &count) == 0 ? count : -1;
}

// MARK: The submission queue

// Entry i always stands in place i, so that publishing is a store of the tail.
static inline void clinux_sq_lay_out(struct io_uring *ring) {
  for (unsigned index = 0; index < ring->sq.ring_entries; index++) ring->sq.array[index] = index;
}

static inline void clinux_sq_publish(struct io_uring *ring) {
  ring->sq.sqe_head = ring->sq.sqe_tail;
  io_uring_smp_store_release(ring->sq.ktail, ring->sq.sqe_tail);
}

static inline unsigned clinux_sq_flags(const struct io_uring *ring) {
  return IO_URING_READ_ONCE(*ring->sq.kflags);
}

static inline int clinux_enter(
    int fd, unsigned submit, unsigned minimum, unsigned flags,
    struct io_uring_getevents_arg *argument) {
  return io_uring_enter2(
      (unsigned)fd, submit, minimum, flags | IORING_ENTER_EXT_ARG, (sigset_t *)argument,
      sizeof *argument);
}

// MARK: The completion queue

static inline const struct io_uring_cqe *clinux_cq_peek(const struct io_uring *ring) {
  unsigned head = *ring->cq.khead;
  if (head == io_uring_smp_load_acquire(ring->cq.ktail)) return NULL;
  return &ring->cq.cqes[head & ring->cq.ring_mask];
}

static inline unsigned clinux_cqe_buffer(unsigned flags) {
  return flags >> IORING_CQE_BUFFER_SHIFT;
}

// MARK: Entries

static inline void clinux_prep_accept(struct io_uring_sqe *sqe, int fd, __u64 user_data) {
  io_uring_prep_multishot_accept(sqe, fd, NULL, NULL, SOCK_CLOEXEC);
  sqe->user_data = user_data;
}

static inline void clinux_prep_receive(
    struct io_uring_sqe *sqe, int fd, unsigned short group, __u64 user_data) {
  io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
  sqe->flags = IOSQE_BUFFER_SELECT;
  sqe->buf_group = group;
  sqe->user_data = user_data;
}

static inline void clinux_prep_connect(
    struct io_uring_sqe *sqe, int fd, const void *address, socklen_t length, __u64 user_data) {
  io_uring_prep_connect(sqe, fd, (const struct sockaddr *)address, length);
  sqe->user_data = user_data;
}

// MSG_WAITALL: the kernel goes on by itself after a partial send, as long as there is no error.
static inline void clinux_prep_send(
    struct io_uring_sqe *sqe, int fd, const void *bytes, size_t count, __u64 user_data) {
  io_uring_prep_send(sqe, fd, bytes, count, MSG_NOSIGNAL | MSG_WAITALL);
  sqe->user_data = user_data;
}

static inline void clinux_prep_gathered_send(
    struct io_uring_sqe *sqe, int fd, const struct msghdr *message, __u64 user_data) {
  io_uring_prep_sendmsg(sqe, fd, message, MSG_NOSIGNAL | MSG_WAITALL);
  sqe->user_data = user_data;
}

static inline void clinux_prep_cancel(
    struct io_uring_sqe *sqe, __u64 target, unsigned flags, __u64 user_data) {
  io_uring_prep_cancel64(sqe, target, (int)flags);
  sqe->user_data = user_data;
}

static inline void clinux_prep_close(struct io_uring_sqe *sqe, int fd, __u64 user_data) {
  io_uring_prep_close(sqe, fd);
  sqe->user_data = user_data;
}

static inline void clinux_prep_read(
    struct io_uring_sqe *sqe, int fd, void *bytes, unsigned count, __u64 user_data) {
  io_uring_prep_read(sqe, fd, bytes, count, 0);
  sqe->user_data = user_data;
}

static inline void clinux_prep_poll(struct io_uring_sqe *sqe, int fd, __u64 user_data) {
  io_uring_prep_poll_add(sqe, fd, POLLIN);
  sqe->user_data = user_data;
}

// Paths are copied, and lists of slices read, when the kernel takes the entry.
static inline void clinux_prep_open(
    struct io_uring_sqe *sqe, int directory, const char *name, int flags, mode_t mode,
    __u64 user_data) {
  io_uring_prep_openat(sqe, directory, name, flags | O_CLOEXEC | O_NOFOLLOW, mode);
  sqe->user_data = user_data;
}

static inline void clinux_prep_write(
    struct io_uring_sqe *sqe, int fd, const struct msghdr *slices, __u64 offset, __u64 user_data) {
  io_uring_prep_writev(sqe, fd, slices->msg_iov, (unsigned)slices->msg_iovlen, offset);
  sqe->user_data = user_data;
}

static inline void clinux_prep_file_read(
    struct io_uring_sqe *sqe, int fd, void *bytes, unsigned count, __u64 offset,
    __u64 user_data) {
  io_uring_prep_read(sqe, fd, bytes, count, offset);
  sqe->user_data = user_data;
}

static inline void clinux_prep_sync(
    struct io_uring_sqe *sqe, int fd, int data_only, __u64 user_data) {
  io_uring_prep_fsync(sqe, fd, data_only ? IORING_FSYNC_DATASYNC : 0);
  sqe->user_data = user_data;
}

static inline void clinux_prep_allocate(
    struct io_uring_sqe *sqe, int fd, off_t byte_count, __u64 user_data) {
  io_uring_prep_fallocate(sqe, fd, 0, 0, byte_count);
  sqe->user_data = user_data;
}

static inline void clinux_prep_remove(
    struct io_uring_sqe *sqe, int directory, const char *name, __u64 user_data) {
  io_uring_prep_unlinkat(sqe, directory, name, 0);
  sqe->user_data = user_data;
}

static inline void clinux_prep_rename(
    struct io_uring_sqe *sqe, int directory, const char *name, const char *new_name,
    __u64 user_data) {
  io_uring_prep_renameat(sqe, directory, name, directory, new_name, 0);
  sqe->user_data = user_data;
}

// MARK: Calls

// The size of a file, or a negative error number; -EISDIR for what is no regular file.
static inline long long clinux_file_bytes(int fd) {
  struct stat status;
  if (fstat(fd, &status) != 0) return -errno;
  return S_ISREG(status.st_mode) ? (long long)status.st_size : -EISDIR;
}

static inline long long clinux_file_bytes_at(int directory, const char *name) {
  struct stat status;
  if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) != 0) return -errno;
  return S_ISREG(status.st_mode) ? (long long)status.st_size : -EISDIR;
}

// 0 or a positive error number.
static inline int clinux_truncate(int fd, off_t byte_count) {
  while (ftruncate(fd, byte_count) != 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

// The calls below answer a negative error number, or where they answer nothing else a positive one.
static inline int clinux_open_at(int directory, const char *name, int flags, mode_t mode) {
  int fd = openat(directory, name, flags | O_CLOEXEC | O_NOFOLLOW, mode);
  return fd < 0 ? -errno : fd;
}

static inline ssize_t clinux_read_at(int fd, void *memory, size_t byte_count, off_t offset) {
  ssize_t count;
  do count = pread(fd, memory, byte_count, offset);
  while (count < 0 && errno == EINTR);
  return count < 0 ? -errno : count;
}

static inline ssize_t clinux_write_at(
    int fd, const void *memory, size_t byte_count, off_t offset) {
  ssize_t count;
  do count = pwrite(fd, memory, byte_count, offset);
  while (count < 0 && errno == EINTR);
  return count < 0 ? -errno : count;
}

static inline int clinux_allocate(int fd, off_t byte_count) {
  return posix_fallocate(fd, 0, byte_count);
}

static inline int clinux_sync(int fd, int data_only) {
  return (data_only ? fdatasync(fd) : fsync(fd)) == 0 ? 0 : errno;
}

static inline int clinux_remove_at(int directory, const char *name) {
  return unlinkat(directory, name, 0) == 0 ? 0 : errno;
}

static inline int clinux_rename_at(int directory, const char *old_name, const char *new_name) {
  return renameat(directory, old_name, directory, new_name) == 0 ? 0 : errno;
}

// A directory's own descriptor for reading its names: closing that one leaves `fd` open.
static inline DIR *clinux_open_names(int fd) {
  int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (copy < 0) return NULL;
  DIR *names = fdopendir(copy);
  if (names == NULL) close(copy);
  return names;
}

static inline const char *clinux_next_name(DIR *names) {
  errno = 0;
  struct dirent *entry = readdir(names);
  return entry == NULL ? NULL : entry->d_name;
}

static inline int clinux_errno(void) { return errno; }

// One variable, "NAME=VALUE"; NULL behind the last. (`environ` is a global variable.)
extern char **environ;
static inline const char *clinux_environment_entry(int index) {
  return environ == NULL ? NULL : environ[index];
}

static inline int clinux_open(const char *path, int flags, mode_t mode) {
  return open(path, flags, mode);
}

static inline void clinux_name_thread(const char *name) { prctl(PR_SET_NAME, name, 0, 0, 0); }

static inline void *clinux_map_anonymous(size_t byte_count) {
  void *memory = mmap(
      NULL, byte_count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return memory == MAP_FAILED ? NULL : memory;
}

// The limit on descriptors: its kind is an enum that Swift does not take for an int.
static inline int clinux_get_descriptor_limit(struct rlimit *limit) {
  return getrlimit(RLIMIT_NOFILE, limit);
}
static inline int clinux_set_descriptor_limit(const struct rlimit *limit) {
  return setrlimit(RLIMIT_NOFILE, limit);
}
