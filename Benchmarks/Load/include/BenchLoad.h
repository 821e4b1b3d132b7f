// Load generators, a sink and child processes for the bench: what is around the gateway under test.
// Plain C, so that they take little of the two cores that they share with it.
#pragma once
#include <stddef.h>
#include <stdint.h>

// MARK: Latencies

// Counts of durations: 128 steps to each power of two, so that a value is told to within 1 %.
typedef struct bench_histogram bench_histogram;
bench_histogram *_Nonnull bench_histogram_new(void);
void bench_histogram_free(bench_histogram *_Nonnull histogram);
void bench_histogram_reset(bench_histogram *_Nonnull histogram);
void bench_histogram_add(bench_histogram *_Nonnull histogram, uint64_t nanoseconds);
uint64_t bench_histogram_count(const bench_histogram *_Nonnull histogram);
// The duration that `fraction` (0 to 1) of them are not above; 1 is the longest, exactly.
uint64_t bench_histogram_at(const bench_histogram *_Nonnull histogram, double fraction);
// How often the next value was seen, from `place` on, which moves behind it; 0 at the end.
uint64_t bench_histogram_next(
    const bench_histogram *_Nonnull histogram, uint32_t *_Nonnull place,
    uint64_t *_Nonnull value);

// MARK: Planted faults

// What the bench does wrong on purpose, once, to try its own checks.
enum {
  bench_plant_none = 0,
  bench_plant_lost = 1,
  bench_plant_duplicate = 2,
  bench_plant_wrong_ack = 3,
};

// MARK: Load

typedef struct {
  // 0: MQTT 3.1.1 with QoS 1. 1: HTTP/1.1 POSTs on connections that are kept.
  int is_http;
  uint16_t port;
  uint32_t connections;
  // Messages that a connection may have sent without their answer; 1 is unpipelined.
  uint32_t window;
  // At least `bench_record_smallest`.
  uint32_t payload_bytes;
  // Messages a second over all connections, at times fixed beforehand; 0: as fast as answers come.
  uint64_t rate_per_s;
  // The number of the first client.
  uint32_t first_client;
  int plant;
} bench_load_options;

enum { bench_record_smallest = 24 };

typedef struct {
  uint64_t sent, acknowledged;
  // Answers with another id, status or order than they should have.
  uint64_t wrong;
  // Connections that ended unasked.
  uint64_t closed;
  // The longest time in which no connection got an answer although some waited for one.
  uint64_t longest_silence_ns;
} bench_load_counts;

typedef struct bench_load bench_load;

// Connects all of them and waits until all are accepted. NULL with a reason in `problem`.
bench_load *_Nullable bench_load_open(
    const bench_load_options *_Nonnull options, char *_Nonnull problem, size_t problem_bytes);
void bench_load_close(bench_load *_Nonnull load);
// Sends for so long. Answers are taken meanwhile; some are still to come at the end.
void bench_load_run(bench_load *_Nonnull load, uint64_t nanoseconds);
// Takes the answers that are still to come, for so long at most. Whether all came.
int bench_load_finish(bench_load *_Nonnull load, uint64_t nanoseconds);
bench_load_counts bench_load_counted(const bench_load *_Nonnull load);
// Messages of a client, counted from 0, that were answered.
uint64_t bench_load_answered(const bench_load *_Nonnull load, uint32_t client);
// From the time a message was to be sent to its answer.
bench_histogram *_Nonnull bench_load_latencies(bench_load *_Nonnull load);
// Forgets latencies and silences so far.
void bench_load_reset(bench_load *_Nonnull load);
// What was wrong first; empty when nothing was.
const char *_Nonnull bench_load_problem(const bench_load *_Nonnull load);

// MARK: Sink

typedef struct bench_sink bench_sink;

typedef struct {
  // Records accepted, repeated ones included.
  uint64_t records;
  uint64_t duplicates;
  // Records that came before one of a lower sequence of their client.
  uint64_t gaps;
  // Records with another content, key or topic than was sent, and calls that were malformed.
  uint64_t wrong;
  uint64_t connections;
  // When the last record came, nanoseconds of the monotonic clock, and the first one since
  // `bench_sink_reset`.
  uint64_t last_ns, first_ns;
  // Bytes of the records as messages, and batches in which some of them came.
  uint64_t bytes, batches;
} bench_sink_counts;

// A broker of Danube's that checks each record and keeps none; on a thread of its own, at a free
// port of 127.0.0.1. It knows `clients` clients. Without `keyed` records need no key.
bench_sink *_Nullable bench_sink_open(uint32_t clients, int keyed, int plant);
void bench_sink_close(bench_sink *_Nonnull sink);
uint16_t bench_sink_port(const bench_sink *_Nonnull sink);
// Speaks TLS 1.3 with this certificate and key, PEM files; before anybody connects. 0: it can't.
int bench_sink_secure(
    bench_sink *_Nonnull sink, const char *_Nonnull certificate, const char *_Nonnull key);
// Has clients that look topics up connect to another port: a relay's. Before anybody connects.
void bench_sink_advertise(bench_sink *_Nonnull sink, uint16_t port);
// Ends all connections and takes none until it is back.
void bench_sink_set_away(bench_sink *_Nonnull sink, int away);
bench_sink_counts bench_sink_counted(bench_sink *_Nonnull sink);
// The sequence that comes next of a client: all below have come.
uint64_t bench_sink_next(bench_sink *_Nonnull sink, uint32_t client);
// From the time a record was to be sent to its arrival here. Read it when nothing is under way.
bench_histogram *_Nonnull bench_sink_latencies(bench_sink *_Nonnull sink);
// Forgets latencies so far, and when the first record came.
void bench_sink_reset(bench_sink *_Nonnull sink);
const char *_Nonnull bench_sink_problem(bench_sink *_Nonnull sink);

// MARK: Relay

typedef struct bench_relay bench_relay;

// Passes TCP connections on to another port of 127.0.0.1, every byte `delay_ns` later than it came,
// in either direction; on a thread of its own. Connecting itself takes no time.
bench_relay *_Nullable bench_relay_open(uint16_t port, uint64_t delay_ns);
void bench_relay_close(bench_relay *_Nonnull relay);
uint16_t bench_relay_port(const bench_relay *_Nonnull relay);

// MARK: Processes

// The monotonic clock, nanoseconds.
uint64_t bench_now(void);
void bench_sleep(uint64_t nanoseconds);
// Starts a process that is killed when this one ends. `arguments` ends with NULL; `environment`
// has more variables ("NAME=VALUE") and ends with NULL. Its output goes to the file `log`, or
// when `out` is given standard output to the pipe whose reading end is stored there. -1: failed.
int bench_spawn(
    const char *_Nonnull path, const char *_Nullable const *_Nonnull arguments,
    const char *_Nullable const *_Nonnull environment, const char *_Nonnull log,
    int *_Nullable out);
// Ends a process that `bench_spawn` started: SIGTERM, after `nanoseconds` SIGKILL. Its status as
// `waitpid` tells it.
int bench_end_process(int process, uint64_t nanoseconds);
// Whether a process that `bench_spawn` started still runs.
int bench_is_running(int process);
// Processor time of all threads of a process, those that ended included, nanoseconds.
uint64_t bench_processor_time(int process);
// The "PORT n" line that a baseline writes; 0 when it does not come within 10 s.
int bench_read_port(int descriptor);
// A port of 127.0.0.1 that is free now.
int bench_free_port(void);
// Whether a port of 127.0.0.1 takes connections.
int bench_is_listening(int port);
// GETs a path; the body as text, bytes put into `body` or -1.
long bench_http_get(
    int port, const char *_Nonnull path, char *_Nonnull body, size_t capacity);
// Allows this process, and those it starts, so many descriptors; how many it may have.
long bench_raise_descriptor_limit(long wanted);
// Makes a folder of a name of mkdtemp(3), and removes it when a signal ends the bench; 0: done.
int bench_make_folder(char *_Nonnull path);
// Removes a folder with all that is in it.
void bench_remove_folder(const char *_Nonnull path);
// From now on SIGINT, SIGTERM and SIGHUP remove the folder that was made last. Before any other
// thread is started.
void bench_clean_up_on_signals(void);
// Ends the bench, or waits until a signal that came has ended it.
void bench_end(int code) __attribute__((noreturn));
// Reads a whole file, /proc's too; the number of bytes or -1.
long bench_read_file(const char *_Nonnull path, char *_Nonnull bytes, size_t capacity);
int bench_write_file(const char *_Nonnull path, const char *_Nonnull text);
// The eight bytes at the beginning of a file that another process has mapped.
uint64_t bench_read_counter(const char *_Nonnull path);
// Writes the eight bytes at `place` of such a file; 0, or an error number.
int bench_write_counter(const char *_Nonnull path, uint32_t place, uint64_t value);
void bench_signal(int process, int signal);
