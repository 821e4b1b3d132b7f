#include <string.h>

#include "BareServers.h"
#include "server.h"

// The length of a packet with its fixed header (MQTT 3.1.1 §2.2.3), 0 when it has not come whole,
// -1 when it is malformed. `start` is where its body begins.
static long packet_length(const unsigned char *bytes, size_t count, size_t *start) {
  size_t length = 0;
  for (size_t index = 1; index < 5; index++) {
    if (index >= count) return 0;
    length |= (size_t)(bytes[index] & 0x7f) << (7 * (index - 1));
    if (bytes[index] & 0x80) continue;
    *start = index + 1;
    return index + 1 + length <= count ? (long)(index + 1 + length) : 0;
  }
  return -1;
}

static struct bare_answer acknowledge(
    const unsigned char *bytes, size_t count, unsigned char *out, size_t capacity) {
  struct bare_answer answer = {0};
  while (answer.taken < count && answer.written + 4 <= capacity) {
    const unsigned char *packet = bytes + answer.taken;
    size_t start = 0;
    long length = packet_length(packet, count - answer.taken, &start);
    if (length < 0) answer.failed = 1;
    if (length <= 0) return answer;
    unsigned char *reply = out + answer.written;
    switch (packet[0] >> 4) {
      case 1:  // CONNECT
        memcpy(reply, "\x20\x02\x00\x00", 4);
        answer.written += 4;
        break;
      case 3: {  // PUBLISH
        size_t topic = (size_t)packet[start] << 8 | packet[start + 1];
        if ((packet[0] & 6) != 2 || start + 2 + topic + 2 > (size_t)length) {
          answer.failed = 1;
          return answer;
        }
        reply[0] = 0x40;
        reply[1] = 2;
        reply[2] = packet[start + 2 + topic];
        reply[3] = packet[start + 3 + topic];
        answer.written += 4;
        break;
      }
      case 14:  // DISCONNECT
        break;
      default: answer.failed = 1; return answer;
    }
    answer.taken += (size_t)length;
  }
  return answer;
}

int baseline_mqtt_acknowledger(void) { return bare_serve(acknowledge); }
