import Bytes
import IOPort

/// Ends a segment: writes its footer behind the last block, cuts the file there, makes that durable
/// and closes it. A segment whose footer did not come about is only slower to start from.
struct SegmentSealer: ~Copyable {
  enum Phase: UInt8, BitwiseCopyable { case writing, truncating, syncing, closing }

  let number: UInt32
  let file: Descriptor
  let offset: UInt32
  /// Bytes of the file once the footer is durable; nil until then.
  private(set) var fileBytes: UInt64?
  /// Why there is no footer.
  private(set) var failure: IOError?
  /// Whether it was a sync that failed: trying again would not tell what is durable.
  private(set) var isSyncFailed = false
  private var token = Token(rawValue: 0)
  private var phase = Phase.closing
  private var footer = GrowableBytes()
  private var written = 0

  init(number: UInt32, file: Descriptor, offset: UInt32) {
    self.number = number
    self.file = file
    self.offset = offset
  }

  /// Begins; without a footer the file is only closed.
  mutating func start(
    footer: SegmentFooter?, token: Token, operations: inout OperationQueue
  ) {
    self.token = token
    guard let footer else {
      operations.append(.close(file), token: token)
      return
    }
    phase = .writing
    footer.encode(at: offset, into: &self.footer)
    write(operations: &operations)
  }

  private mutating func write(operations: inout OperationQueue) {
    if written == footer.count {
      phase = .truncating
      operations.append(
        .file(.truncate(file, bytes: UInt64(offset) + UInt64(footer.count))), token: token)
      return
    }
    let first = operations.beginSend()
    unsafe operations.appendSlice(footer.slice(at: written, length: footer.count - written))
    operations.endWrite(
      to: file, offset: UInt64(offset) + UInt64(written), from: first, token: token)
  }

  /// Takes what became of the operation. The `closed` that ends it is the owner's to see.
  mutating func handle(_ event: FileEvent, operations: inout OperationQueue) {
    switch (phase, event) {
    case (.writing, .transferred(let count)) where count > 0:
      written += count
      write(operations: &operations)
    case (.truncating, .done):
      phase = .syncing
      operations.append(.file(.sync(file)), token: token)
    default:
      if case (.syncing, .done) = (phase, event) {
        fileBytes = UInt64(offset) + UInt64(footer.count)
      } else if case .failed(let error) = event {
        failure = error
        isSyncFailed = phase == .syncing
      }
      phase = .closing
      operations.append(.close(file), token: token)
    }
  }
}
