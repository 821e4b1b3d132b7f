#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "BareServers.h"
#include "server.h"

static const char accepted[] =
    "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 46\r\n\r\n"
    "{\"status\":\"accepted\",\"topic\":\"/default/bench\"}";

static long content_length(const char *head, size_t count) {
  for (const char *line = head; line != NULL && line < head + count;) {
    if (strncasecmp(line, "content-length:", 15) == 0) return strtol(line + 15, NULL, 10);
    line = memchr(line, '\n', count - (size_t)(line - head));
    if (line != NULL) line++;
  }
  return 0;
}

static struct bare_answer reply(
    const unsigned char *bytes, size_t count, unsigned char *out, size_t capacity) {
  struct bare_answer answer = {0};
  while (answer.taken < count && answer.written + sizeof accepted - 1 <= capacity) {
    const char *head = (const char *)bytes + answer.taken;
    const char *end = memmem(head, count - answer.taken, "\r\n\r\n", 4);
    if (end == NULL) return answer;
    size_t length = (size_t)(end - head) + 4;
    long body = content_length(head, length);
    if (body < 0) answer.failed = 1;
    if (body < 0 || answer.taken + length + (size_t)body > count) return answer;
    memcpy(out + answer.written, accepted, sizeof accepted - 1);
    answer.written += sizeof accepted - 1;
    answer.taken += length + (size_t)body;
  }
  return answer;
}

int baseline_http_answerer(void) { return bare_serve(reply); }
