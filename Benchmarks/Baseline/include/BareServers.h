// The bare loops that a process scenario is measured beside: what the kernel and the protocol cost
// when nothing is kept, checked or forwarded. Each runs in a process of its own until it is killed.
#pragma once
#include <stdint.h>

// Acknowledges every MQTT 3.1.1 PUBLISH of QoS 1, one thread, one io_uring. It writes "PORT n\n"
// to standard output, and returns only an error number.
int baseline_mqtt_acknowledger(void);

// Answers every HTTP/1.1 request with the gateway's 202, one thread, one io_uring. As above.
int baseline_http_answerer(void);

// Calls SendMessage at the broker on `port` by nghttp2, `calls` in flight, each with a key of its
// own and the bench's record of `payload_bytes`: as fast as answers come, or with `rate` so many a
// second at times fixed beforehand. It returns an error number when it fails.
int baseline_publisher(uint16_t port, uint32_t payload_bytes, uint32_t calls, uint32_t rate);

// Counts a system call of this process, for whoever reads the file HEAP_COUNT_FILE (HeapCount.c).
void baseline_system_call(void);
