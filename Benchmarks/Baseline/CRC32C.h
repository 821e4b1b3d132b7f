// CRC-32C as fast as the processor has it.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
__attribute__((target("sse4.2")))
#elif defined(__aarch64__)
#include <arm_acle.h>
__attribute__((target("+crc")))
#endif
static inline uint32_t crc32c(const uint8_t *bytes, size_t count) {
  uint64_t crc = 0xffffffff;
  for (; count >= 8; bytes += 8, count -= 8) {
    uint64_t word;
    memcpy(&word, bytes, 8);
#if defined(__x86_64__)
    crc = __builtin_ia32_crc32di(crc, word);
#elif defined(__aarch64__)
    crc = __builtin_arm_crc32cd((uint32_t)crc, word);
#else
#error "no CRC-32C instruction known"
#endif
  }
  for (; count > 0; bytes++, count--) {
#if defined(__x86_64__)
    crc = __builtin_ia32_crc32qi((uint32_t)crc, *bytes);
#elif defined(__aarch64__)
    crc = __builtin_arm_crc32cb((uint32_t)crc, *bytes);
#endif
  }
  return ~(uint32_t)crc;
}
