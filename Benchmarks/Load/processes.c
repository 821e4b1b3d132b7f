// Child processes and what Linux tells of them.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "BenchLoad.h"

uint64_t bench_now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

void bench_sleep(uint64_t nanoseconds) {
  struct timespec rest = {
      .tv_sec = (time_t)(nanoseconds / 1000000000u), .tv_nsec = (long)(nanoseconds % 1000000000u)};
  while (nanosleep(&rest, &rest) != 0 && errno == EINTR) continue;
}

// The variables of this process and `more`; they live as long as the process.
static char **environment_with(const char *const *more) {
  size_t count = 0, extra = 0;
  while (environ[count] != NULL) count++;
  while (more[extra] != NULL) extra++;
  char **all = calloc(count + extra + 1, sizeof *all);
  if (all == NULL) abort();
  memcpy(all, environ, count * sizeof *all);
  memcpy(all + count, more, extra * sizeof *all);
  return all;
}

int bench_spawn(
    const char *path, const char *const *arguments, const char *const *environment,
    const char *log, int *out) {
  int ends[2] = {-1, -1};
  if (out != NULL && pipe2(ends, O_CLOEXEC) != 0) return -1;
  char **variables = environment_with(environment);
  int parent = getpid();
  int process = fork();
  if (process == 0) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    // Nobody else ends it when the bench is killed.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);
    int file = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    int nothing = open("/dev/null", O_RDONLY);
    if (file < 0 || nothing < 0) _exit(127);
    dup2(nothing, 0);
    dup2(out != NULL ? ends[1] : file, 1);
    dup2(file, 2);
    execve(path, (char *const *)arguments, variables);
    _exit(127);
  }
  free(variables);
  if (out != NULL) {
    close(ends[1]);
    *out = ends[0];
  }
  return process;
}

int bench_is_running(int process) {
  siginfo_t info = {0};
  return waitid(P_PID, (id_t)process, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0;
}

int bench_end_process(int process, uint64_t nanoseconds) {
  int status = 0;
  uint64_t end = bench_now() + nanoseconds;
  kill(process, SIGCONT);
  kill(process, nanoseconds > 0 ? SIGTERM : SIGKILL);
  while (waitpid(process, &status, WNOHANG) == 0) {
    if (bench_now() > end) kill(process, SIGKILL);
    bench_sleep(2000000);
  }
  return status;
}

void bench_signal(int process, int signal) { kill(process, signal); }

uint64_t bench_processor_time(int process) {
  clockid_t clock;
  struct timespec time;
  if (clock_getcpuclockid(process, &clock) != 0 || clock_gettime(clock, &time) != 0) return 0;
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

int bench_read_port(int descriptor) {
  char line[32] = {0};
  size_t count = 0;
  uint64_t end = bench_now() + 10000000000u;
  while (count + 1 < sizeof line && memchr(line, '\n', count) == NULL && bench_now() < end) {
    struct pollfd readable = {.fd = descriptor, .events = POLLIN};
    if (poll(&readable, 1, 100) <= 0) continue;
    ssize_t part = read(descriptor, line + count, sizeof line - 1 - count);
    if (part <= 0) return 0;
    count += (size_t)part;
  }
  return strncmp(line, "PORT ", 5) == 0 ? atoi(line + 5) : 0;
}

static int loopback(int port, struct sockaddr_in *address) {
  memset(address, 0, sizeof *address);
  address->sin_family = AF_INET;
  address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address->sin_port = htons((uint16_t)port);
  return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

int bench_free_port(void) {
  struct sockaddr_in address;
  socklen_t length = sizeof address;
  int fd = loopback(0, &address), port = 0;
  if (fd >= 0 && bind(fd, (struct sockaddr *)&address, length) == 0 &&
      getsockname(fd, (struct sockaddr *)&address, &length) == 0) {
    port = ntohs(address.sin_port);
  }
  if (fd >= 0) close(fd);
  return port;
}

int bench_is_listening(int port) {
  struct sockaddr_in address;
  int fd = loopback(port, &address);
  int is_open = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
  if (fd >= 0) close(fd);
  return is_open;
}

long bench_http_get(int port, const char *path, char *body, size_t capacity) {
  struct sockaddr_in address;
  int fd = loopback(port, &address);
  struct timeval limit = {.tv_sec = 5};
  char request[256];
  int length = snprintf(
      request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
      path);
  size_t count = 0;
  if (fd < 0) return -1;
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
      send(fd, request, (size_t)length, MSG_NOSIGNAL) == length) {
    ssize_t part;
    while (count < capacity && (part = recv(fd, body + count, capacity - count, 0)) > 0) {
      count += (size_t)part;
    }
  }
  close(fd);
  char *end = memmem(body, count, "\r\n\r\n", 4);
  if (end == NULL) return -1;
  count -= (size_t)(end + 4 - body);
  memmove(body, end + 4, count);
  return (long)count;
}

long bench_raise_descriptor_limit(long wanted) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  if ((long)limit.rlim_cur >= wanted) return (long)limit.rlim_cur;
  struct rlimit higher = {(rlim_t)wanted, (rlim_t)wanted};
  if ((long)limit.rlim_max >= wanted) higher.rlim_max = limit.rlim_max;
  // Above the hard limit only root may.
  if (setrlimit(RLIMIT_NOFILE, &higher) != 0) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? (long)limit.rlim_cur : 0;
}

// The folder that goes when the bench is ended. Whoever ends it never gives the lock back.
static pthread_mutex_t folder_lock = PTHREAD_MUTEX_INITIALIZER;
static char guarded_folder[4096];

int bench_make_folder(char *template) {
  pthread_mutex_lock(&folder_lock);
  int code = mkdtemp(template) == NULL ? errno : 0;
  if (code == 0) snprintf(guarded_folder, sizeof guarded_folder, "%s", template);
  pthread_mutex_unlock(&folder_lock);
  return code;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place) {
  (void)status, (void)kind, (void)place;
  return remove(path);
}

void bench_remove_folder(const char *path) {
  nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
  pthread_mutex_lock(&folder_lock);
  if (strcmp(path, guarded_folder) == 0) guarded_folder[0] = 0;
  pthread_mutex_unlock(&folder_lock);
}

// Those that the bench's threads started and that write to its folder.
static void kill_children(void) {
  char list[4096], path[64];
  snprintf(path, sizeof path, "/proc/self/task/%d/children", getpid());
  long count = bench_read_file(path, list, sizeof list - 1);
  list[count > 0 ? count : 0] = 0;
  for (char *place = list, *end; (count = strtol(place, &end, 10)) > 0; place = end) {
    kill((pid_t)count, SIGKILL);
  }
}

static pthread_t main_thread;

static void stand_still(int signal) {
  (void)signal;
  for (;;) pause();
}

static void *await_signal(void *signals) {
  int signal = SIGTERM;
  sigwait(signals, &signal);
  pthread_mutex_lock(&folder_lock);
  // It must not write on, nor see its children end. It may hold the C heap's lock from now on: what
  // follows asks for no memory, and another program removes the folder.
  pthread_kill(main_thread, SIGUSR1);
  bench_sleep(10000000);
  kill_children();
  char *arguments[] = {"/bin/rm", "-rf", "--", guarded_folder, NULL};
  for (int attempt = 0; guarded_folder[0] != 0 && attempt < 100; attempt++) {
    pid_t remover;
    if (posix_spawn(&remover, *arguments, NULL, NULL, arguments, environ) != 0) break;
    waitpid(remover, NULL, 0);
    if (access(guarded_folder, F_OK) != 0) break;
    bench_sleep(10000000);
  }
  _exit(128 + signal);
}

void bench_clean_up_on_signals(void) {
  static sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGHUP);
  struct sigaction still = {.sa_handler = stand_still};
  pthread_t thread;
  main_thread = pthread_self();
  sigaction(SIGUSR1, &still, NULL);
  if (pthread_sigmask(SIG_BLOCK, &signals, NULL) != 0) return;
  if (pthread_create(&thread, NULL, await_signal, &signals) != 0) {
    pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
  }
}

void bench_end(int code) {
  pthread_mutex_lock(&folder_lock);
  exit(code);
}

long bench_read_file(const char *path, char *bytes, size_t capacity) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  size_t count = 0;
  ssize_t part;
  while (count < capacity && (part = read(fd, bytes + count, capacity - count)) > 0) {
    count += (size_t)part;
  }
  close(fd);
  return (long)count;
}

int bench_write_file(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return errno;
  size_t length = strlen(text);
  ssize_t written = write(fd, text, length);
  close(fd);
  return written == (ssize_t)length ? 0 : EIO;
}

uint64_t bench_read_counter(const char *path) {
  uint64_t count = 0;
  return bench_read_file(path, (char *)&count, sizeof count) == sizeof count ? count : 0;
}

int bench_write_counter(const char *path, uint32_t place, uint64_t value) {
  int file = open(path, O_WRONLY | O_CLOEXEC);
  if (file < 0) return errno;
  ssize_t written = pwrite(file, &value, sizeof value, (off_t)(place * sizeof value));
  close(file);
  return written == (ssize_t)sizeof value ? 0 : EIO;
}
