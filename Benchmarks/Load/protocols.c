// The bytes of MQTT 3.1.1 and HTTP/1.1 that a load generator writes and reads.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "load.h"

static const char topic[] = "bench/t";
enum { topic_bytes = sizeof topic - 1 };

// Identifiers of 16 bits, never 0, in turn.
static unsigned packet_id(uint64_t sequence) { return (unsigned)(sequence % 65535) + 1; }

static size_t prepare_publish(unsigned char *bytes, size_t payload) {
  size_t count = 0;
  bytes[count++] = 0x32;
  for (size_t rest = 2 + topic_bytes + 2 + payload;;) {
    bytes[count++] = (unsigned char)((rest & 0x7f) | (rest > 127 ? 0x80 : 0));
    rest >>= 7;
    if (rest == 0) break;
  }
  bytes[count++] = 0;
  bytes[count++] = topic_bytes;
  memcpy(bytes + count, topic, topic_bytes);
  return count + topic_bytes + 2;
}

void load_prepare(struct bench_load *load) {
  if (load->options.is_http) {
    static const char format[] =
        "POST /bench HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/octet-stream\r\n"
        "Content-Length: %u\r\nX-Client: c000000\r\n\r\n";
    load->head_bytes = (size_t)snprintf(
        (char *)load->head, sizeof load->head, format, load->options.payload_bytes);
    load->mark_offset = load->head_bytes - 10;
  } else {
    load->head_bytes = prepare_publish(load->head, load->options.payload_bytes);
    load->mark_offset = load->head_bytes - 2;
  }
  load->message_bytes = load->head_bytes + load->options.payload_bytes;
}

void load_write_message(
    const struct bench_load *load, unsigned char *bytes, uint32_t client, uint64_t sequence,
    uint64_t due) {
  memcpy(bytes, load->head, load->head_bytes);
  unsigned char *mark = bytes + load->mark_offset;
  if (load->options.is_http) {
    unsigned rest = client;
    for (int digit = 5; digit >= 0; digit--, rest /= 10) {
      mark[digit] = (unsigned char)('0' + rest % 10);
    }
  } else {
    unsigned id = packet_id(sequence);
    mark[0] = (unsigned char)(id >> 8);
    mark[1] = (unsigned char)id;
  }
  record_write(
      bytes + load->head_bytes, client, load->options.payload_bytes, sequence, due);
}

size_t load_write_greeting(
    const bench_load_options *options, unsigned char *bytes, uint32_t client) {
  if (options->is_http) return 0;
  memcpy(bytes, "\x10\x13\x00\x04MQTT\x04\x02\x00\x00\x00\x07", 14);
  char name[16];
  snprintf(name, sizeof name, "c%06u", client % 1000000);
  memcpy(bytes + 14, name, 7);
  return 21;
}

static size_t take_packets(
    struct bench_load *load, struct client *client, const unsigned char *bytes, size_t count) {
  size_t taken = 0;
  for (; taken + 4 <= count && !client->is_closed; taken += 4) {
    const unsigned char *packet = bytes + taken;
    unsigned value = (unsigned)packet[2] << 8 | packet[3];
    if (packet[0] == 0x40 && packet[1] == 2) {
      load_answered(load, client, value);
    } else if (packet[0] == 0x20 && packet[1] == 2 && value == 0 && !client->is_accepted) {
      load_accepted(load, client);
    } else {
      load_unexpected(load, client, "a packet that is no PUBACK");
      return count;
    }
  }
  return taken;
}

static size_t take_responses(
    struct bench_load *load, struct client *client, const unsigned char *bytes, size_t count) {
  size_t taken = 0;
  while (count - taken >= 16 && !client->is_closed) {
    const char *text = (const char *)bytes + taken;
    const char *end = memmem(text, count - taken, "\r\n\r\n", 4);
    if (end == NULL) break;
    size_t length = (size_t)(end - text) + 4;
    const char *field = memmem(text, length, "ontent-", 7);
    while (field != NULL && strncasecmp(field, "ontent-length:", 14) != 0) {
      field = memmem(field + 7, length - (size_t)(field + 7 - text), "ontent-", 7);
    }
    if (memcmp(text, "HTTP/1.1 ", 9) != 0 || field == NULL) {
      load_unexpected(load, client, "bytes that are no response with a length");
      return count;
    }
    size_t whole = length + strtoul(field + 14, NULL, 10);
    if (whole > count - taken) break;
    load_answered(load, client, (unsigned)strtoul(text + 9, NULL, 10));
    taken += whole;
  }
  return taken;
}

size_t load_take_answers(
    struct bench_load *load, struct client *client, const unsigned char *bytes, size_t count) {
  return load->options.is_http ? take_responses(load, client, bytes, count)
                               : take_packets(load, client, bytes, count);
}

void load_answered(struct bench_load *load, struct client *client, unsigned value) {
  unsigned expected = load->options.is_http ? 202 : packet_id(client->answered);
  int repeats = 1;
  // The faults stand here, in front of the checks that have to find them.
  if (load->options.plant != bench_plant_none && !load->is_planted &&
      load->counts.acknowledged == 100) {
    load->is_planted = 1;
    if (load->options.plant == bench_plant_lost) return;
    if (load->options.plant == bench_plant_duplicate) repeats = 2;
    if (load->options.plant == bench_plant_wrong_ack) value ^= 1;
  }
  for (; repeats > 0; repeats--) {
    if (client->answered == client->sent || value != expected) {
      load->counts.wrong++;
      if (load->problem[0] == 0) {
        snprintf(
            load->problem, sizeof load->problem, "client %u got the answer %u %s %u",
            client->number, value,
            client->answered == client->sent ? "when it waited for none, after" : "instead of",
            expected);
      }
      // A wrong answer is still one: otherwise all that follow would be wrong as well.
      if (client->answered == client->sent) continue;
    }
    uint64_t due = client->times[client->answered & load->time_mask];
    bench_histogram_add(load->latencies, load->now > due ? load->now - due : 0);
    client->answered++;
    load->counts.acknowledged++;
    load->open_count--;
  }
  uint64_t silence = load->now - load->last_answer;
  if (silence > load->counts.longest_silence_ns) load->counts.longest_silence_ns = silence;
  load->last_answer = load->now;
}
