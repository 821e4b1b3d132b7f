import CGRPC
import Foundation

/// A gRPC client made of the C core, used by one thread.
final class CoreClient {
  /// How a call ended.
  struct Answer {
    var status: grpc_status_code
    var statusMessage: String
    var message: [UInt8]?
  }

  private let channel: OpaquePointer
  private let queue: OpaquePointer
  /// `authorization`, which calls carry; nil for none.
  private let metadata: UnsafeMutablePointer<grpc_metadata>?
  private var calls: [UInt: CoreCall] = [:]
  private var lastTag: UInt = 0

  init(port: Int, tls: CoreTLS? = nil, authorization: String? = nil) {
    CoreLibrary.start
    let credentials = tls.map { $0.channelCredentials() } ?? grpc_insecure_credentials_create()
    defer { grpc_channel_credentials_release(credentials) }
    channel = CoreLibrary.withArguments([
      "grpc.use_local_subchannel_pool": 1, "grpc.enable_http_proxy": 0,
    ]) { grpc_channel_create("127.0.0.1:\(port)", credentials, $0) }
    queue = grpc_completion_queue_create_for_next(nil)
    if let authorization {
      let field = UnsafeMutablePointer<grpc_metadata>.allocate(capacity: 1)
      field.initialize(to: grpc_metadata())
      field.pointee.key = CoreLibrary.slice("authorization")
      field.pointee.value = CoreLibrary.slice(authorization)
      metadata = field
    } else {
      metadata = nil
    }
  }

  deinit {
    for call in Set(calls.values) { grpc_call_cancel(call.call, nil) }
    while !calls.isEmpty, (try? runOnce(Deadline(seconds: 10))) != nil {}
    grpc_channel_destroy(channel)
    CoreLibrary.destroy(queue)
    if let metadata {
      grpc_slice_unref(metadata.pointee.key)
      grpc_slice_unref(metadata.pointee.value)
      metadata.deallocate()
    }
  }

  /// A unary call from its start to its end.
  func call(_ path: String, _ message: Proto, seconds: Double = 30) throws -> Answer {
    try finish(start(path, message.encoded, seconds: seconds))
  }

  /// Waits for the end of a call.
  func finish(_ call: CoreCall) throws -> Answer {
    let deadline = Deadline()
    while call.answer == nil { try runOnce(deadline) }
    return call.answer!
  }

  /// Starts a call with one request message. Its first answer message is received at once.
  func start(_ path: String, _ message: [UInt8], seconds: Double = 30) -> CoreCall {
    let method = CoreLibrary.slice(path)
    defer { grpc_slice_unref(method) }
    let call = CoreCall(
      grpc_channel_create_call(
        channel, nil, 0xffff, queue, method, nil,
        CoreLibrary.time(secondsFromNow: seconds), nil))
    let request = CoreLibrary.buffer(message)
    defer { grpc_byte_buffer_destroy(request) }
    var operations = [grpc_op](repeating: grpc_op(), count: 4)
    operations[0].op = GRPC_OP_SEND_INITIAL_METADATA
    operations[1].op = GRPC_OP_SEND_MESSAGE
    operations[1].data.send_message.send_message = request
    operations[2].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT
    operations[3].op = GRPC_OP_RECV_INITIAL_METADATA
    operations[3].data.recv_initial_metadata.recv_initial_metadata = call.initialMetadata
    sendMetadata(&operations[0])
    startBatch(call, operations, .begun)
    var last = grpc_op()
    last.op = GRPC_OP_RECV_STATUS_ON_CLIENT
    last.data.recv_status_on_client.trailing_metadata = call.trailingMetadata
    last.data.recv_status_on_client.status = call.status
    last.data.recv_status_on_client.status_details = call.statusDetails
    startBatch(call, [last], .ended)
    receiveMessage(call)
    return call
  }

  /// The next message of a server stream; nil when the stream has ended.
  func nextMessage(_ call: CoreCall, _ deadline: Deadline = Deadline()) throws -> [UInt8]? {
    while call.messages.isEmpty {
      if call.answer != nil { return nil }
      try runOnce(deadline)
    }
    return call.messages.removeFirst()
  }

  func cancel(_ call: CoreCall) {
    grpc_call_cancel(call.call, nil)
  }

  /// Handles one event; throws when none comes in time.
  func runOnce(_ deadline: Deadline) throws {
    let seconds = Double(deadline.millisecondsLeft) / 1000
    let event = grpc_completion_queue_next(
      queue, CoreLibrary.time(secondsFromNow: seconds), nil)
    guard event.type == GRPC_OP_COMPLETE else {
      throw EndToEndError("waited in vain for an answer by gRPC")
    }
    let tag = UInt(bitPattern: event.tag)
    guard let call = calls.removeValue(forKey: tag),
      let batch = call.batches.removeValue(forKey: tag)
    else { return }
    switch batch {
    case .begun: break
    case .message:
      // A stream ends with "no message".
      if let message = call.takeMessage() {
        call.messages.append(message)
        receiveMessage(call)
      } else {
        call.messagesEnded = true
      }
    case .ended: call.statusReceived = true
    }
  }

  /// The fields live as long as the client: the C core reads them when the call has a connection.
  private func sendMetadata(_ operation: inout grpc_op) {
    guard let metadata else { return }
    operation.data.send_initial_metadata.count = 1
    operation.data.send_initial_metadata.metadata = metadata
  }

  private func receiveMessage(_ call: CoreCall) {
    var operation = grpc_op()
    operation.op = GRPC_OP_RECV_MESSAGE
    operation.data.recv_message.recv_message = call.messageBuffer
    startBatch(call, [operation], .message)
  }

  private func startBatch(_ call: CoreCall, _ operations: [grpc_op], _ batch: CoreCall.Batch) {
    lastTag += 1
    calls[lastTag] = call
    call.batches[lastTag] = batch
    let result = grpc_call_start_batch(
      call.call, operations, operations.count, UnsafeMutableRawPointer(bitPattern: lastTag), nil)
    precondition(result == GRPC_CALL_OK, "the C core refuses the batch: \(result)")
  }
}

/// A call of `CoreClient` with the memory that the C core fills.
final class CoreCall: Hashable {
  enum Batch {
    case begun, message, ended
  }

  fileprivate let call: OpaquePointer
  fileprivate let initialMetadata = UnsafeMutablePointer<grpc_metadata_array>.allocate(capacity: 1)
  fileprivate let trailingMetadata = UnsafeMutablePointer<grpc_metadata_array>.allocate(capacity: 1)
  fileprivate let status = UnsafeMutablePointer<grpc_status_code>.allocate(capacity: 1)
  fileprivate let statusDetails = UnsafeMutablePointer<grpc_slice>.allocate(capacity: 1)
  fileprivate let messageBuffer =
    UnsafeMutablePointer<OpaquePointerToByteBuffer?>.allocate(capacity: 1)
  fileprivate var batches: [UInt: Batch] = [:]
  fileprivate var messages: [[UInt8]] = []
  fileprivate var messagesEnded = false
  fileprivate var statusReceived = false

  fileprivate init(_ call: OpaquePointer) {
    self.call = call
    grpc_metadata_array_init(initialMetadata)
    grpc_metadata_array_init(trailingMetadata)
    status.initialize(to: GRPC_STATUS_UNKNOWN)
    statusDetails.initialize(to: grpc_empty_slice())
    messageBuffer.initialize(to: nil)
  }

  deinit {
    if let buffer = messageBuffer.pointee { grpc_byte_buffer_destroy(buffer) }
    grpc_metadata_array_destroy(initialMetadata)
    grpc_metadata_array_destroy(trailingMetadata)
    grpc_slice_unref(statusDetails.pointee)
    grpc_call_unref(call)
    initialMetadata.deallocate()
    trailingMetadata.deallocate()
    status.deallocate()
    statusDetails.deallocate()
    messageBuffer.deallocate()
  }

  /// How the call ended, once it and its messages have.
  var answer: CoreClient.Answer? {
    guard statusReceived, messagesEnded else { return nil }
    return CoreClient.Answer(
      status: status.pointee, statusMessage: CoreLibrary.text(statusDetails.pointee),
      message: messages.first)
  }

  fileprivate func takeMessage() -> [UInt8]? {
    guard let buffer = messageBuffer.pointee else { return nil }
    defer { grpc_byte_buffer_destroy(buffer) }
    messageBuffer.pointee = nil
    return CoreLibrary.bytes(buffer)
  }

  static func == (left: CoreCall, right: CoreCall) -> Bool { left === right }
  func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}
