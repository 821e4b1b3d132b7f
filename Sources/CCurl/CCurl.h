// The door to libcurl, for danube-device. The gateway does not link it.
#pragma once
// The type checks are macros around macros, which Swift does not import.
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

// Swift calls no variadic functions: one function for each type of value.
static inline CURLcode ccurl_set_long(CURL *curl, CURLoption option, long value) {
  return curl_easy_setopt(curl, option, value);
}
static inline CURLcode ccurl_set_string(CURL *curl, CURLoption option, const char *value) {
  return curl_easy_setopt(curl, option, value);
}
static inline CURLcode ccurl_set_pointer(CURL *curl, CURLoption option, void *value) {
  return curl_easy_setopt(curl, option, value);
}
static inline CURLcode ccurl_set_headers(CURL *curl, struct curl_slist *headers) {
  return curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
}
static inline long ccurl_get_long(CURL *curl, CURLINFO info) {
  long value = 0;
  return curl_easy_getinfo(curl, info, &value) == CURLE_OK ? value : 0;
}
static inline long ccurl_get_retry_after(CURL *curl) {
  curl_off_t value = 0;
  return curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &value) == CURLE_OK ? (long)value : 0;
}
static inline long ccurl_get_number(CURL *curl) {
  char *value = 0;
  return curl_easy_getinfo(curl, CURLINFO_PRIVATE, &value) == CURLE_OK ? (long)value : -1;
}
static inline CURLcode ccurl_set_number(CURL *curl, long number) {
  return curl_easy_setopt(curl, CURLOPT_PRIVATE, (void *)number);
}
static inline CURLMcode ccurl_multi_set_long(CURLM *multi, CURLMoption option, long value) {
  return curl_multi_setopt(multi, option, value);
}

// What the answer's body is of no use for: it is read and forgotten.
static inline size_t ccurl_forget(char *bytes, size_t size, size_t count, void *user) {
  (void)bytes;
  (void)user;
  return size * count;
}
static inline CURLcode ccurl_forget_body(CURL *curl) {
  return curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, ccurl_forget);
}

// The next transfer that has ended, or null; its result goes to `result`.
static inline CURL *ccurl_next_ended(CURLM *multi, CURLcode *result) {
  int left = 0;
  CURLMsg *message;
  while ((message = curl_multi_info_read(multi, &left))) {
    if (message->msg != CURLMSG_DONE) continue;
    *result = message->data.result;
    return message->easy_handle;
  }
  return 0;
}
