// The gRPC C core as a broker that answers CreateProducer and SendMessage and keeps nothing: one
// completion queue, one thread. Made and run by `bench --peers` where the library is installed.
//
//     grpc_server [CERTIFICATE-FILE KEY-FILE]
//
// It says its port as "PORT n".
#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/slice.h>
#include <grpc/support/time.h>
#include <sys/prctl.h>

#include "../Load/fields.h"
#include "core_channel.h"

enum { waiting_calls = 512 };

struct call {
  void *method;
  grpc_call *call;
  gpr_timespec deadline;
  grpc_metadata_array fields;
  grpc_byte_buffer *request;
  int is_answered, is_cancelled;
};

static grpc_server *server;
static grpc_completion_queue *queue;
static void *send_method, *create_method;

static int await_call(struct call *call) {
  call->request = NULL;
  call->is_answered = 0;
  grpc_metadata_array_init(&call->fields);
  return grpc_server_request_registered_call(
             server, call->method, &call->call, &call->deadline, &call->fields, &call->request,
             queue, queue, call) == GRPC_CALL_OK
             ? 0
             : -1;
}

static int answer(struct call *call) {
  unsigned char bytes[64];
  grpc_byte_buffer_reader reader;
  if (call->request == NULL || !grpc_byte_buffer_reader_init(&reader, call->request)) return -1;
  grpc_slice request = grpc_byte_buffer_reader_readall(&reader);
  const unsigned char *at = GRPC_SLICE_START_PTR(request);
  struct field id = find_field(at, GRPC_SLICE_LENGTH(request), 1);
  grpc_slice_unref(request);
  grpc_byte_buffer_reader_destroy(&reader);
  size_t count = write_number(bytes, 1, id.value);
  if (call->method == create_method) {
    count += write_number(bytes + count, 2, 1);
    count += write_bytes(bytes + count, 3, "bench-publisher", 15);
  }
  grpc_slice slice = grpc_slice_from_copied_buffer((const char *)bytes, count);
  grpc_byte_buffer *message = grpc_raw_byte_buffer_create(&slice, 1);
  grpc_op ops[4] = {
      {.op = GRPC_OP_SEND_INITIAL_METADATA},
      {.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = message},
      {.op = GRPC_OP_SEND_STATUS_FROM_SERVER,
       .data.send_status_from_server.status = GRPC_STATUS_OK},
      {.op = GRPC_OP_RECV_CLOSE_ON_SERVER,
       .data.recv_close_on_server.cancelled = &call->is_cancelled}};
  grpc_call_error error = grpc_call_start_batch(call->call, ops, 4, call, NULL);
  grpc_byte_buffer_destroy(message);
  grpc_slice_unref(slice);
  call->is_answered = 1;
  return error == GRPC_CALL_OK ? 0 : -1;
}

static int finish(struct call *call) {
  grpc_byte_buffer_destroy(call->request);
  grpc_metadata_array_destroy(&call->fields);
  grpc_call_unref(call->call);
  return await_call(call);
}

static grpc_server_credentials *credentials(int count, char **arguments) {
  if (count != 3) return grpc_insecure_server_credentials_create();
  grpc_ssl_pem_key_cert_pair pair = {
      .private_key = core_read_file(arguments[2]), .cert_chain = core_read_file(arguments[1])};
  return grpc_ssl_server_credentials_create(NULL, &pair, 1, 0, NULL);
}

int main(int count, char **arguments) {
  static struct call calls[waiting_calls];
  if (count != 1 && count != 3) return 64;
  prctl(PR_SET_PDEATHSIG, 9);
  grpc_init();
  server = grpc_server_create(NULL, NULL);
  queue = grpc_completion_queue_create_for_next(NULL);
  grpc_server_register_completion_queue(server, queue, NULL);
  grpc_server_register_method_payload_handling read = GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER;
  send_method = grpc_server_register_method(
      server, "/danube.ProducerService/SendMessage", NULL, read, 0);
  create_method = grpc_server_register_method(
      server, "/danube.ProducerService/CreateProducer", NULL, read, 0);
  int port = grpc_server_add_http2_port(server, "127.0.0.1:0", credentials(count, arguments));
  if (port <= 0) return 71;
  grpc_server_start(server);
  for (int index = 0; index < waiting_calls; index++) {
    calls[index].method = index == 0 ? create_method : send_method;
    if (await_call(&calls[index]) != 0) return 76;
  }
  printf("PORT %d\n", port);
  fflush(stdout);
  for (;;) {
    grpc_event event =
        grpc_completion_queue_next(queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
    if (event.type != GRPC_OP_COMPLETE) return 76;
    struct call *call = event.tag;
    int code = call->is_answered ? finish(call) : answer(call);
    if (code != 0) return 76;
  }
}
