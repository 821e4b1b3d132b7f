internal import Bytes
internal import COpenSSL

/// Where a session's bytes come from and go to while OpenSSL works: what was received is read where
/// it lies, and what is to be sent is written where it leaves from. Nothing is held in between.
@safe
struct SessionPipe {
  /// What was received and not yet read.
  private var input: UnsafeRawPointer?
  private var inputCount = 0
  /// Where records are written to.
  private var output: UnsafeMutablePointer<GrowableBytes>?

  init() {
    unsafe input = nil
    unsafe output = nil
  }

  /// Whether everything that was received was read.
  var isInputRead: Bool { inputCount == 0 }

  /// Opens the pipe for the calls to come; `close` before the memory goes.
  @unsafe
  mutating func open(
    input bytes: UnsafeRawBufferPointer = unsafe UnsafeRawBufferPointer(start: nil, count: 0),
    output: UnsafeMutablePointer<GrowableBytes>
  ) {
    unsafe input = bytes.baseAddress
    inputCount = bytes.count
    unsafe self.output = unsafe output
  }

  /// Nothing is read or written any more; bytes that were not read are lost.
  mutating func close() {
    unsafe input = nil
    inputCount = 0
    unsafe output = nil
  }

  private mutating func read(into memory: UnsafeMutablePointer<CChar>, atMost count: Int) -> Int {
    guard let start = unsafe input else { return 0 }
    let taken = min(count, inputCount)
    unsafe UnsafeMutableRawPointer(memory).copyMemory(from: start, byteCount: taken)
    unsafe input = start + taken
    inputCount -= taken
    return taken
  }

  // MARK: OpenSSL's calls

  /// The method of BIOs whose data is a `SessionPipe`; nil without memory.
  @unsafe
  static func makeMethod() -> OpaquePointer? {
    guard
      let method = unsafe BIO_meth_new(
        BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "danube-gateway")
    else { return nil }
    unsafe BIO_meth_set_create(method) { bio in
      unsafe BIO_set_init(bio, 1)
      return 1
    }
    unsafe BIO_meth_set_ctrl(method) { _, command, _, _ in command == BIO_CTRL_FLUSH ? 1 : 0 }
    unsafe BIO_meth_set_read(method) { bio, memory, count in
      unsafe BIO_clear_flags(bio, Int32(COPENSSL_RETRY_FLAGS))
      guard let pipe = unsafe SessionPipe.of(bio), let memory = unsafe memory, count > 0 else {
        return -1
      }
      let taken = unsafe pipe.pointee.read(into: memory, atMost: Int(count))
      if taken > 0 { return Int32(taken) }
      unsafe BIO_set_flags(bio, Int32(COPENSSL_RETRY_READ))
      return -1
    }
    unsafe BIO_meth_set_write(method) { bio, memory, count in
      guard let pipe = unsafe SessionPipe.of(bio), let output = unsafe pipe.pointee.output,
        let memory = unsafe memory, count > 0
      else { return -1 }
      unsafe output.pointee.append(UnsafeRawBufferPointer(start: memory, count: Int(count)).bytes)
      return count
    }
    return unsafe method
  }

  private static func of(_ bio: OpaquePointer?) -> UnsafeMutablePointer<SessionPipe>? {
    guard let data = unsafe BIO_get_data(bio) else { return nil }
    return unsafe data.assumingMemoryBound(to: SessionPipe.self)
  }
}
