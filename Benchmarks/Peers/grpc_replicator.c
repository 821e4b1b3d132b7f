// The gRPC C core as a caller of ReplicateData: one stream, as many batches under way without their
// acknowledgement as asked for, each with so many records of 256 keys. Made and run by `bench
// --peers` where the library is installed; nothing else needs it.
//
//     grpc_replicator PORT PAYLOAD-BYTES BATCHES RECORDS RECORD-BYTES
//
// RECORD-BYTES: records with fewer get an attribute that fills them up.
#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/slice.h>
#include <grpc/support/time.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "../Load/message.h"
#include "core_channel.h"

enum { clients = 256, send_tag = 1, receive_tag = 2, begin_tag = 3 };

static grpc_completion_queue *queue;
static grpc_call *call;
static grpc_byte_buffer *answer;
static uint64_t sequences[clients], request, offset;

static int start(grpc_op *ops, size_t count, uintptr_t tag) {
  return grpc_call_start_batch(call, ops, count, (void *)tag, NULL) == GRPC_CALL_OK ? 0 : -1;
}

static int receive(void) {
  grpc_op op = {
      .op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &answer};
  return start(&op, 1, receive_tag);
}

// A StreamMessage as an element of a batch; the bytes written.
static size_t element(
    unsigned char *out, uint32_t payload_bytes, size_t record_bytes, unsigned char *scratch) {
  static uint32_t client;
  static const unsigned char filler[512];
  client = (client + 1) % clients;
  size_t count =
      message_record(scratch, client, payload_bytes, sequences[client]++, ++request, 0);
  // An attribute of the map (field 6): its key, and as its value what is missing.
  if (count - 5 + 12 < record_bytes) {
    unsigned char entry[600];
    size_t room = record_bytes - (count - 5) - 12;
    size_t bytes = message_bytes(entry, 1, "fill", 4);
    bytes += message_bytes(entry + bytes, 2, filler, room < 500 ? room : 500);
    count += message_bytes(scratch + count, 6, entry, bytes);
  }
  return message_bytes(out, 2, scratch + 5, count - 5);
}

static int send_batch(uint32_t payload_bytes, uint32_t records, size_t record_bytes) {
  static const char topic[] = "/bench/bench";
  static unsigned char scratch[65536];
  size_t room = 64 + (size_t)records * (payload_bytes + message_room + 600);
  grpc_slice slice = grpc_slice_malloc(room < 4 << 20 ? room : 4 << 20);
  unsigned char *out = GRPC_SLICE_START_PTR(slice);
  size_t count = message_bytes(out, 1, topic, sizeof topic - 1);
  for (uint32_t index = 0; index < records; index++) {
    count += element(out + count, payload_bytes, record_bytes, scratch);
  }
  offset += records;
  out[count++] = 0x18;
  count += message_varint(out + count, offset);
  GRPC_SLICE_SET_LENGTH(slice, count);
  grpc_byte_buffer *message = grpc_raw_byte_buffer_create(&slice, 1);
  grpc_slice_unref(slice);
  grpc_op op = {.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = message};
  int code = start(&op, 1, send_tag);
  grpc_byte_buffer_destroy(message);
  return code;
}

int main(int count, char **arguments) {
  if (count != 6) return 64;
  uint32_t payload_bytes = (uint32_t)atoi(arguments[2]);
  uint32_t window = (uint32_t)atoi(arguments[3]), records = (uint32_t)atoi(arguments[4]);
  size_t record_bytes = (size_t)atoi(arguments[5]);
  prctl(PR_SET_PDEATHSIG, 9);
  grpc_init();
  grpc_channel *channel = core_channel(atoi(arguments[1]), NULL);
  queue = grpc_completion_queue_create_for_next(NULL);
  void *method = grpc_channel_register_call(
      channel, "/danube.edge.EdgeReplicatorService/ReplicateData", NULL, NULL);
  call = grpc_channel_create_registered_call(
      channel, NULL, GRPC_PROPAGATE_DEFAULTS, queue, method,
      gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
  grpc_metadata_array first;
  grpc_metadata_array_init(&first);
  grpc_op begin = {.op = GRPC_OP_SEND_INITIAL_METADATA};
  grpc_op fields = {
      .op = GRPC_OP_RECV_INITIAL_METADATA,
      .data.recv_initial_metadata.recv_initial_metadata = &first};
  if (start(&begin, 1, begin_tag) != 0 || start(&fields, 1, begin_tag) != 0 || receive() != 0) {
    return 76;
  }
  uint32_t open = 0;
  int is_sending = 0;
  for (;;) {
    if (!is_sending && open < window) {
      if (send_batch(payload_bytes, records, record_bytes) != 0) return 76;
      is_sending = 1;
      open++;
    }
    grpc_event event =
        grpc_completion_queue_next(queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
    if (event.type != GRPC_OP_COMPLETE || !event.success) return 76;
    if ((uintptr_t)event.tag == send_tag) is_sending = 0;
    if ((uintptr_t)event.tag != receive_tag) continue;
    if (answer == NULL || open == 0) return 76;
    grpc_byte_buffer_destroy(answer);
    answer = NULL;
    open--;
    if (receive() != 0) return 76;
  }
}
