// The door to the gRPC C core, an independent peer for tests. The gateway does not link it.
#pragma once
#include <grpc/grpc.h>
#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/support/alloc.h>
#include <grpc/support/time.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
