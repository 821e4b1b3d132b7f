// The gRPC C core as a caller of SendMessage: one channel, one completion queue, as many calls in
// flight as asked for, each with the next record of a key of its own. Made and run by `bench
// --peers` where the library is installed; nothing else needs it.
//
//     grpc_publisher PORT PAYLOAD-BYTES CALLS [MESSAGES [AUTHORITY-FILE]]
//
// After so many messages, all of them answered, it ends with code 0; with 0 it goes on for ever.
// With an authority's file it speaks TLS.
#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/slice.h>
#include <grpc/support/time.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "../Load/fields.h"
#include "../Load/message.h"
#include "core_channel.h"

struct call {
  unsigned char *message;
  grpc_call *call;
  grpc_metadata_array first, last;
  grpc_byte_buffer *answer;
  grpc_status_code status;
  grpc_slice details;
  uint64_t sequence;
};

static grpc_channel *channel;
static grpc_completion_queue *queue;
static uint64_t request;

static int begin(struct call *call, void *method, size_t count) {
  // What the core sends has no prefix: it writes its own.
  grpc_slice slice = grpc_slice_from_static_buffer(call->message + 5, count - 5);
  grpc_byte_buffer *message = grpc_raw_byte_buffer_create(&slice, 1);
  call->call = grpc_channel_create_registered_call(
      channel, NULL, GRPC_PROPAGATE_DEFAULTS, queue, method,
      gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
  grpc_metadata_array_init(&call->first);
  grpc_metadata_array_init(&call->last);
  call->answer = NULL;
  grpc_op ops[6] = {
      {.op = GRPC_OP_SEND_INITIAL_METADATA},
      {.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = message},
      {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT},
      {.op = GRPC_OP_RECV_INITIAL_METADATA,
       .data.recv_initial_metadata.recv_initial_metadata = &call->first},
      {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &call->answer},
      {.op = GRPC_OP_RECV_STATUS_ON_CLIENT,
       .data.recv_status_on_client = {
           .trailing_metadata = &call->last, .status = &call->status,
           .status_details = &call->details}}};
  grpc_call_error error = grpc_call_start_batch(call->call, ops, 6, call, NULL);
  grpc_byte_buffer_destroy(message);
  return error == GRPC_CALL_OK ? 0 : -1;
}

static int finish(struct call *call) {
  int is_good = call->status == GRPC_STATUS_OK && call->answer != NULL;
  if (call->answer) grpc_byte_buffer_destroy(call->answer);
  grpc_metadata_array_destroy(&call->first);
  grpc_metadata_array_destroy(&call->last);
  grpc_slice_unref(call->details);
  grpc_call_unref(call->call);
  return is_good ? 0 : -1;
}

// Learns the producer's number from the answer to CreateProducer.
static void learn_producer(const struct call *call) {
  grpc_byte_buffer_reader reader;
  if (call->answer == NULL || !grpc_byte_buffer_reader_init(&reader, call->answer)) return;
  grpc_slice slice = grpc_byte_buffer_reader_readall(&reader);
  message_producer_id =
      find_field(GRPC_SLICE_START_PTR(slice), GRPC_SLICE_LENGTH(slice), 2).value;
  grpc_slice_unref(slice);
  grpc_byte_buffer_reader_destroy(&reader);
}

static struct call *next(void) {
  grpc_event event =
      grpc_completion_queue_next(queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
  return event.type == GRPC_OP_COMPLETE && event.success ? event.tag : NULL;
}

static int send_next(struct call *call, struct call *all, void *method, uint32_t payload_bytes) {
  size_t bytes = message_record(
      call->message, (uint32_t)(call - all), payload_bytes, call->sequence++, ++request, 0);
  return begin(call, method, bytes);
}

int main(int count, char **arguments) {
  if (count < 4 || count > 6) return 64;
  uint32_t payload_bytes = (uint32_t)atoi(arguments[2]), calls = (uint32_t)atoi(arguments[3]);
  uint64_t messages = count > 4 ? strtoull(arguments[4], NULL, 10) : 0, answered = 0;
  prctl(PR_SET_PDEATHSIG, 9);
  grpc_init();
  channel = core_channel(atoi(arguments[1]), count > 5 ? arguments[5] : NULL);
  queue = grpc_completion_queue_create_for_next(NULL);
  void *create = grpc_channel_register_call(
      channel, "/danube.ProducerService/CreateProducer", NULL, NULL);
  void *send =
      grpc_channel_register_call(channel, "/danube.ProducerService/SendMessage", NULL, NULL);
  struct call *all = calloc(calls, sizeof *all);
  if (all == NULL) return 71;
  for (uint32_t index = 0; index < calls; index++) {
    all[index].message = malloc(payload_bytes + message_room);
    if (all[index].message == NULL) return 71;
  }
  if (begin(all, create, message_producer(all->message)) != 0) return 76;
  struct call *call = next();
  if (call != NULL) learn_producer(call);
  if (call == NULL || finish(call) != 0) return 76;
  for (uint32_t index = 0; index < calls; index++) {
    if (send_next(&all[index], all, send, payload_bytes) != 0) return 76;
  }
  while ((call = next()) != NULL) {
    if (finish(call) != 0) return 76;
    if (messages > 0 && ++answered == messages) return 0;
    if (messages > 0 && request >= messages) continue;
    if (send_next(call, all, send, payload_bytes) != 0) return 76;
  }
  return 76;
}
