// What the programs on the gRPC C core share: a channel to a port of 127.0.0.1, in clear or through
// TLS with an authority of its own.
#pragma once
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <stdio.h>
#include <stdlib.h>

static inline char *core_read_file(const char *path) {
  FILE *file = fopen(path, "rb");
  char *text = calloc(1, 65536);
  if (file == NULL || text == NULL || fread(text, 1, 65535, file) == 0) exit(66);
  fclose(file);
  return text;
}

static inline grpc_channel *core_channel(int port, const char *authority_file) {
  char target[64];
  snprintf(target, sizeof target, "127.0.0.1:%d", port);
  grpc_channel_credentials *credentials =
      authority_file == NULL
          ? grpc_insecure_credentials_create()
          : grpc_ssl_credentials_create(core_read_file(authority_file), NULL, NULL, NULL);
  return grpc_channel_create(target, credentials, NULL);
}
