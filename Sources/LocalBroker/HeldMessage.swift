/// A message of a client that waits for room in the spool.
struct HeldMessage {
  let call: ConsumerStream
  /// The request id to echo.
  let requestID: UInt64
  let topic: Int
  /// The message as it came.
  let bytes: [UInt8]
}

/// Messages that wait, in the order in which they came.
struct HeldMessages {
  private var messages: [HeldMessage?] = []
  private var taken = 0
  /// Bytes of them.
  private(set) var byteCount = 0

  var isEmpty: Bool { taken == messages.count }

  mutating func append(_ message: HeldMessage) {
    byteCount += message.bytes.count
    messages.append(message)
  }

  mutating func popFirst() -> HeldMessage? {
    guard !isEmpty, let first = messages[taken] else { return nil }
    byteCount -= first.bytes.count
    messages[taken] = nil
    taken += 1
    if taken * 2 > messages.count {
      messages.removeFirst(taken)
      taken = 0
    }
    return first
  }
}
