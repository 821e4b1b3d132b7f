internal import Bytes

/// A message that arrived, in a block that its holder frees; no block when it is empty.
struct ReceivedMessage: BitwiseCopyable {
  var block: SlabBlock?
  var count: Int

  static var empty: ReceivedMessage { ReceivedMessage(block: nil, count: 0) }

  func free(in slab: Slab) { block?.free(in: slab) }
}

/// Puts the length-prefixed messages of one stream together again (gRPC over HTTP/2,
/// "Length-Prefixed-Message": a flag, four bytes of length, the message).
///
/// Room grows with what arrived, not with the announced length, and all streams of a session share
/// one budget for messages that are still incomplete.
struct MessageReader: BitwiseCopyable {
  /// What a stretch of received bytes led to.
  enum Step: BitwiseCopyable {
    /// All bytes are taken.
    case needMore
    case message(ReceivedMessage)
    /// The flag says that the message is compressed; no encoding was agreed.
    case compressed
    /// The flag is neither 0 nor 1.
    case malformed
    /// Above the limit of a message.
    case tooLarge
    /// Above what the session may hold in incomplete messages.
    case overBudget
  }

  /// The limits that a session has, and what its incomplete messages hold.
  struct Budget: BitwiseCopyable {
    var maximumMessageBytes: Int
    var maximumBufferedBytes: Int
    var bufferedBytes = 0
  }

  private static let prefixBytes = 5
  private static let firstRoomBytes = 4096

  private var prefix: UInt64 = 0
  private var prefixCount = 0
  private var block: SlabBlock?
  private var received = 0

  /// Whether a message has begun and is not complete.
  var isInsideMessage: Bool { prefixCount > 0 }

  /// Takes bytes up to the end of the next message. After anything but `needMore` and `message` the
  /// stream is to be given up.
  mutating func read(
    _ reader: inout ByteReader, budget: inout Budget, in slab: Slab
  ) -> Step {
    while prefixCount < Self.prefixBytes {
      guard let byte = reader.readUInt8() else { return .needMore }
      prefix = prefix << 8 | UInt64(byte)
      prefixCount += 1
    }
    let flag = prefix >> 32
    guard flag == 0 else { return flag == 1 ? .compressed : .malformed }
    let length = Int(prefix & 0xffff_ffff)
    guard length <= budget.maximumMessageBytes else { return .tooLarge }
    let taken = min(length - received, reader.remaining)
    guard let bytes = reader.readBytes(taken) else { return .needMore }
    if received + taken == length, received == 0 {
      finish(budget: &budget)
      if length == 0 { return .message(.empty) }
      return .message(ReceivedMessage(block: SlabBlock(copying: bytes, in: slab), count: length))
    }
    guard makeRoom(received + taken, of: length, budget: &budget, in: slab) else {
      return .overBudget
    }
    block?.copy(bytes, at: received)
    received += taken
    guard received == length else { return .needMore }
    let message = ReceivedMessage(block: block, count: length)
    finish(budget: &budget)
    return .message(message)
  }

  private mutating func makeRoom(
    _ needed: Int, of length: Int, budget: inout Budget, in slab: Slab
  ) -> Bool {
    let held = block?.capacity ?? 0
    guard needed > held else { return true }
    let wanted = min(length, max(needed, held * 2, Self.firstRoomBytes))
    guard budget.bufferedBytes - held + wanted <= budget.maximumBufferedBytes else {
      return false
    }
    let grown = SlabBlock(byteCount: wanted, in: slab)
    if let block {
      block.copyContents(received, to: grown)
      block.free(in: slab)
    }
    budget.bufferedBytes += grown.capacity - held
    block = grown
    return true
  }

  private mutating func finish(budget: inout Budget) {
    budget.bufferedBytes -= block?.capacity ?? 0
    self = MessageReader()
  }

  /// Forgets an incomplete message.
  mutating func removeAll(budget: inout Budget, in slab: Slab) {
    block?.free(in: slab)
    finish(budget: &budget)
  }
}
