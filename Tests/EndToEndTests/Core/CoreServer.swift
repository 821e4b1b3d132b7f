import CGRPC
import Foundation
import Synchronization

/// A gRPC server made of the C core, with a thread of its own. Unary methods only: every call is
/// handed to `handle` with its request and answered now or later, from any thread.
final class CoreServer: @unchecked Sendable {
  // No batch has these as its address.
  private static var requestTag: UnsafeMutableRawPointer? { .init(bitPattern: 1) }
  private static var shutdownTag: UnsafeMutableRawPointer? { .init(bitPattern: 2) }

  private let server: OpaquePointer
  private let queue: OpaquePointer
  private let finished = DispatchSemaphore(value: 0)
  private let handle: @Sendable (CoreServerCall) -> Void
  // Only the server's thread touches these.
  private var waiting: OpaquePointer?
  private let details = UnsafeMutablePointer<grpc_call_details>.allocate(capacity: 1)
  private let metadata = UnsafeMutablePointer<grpc_metadata_array>.allocate(capacity: 1)

  /// Serves on `port` of loopback, through TLS with a certificate.
  init(port: Int, tls: CoreTLS? = nil, handle: @escaping @Sendable (CoreServerCall) -> Void) throws
  {
    CoreLibrary.start
    self.handle = handle
    server = CoreLibrary.withArguments(["grpc.so_reuseport": 0]) { grpc_server_create($0, nil) }
    queue = grpc_completion_queue_create_for_next(nil)
    grpc_server_register_completion_queue(server, queue, nil)
    let credentials =
      tls.map { $0.serverCredentials() } ?? grpc_insecure_server_credentials_create()
    defer { grpc_server_credentials_release(credentials) }
    guard grpc_server_add_http2_port(server, "127.0.0.1:\(port)", credentials) == port else {
      grpc_server_destroy(server)
      CoreLibrary.destroy(queue)
      throw EndToEndError("the C core cannot listen on port \(port)")
    }
    grpc_server_start(server)
    Thread { self.run() }.start()
  }

  /// Stops listening, breaks every call and connection, and waits until the port is free.
  func stop() {
    grpc_server_shutdown_and_notify(server, queue, Self.shutdownTag)
    grpc_server_cancel_all_calls(server)
    finished.wait()
  }

  private func run() {
    requestCall()
    while true {
      let event = grpc_completion_queue_next(
        queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), nil)
      if event.tag == Self.shutdownTag { break }
      if event.tag == Self.requestTag {
        if event.success != 0 {
          acceptCall()
          requestCall()
        }
        continue
      }
      guard let tag = event.tag else { continue }
      let batch = Unmanaged<CoreServerCall.Batch>.fromOpaque(tag).takeRetainedValue()
      batch.completed(success: event.success != 0)
      // A call that ended before its message was there is nothing to answer.
      if batch.kind == .request, batch.call.isComplete { handle(batch.call) }
    }
    grpc_server_destroy(server)
    grpc_completion_queue_shutdown(queue)
    while true {
      let event = grpc_completion_queue_next(
        queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), nil)
      if event.type == GRPC_QUEUE_SHUTDOWN { break }
      if let tag = event.tag, tag != Self.requestTag {
        Unmanaged<CoreServerCall.Batch>.fromOpaque(tag).release()
      }
    }
    grpc_completion_queue_destroy(queue)
    details.deallocate()
    metadata.deallocate()
    finished.signal()
  }

  private func requestCall() {
    grpc_call_details_init(details)
    grpc_metadata_array_init(metadata)
    grpc_server_request_call(
      server, &waiting, details, metadata, queue, queue, Self.requestTag)
  }

  private func acceptCall() {
    guard let accepted = waiting else { return }
    var headers: [String: String] = [:]
    for index in 0..<metadata.pointee.count {
      let entry = metadata.pointee.metadata[index]
      headers[CoreLibrary.text(entry.key)] = CoreLibrary.text(entry.value)
    }
    let call = CoreServerCall(
      accepted, path: CoreLibrary.text(details.pointee.method),
      authority: CoreLibrary.text(details.pointee.host), headers: headers)
    grpc_call_details_destroy(details)
    grpc_metadata_array_destroy(metadata)
    call.receiveRequest()
  }
}

/// A call that `CoreServer` received.
final class CoreServerCall: @unchecked Sendable {
  /// One batch of operations under way; it keeps its call alive.
  final class Batch {
    enum Kind {
      case request, answer
    }

    let kind: Kind
    let call: CoreServerCall
    private let cancelled = UnsafeMutablePointer<Int32>.allocate(capacity: 1)
    private let message = UnsafeMutablePointer<OpaquePointerToByteBuffer?>.allocate(capacity: 1)

    fileprivate init(_ kind: Kind, _ call: CoreServerCall) {
      self.kind = kind
      self.call = call
      cancelled.initialize(to: 0)
      message.initialize(to: nil)
    }

    deinit {
      if let buffer = message.pointee { grpc_byte_buffer_destroy(buffer) }
      cancelled.deallocate()
      message.deallocate()
    }

    fileprivate func start(_ operations: [grpc_op]) {
      var operations = operations
      for index in operations.indices {
        switch operations[index].op {
        case GRPC_OP_RECV_MESSAGE: operations[index].data.recv_message.recv_message = message
        case GRPC_OP_RECV_CLOSE_ON_SERVER:
          operations[index].data.recv_close_on_server.cancelled = cancelled
        default: break
        }
      }
      let tag = Unmanaged.passRetained(self).toOpaque()
      let result = grpc_call_start_batch(call.call, operations, operations.count, tag, nil)
      precondition(result == GRPC_CALL_OK, "the C core refuses the batch: \(result)")
    }

    fileprivate func completed(success: Bool) {
      guard kind == .request, success, let buffer = message.pointee else { return }
      call.request = CoreLibrary.bytes(buffer)
      call.isComplete = true
    }
  }

  let path: String
  let authority: String
  let headers: [String: String]
  /// The bytes of the request message. Written before the call is handed out.
  fileprivate(set) var request: [UInt8] = []
  fileprivate var isComplete = false
  fileprivate let call: OpaquePointer
  private let isAnswered = Mutex(false)

  fileprivate init(
    _ call: OpaquePointer, path: String, authority: String, headers: [String: String]
  ) {
    self.call = call
    self.path = path
    self.authority = authority
    self.headers = headers
  }

  deinit {
    if !isAnswered.withLock({ $0 }) { grpc_call_cancel(call, nil) }
    grpc_call_unref(call)
  }

  /// Answers with a message and OK.
  func answer(_ message: Proto) {
    finish(GRPC_STATUS_OK, "", message.encoded)
  }

  /// Answers with a status alone.
  func fail(_ status: grpc_status_code, _ text: String) {
    finish(status, text, nil)
  }

  fileprivate func receiveRequest() {
    var operation = grpc_op()
    operation.op = GRPC_OP_RECV_MESSAGE
    Batch(.request, self).start([operation])
  }

  private func finish(_ status: grpc_status_code, _ text: String, _ message: [UInt8]?) {
    guard
      isAnswered.withLock({ answered in
        defer { answered = true }
        return !answered
      })
    else { return }
    let buffer = message.map { CoreLibrary.buffer($0) }
    defer { if let buffer { grpc_byte_buffer_destroy(buffer) } }
    var details = CoreLibrary.slice(text)
    defer { grpc_slice_unref(details) }
    withUnsafeMutablePointer(to: &details) { details in
      var operations = [grpc_op](repeating: grpc_op(), count: 3)
      operations[0].op = GRPC_OP_SEND_INITIAL_METADATA
      operations[1].op = GRPC_OP_SEND_STATUS_FROM_SERVER
      operations[1].data.send_status_from_server.status = status
      operations[1].data.send_status_from_server.status_details = details
      operations[2].op = GRPC_OP_RECV_CLOSE_ON_SERVER
      if let buffer {
        var send = grpc_op()
        send.op = GRPC_OP_SEND_MESSAGE
        send.data.send_message.send_message = buffer
        operations.insert(send, at: 1)
      }
      Batch(.answer, self).start(operations)
    }
  }
}
