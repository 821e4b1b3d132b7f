// The door to libmosquitto, for danube-device. The gateway does not link it.
#pragma once
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>

// ppoll(2), which waits for less than a millisecond as well. It is declared here because the
// headers have it only with _GNU_SOURCE, which Swift does not set.
extern int ppoll(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *);
static inline int cmosquitto_wait(
    struct pollfd *polled, size_t count, const struct timespec *time) {
  return ppoll(polled, count, time, NULL);
}

// Codes and names as the integer type that the calls use.
enum {
  CMOSQUITTO_SUCCESS = MOSQ_ERR_SUCCESS,
  CMOSQUITTO_NO_CONNECTION = MOSQ_ERR_NO_CONN,
  CMOSQUITTO_CONNECTION_LOST = MOSQ_ERR_CONN_LOST,
  CMOSQUITTO_SYSTEM_ERROR = MOSQ_ERR_ERRNO,
};
