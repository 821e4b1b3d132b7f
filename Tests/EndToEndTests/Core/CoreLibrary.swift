import CGRPC
import Foundation

/// What the client and the server made of gRPC's C core share.
enum CoreLibrary {
  /// The library is started once and stays.
  static let start: Void = grpc_init()

  static func slice(_ text: String) -> grpc_slice {
    slice(Array(text.utf8))
  }

  static func slice(_ bytes: [UInt8]) -> grpc_slice {
    bytes.withUnsafeBytes { buffer in
      grpc_slice_from_copied_buffer(
        buffer.baseAddress?.assumingMemoryBound(to: CChar.self), buffer.count)
    }
  }

  static func bytes(_ slice: grpc_slice) -> [UInt8] {
    if slice.refcount != nil {
      return Array(
        UnsafeBufferPointer(start: slice.data.refcounted.bytes, count: slice.data.refcounted.length)
      )
    }
    return withUnsafeBytes(of: slice.data.inlined.bytes) { buffer in
      Array(buffer.prefix(Int(slice.data.inlined.length)))
    }
  }

  static func text(_ slice: grpc_slice) -> String {
    String(decoding: bytes(slice), as: UTF8.self)
  }

  /// A buffer that the caller destroys.
  static func buffer(_ bytes: [UInt8]) -> OpaquePointerToByteBuffer {
    var slice = slice(bytes)
    defer { grpc_slice_unref(slice) }
    return grpc_raw_byte_buffer_create(&slice, 1)
  }

  static func bytes(_ buffer: OpaquePointerToByteBuffer) -> [UInt8] {
    var reader = grpc_byte_buffer_reader()
    guard grpc_byte_buffer_reader_init(&reader, buffer) != 0 else { return [] }
    defer { grpc_byte_buffer_reader_destroy(&reader) }
    let slice = grpc_byte_buffer_reader_readall(&reader)
    defer { grpc_slice_unref(slice) }
    return bytes(slice)
  }

  static func time(secondsFromNow seconds: Double) -> gpr_timespec {
    gpr_time_add(
      gpr_now(GPR_CLOCK_MONOTONIC),
      gpr_time_from_millis(Int64(seconds * 1000), GPR_TIMESPAN))
  }

  /// Ends a completion queue: takes out what is left and frees it.
  static func destroy(_ queue: OpaquePointer) {
    grpc_completion_queue_shutdown(queue)
    while grpc_completion_queue_next(queue, time(secondsFromNow: 10), nil).type
      == GRPC_OP_COMPLETE
    {}
    grpc_completion_queue_destroy(queue)
  }

  /// Calls `body` with arguments of a channel or server; the pointers end with the call.
  static func withArguments<Result>(
    _ values: [String: Int32], _ body: (UnsafePointer<grpc_channel_args>) -> Result
  ) -> Result {
    var list = values.map { name, value in
      var argument = grpc_arg()
      argument.type = GRPC_ARG_INTEGER
      argument.key = strdup(name)
      argument.value.integer = value
      return argument
    }
    defer { list.forEach { free($0.key) } }
    return list.withUnsafeMutableBufferPointer { buffer in
      var arguments = grpc_channel_args(num_args: buffer.count, args: buffer.baseAddress)
      return body(&arguments)
    }
  }
}

typealias OpaquePointerToByteBuffer = UnsafeMutablePointer<grpc_byte_buffer>
