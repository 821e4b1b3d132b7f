// Protobuf as far as the sink reads and writes it.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct field {
  uint32_t number;
  uint64_t value;
  const unsigned char *bytes;
  size_t count;
};

static inline int read_varint(const unsigned char **at, const unsigned char *end, uint64_t *value) {
  *value = 0;
  for (int shift = 0; shift < 64 && *at < end; shift += 7) {
    unsigned char byte = *(*at)++;
    *value |= (uint64_t)(byte & 0x7f) << shift;
    if (byte < 0x80) return 1;
  }
  return 0;
}

// The next field; 0 at the end, -1 when it is malformed.
static inline int next_field(
    const unsigned char **at, const unsigned char *end, struct field *field) {
  if (*at == end) return 0;
  uint64_t tag;
  if (!read_varint(at, end, &tag)) return -1;
  field->number = (uint32_t)(tag >> 3);
  switch (tag & 7) {
    case 0: return read_varint(at, end, &field->value) ? 1 : -1;
    case 2:
      if (!read_varint(at, end, &field->value)) return -1;
      if (field->value > (uint64_t)(end - *at)) return -1;
      field->bytes = *at;
      field->count = (size_t)field->value;
      *at += field->count;
      return 1;
    default: return -1;
  }
}

static inline size_t write_varint(unsigned char *out, uint64_t value) {
  size_t count = 0;
  for (; value > 127; value >>= 7) out[count++] = (unsigned char)(value | 0x80);
  out[count++] = (unsigned char)value;
  return count;
}

static inline size_t write_number(unsigned char *out, int field, uint64_t value) {
  out[0] = (unsigned char)(field << 3);
  return 1 + write_varint(out + 1, value);
}

static inline size_t write_bytes(unsigned char *out, int field, const void *bytes, size_t count) {
  out[0] = (unsigned char)(field << 3 | 2);
  size_t start = 1 + write_varint(out + 1, count);
  memcpy(out + start, bytes, count);
  return start + count;
}

// A field, the one that stands last; one without value where there is none.
static inline struct field find_field(const unsigned char *bytes, size_t count, uint32_t number) {
  const unsigned char *end = bytes + count;
  struct field field, found = {.bytes = bytes};
  while (next_field(&bytes, end, &field) > 0) {
    if (field.number == number) found = field;
  }
  return found;
}
