// The door to nghttp2.
#pragma once
#include <nghttp2/nghttp2.h>

// Fields of nghttp2's unions, read in C: Swift would copy the whole union for each.
static inline int32_t cnghttp2_stream_id(const nghttp2_frame *frame) {
  return frame->hd.stream_id;
}
static inline uint8_t cnghttp2_type(const nghttp2_frame *frame) { return frame->hd.type; }
static inline uint8_t cnghttp2_flags(const nghttp2_frame *frame) { return frame->hd.flags; }
static inline int cnghttp2_is_request(const nghttp2_frame *frame) {
  return frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST;
}
static inline int32_t cnghttp2_goaway_last_stream_id(const nghttp2_frame *frame) {
  return frame->goaway.last_stream_id;
}

// Errors and flags, each as the integer type the callbacks use.
enum {
  CNGHTTP2_ERR_DEFERRED = NGHTTP2_ERR_DEFERRED,
  CNGHTTP2_ERR_WOULDBLOCK = NGHTTP2_ERR_WOULDBLOCK,
  CNGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE = NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE,
  CNGHTTP2_ERR_NOMEM = NGHTTP2_ERR_NOMEM,
  CNGHTTP2_ERR_BAD_CLIENT_MAGIC = NGHTTP2_ERR_BAD_CLIENT_MAGIC,
  CNGHTTP2_ERR_FLOODED = NGHTTP2_ERR_FLOODED,
  // NGHTTP2_ERR_TOO_MANY_CONTINUATIONS: by its value, as headers before 1.61 do not have its name.
  CNGHTTP2_ERR_TOO_MANY_CONTINUATIONS = -905,
  CNGHTTP2_DATA_EOF = NGHTTP2_DATA_FLAG_EOF,
  CNGHTTP2_DATA_NO_END_STREAM = NGHTTP2_DATA_FLAG_NO_END_STREAM,
  CNGHTTP2_DATA_NO_COPY = NGHTTP2_DATA_FLAG_NO_COPY,
  CNGHTTP2_FLAG_END_STREAM = NGHTTP2_FLAG_END_STREAM,
  CNGHTTP2_FLAG_ACK = NGHTTP2_FLAG_ACK,
  CNGHTTP2_NV_NO_COPY = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE,
  CNGHTTP2_TYPE_DATA = NGHTTP2_DATA,
  CNGHTTP2_TYPE_HEADERS = NGHTTP2_HEADERS,
  CNGHTTP2_TYPE_SETTINGS = NGHTTP2_SETTINGS,
  CNGHTTP2_TYPE_PING = NGHTTP2_PING,
  CNGHTTP2_TYPE_GOAWAY = NGHTTP2_GOAWAY,
};
