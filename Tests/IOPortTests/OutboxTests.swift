import Bytes
import IOPort
import Testing

@Suite("What goes out of a connection")
struct OutboxTests {
  private static let token = Token(owner: 1, verb: 2)
  private static let descriptor = Descriptor(rawValue: 3)

  /// The bytes that the only operation of the queue would send; nil when there is none.
  private func takeSend(_ queue: inout OperationQueue) -> [UInt8]? {
    guard let last = queue.entries.last else { return nil }
    guard case .send(let descriptor, let first, let count) = last.operation else { return nil }
    #expect(descriptor == Self.descriptor)
    #expect(last.token == Self.token)
    #expect(queue.entries.count == 1)
    #expect(count >= 1 && count <= 1_024)
    var bytes: [UInt8] = []
    for slice in queue.slices[Int(first)..<Int(first) + Int(count)] {
      #expect(slice.count > 0)
      bytes += slice.withBytes { [UInt8](copying: $0) }
    }
    queue.removeAll()
    return bytes
  }

  private func flush(_ outbox: inout Outbox, _ queue: inout OperationQueue) -> [UInt8]? {
    outbox.flush(to: Self.descriptor, token: Self.token, operations: &queue)
    return takeSend(&queue)
  }

  @Test(
    "Copies and references go out in order through short writes",
    arguments: 1...40 as ClosedRange<UInt64>)
  func model(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    var outbox = Outbox()
    var queue = OperationQueue()
    let source = UnsafeMutableRawBufferPointer.allocate(byteCount: 10_000, alignment: 1)
    defer { source.deallocate() }
    for index in source.indices { source[index] = UInt8.random(in: 0...255, using: &random) }
    var expected: [UInt8] = []
    var sent = 0
    var inFlight: [UInt8]?
    /// Where the last byte of each reference stands in the stream.
    var ends: [UInt32: Int] = [:]
    for round in 0..<600 as Range<UInt32> {
      switch Int.random(in: 0..<6, using: &random) {
      case 0...1:
        let part = (0..<Int.random(in: 0...50, using: &random)).map { UInt8($0) }
        outbox.append(part.rawBytes)
        expected += part
      case 2:
        let start = Int.random(in: 0..<9_000, using: &random)
        let length = Int.random(in: 0...1_000, using: &random)
        let memory = MemorySlice(baseAddress: source.baseAddress! + start, count: length)
        outbox.appendReference(memory, tag: round)
        expected += source[start..<start + length]
        // An empty reference waits for nothing.
        ends[round] = length == 0 ? 0 : expected.count
      case 3:
        let answer: Int = outbox.write { bytes in
          bytes.append("written")
          return 7
        }
        #expect(answer == 7)
        expected += Array("written".utf8)
      case 4:
        if let asked = flush(&outbox, &queue) {
          #expect(inFlight == nil, "one send at a time, seed \(seed)")
          #expect(asked == Array(expected[sent..<sent + asked.count]), "seed \(seed)")
          inFlight = asked
        }
      default:
        guard let asked = inFlight else { break }
        let isShort = Bool.random(using: &random)
        let count = isShort ? Int.random(in: 1...asked.count, using: &random) : asked.count
        sent += count
        outbox.sent(count)
        inFlight = nil
      }
      #expect(outbox.isSending == (inFlight != nil))
      #expect(outbox.pendingBytes == expected.count - sent, "seed \(seed)")
      while let released = outbox.takeReleasedTag() {
        let end = ends.removeValue(forKey: released)
        #expect(end != nil && end! <= sent, "released once, and not too early, seed \(seed)")
      }
      #expect(ends.allSatisfy { $0.value > sent }, "what was sent is released, seed \(seed)")
    }
    if let inFlight {
      outbox.sent(inFlight.count)
      sent += inFlight.count
    }
    while let asked = flush(&outbox, &queue) {
      #expect(asked == Array(expected[sent..<sent + asked.count]), "seed \(seed)")
      sent += asked.count
      outbox.sent(asked.count)
    }
    while let released = outbox.takeReleasedTag() { ends[released] = nil }
    #expect(outbox.pendingBytes == 0)
    #expect(sent == expected.count && ends.isEmpty, "seed \(seed)")
  }

  @Test("A reference is released when its last byte was taken, and not before")
  func release() {
    var outbox = Outbox()
    var queue = OperationQueue()
    let bytes: [UInt8] = Array(0..<10)
    bytes.withUnsafeBytes { memory in
      outbox.append([1, 2, 3].rawBytes)
      outbox.appendReference(MemorySlice(baseAddress: memory.baseAddress!, count: 10), tag: 77)
      #expect(flush(&outbox, &queue)?.count == 13)
      outbox.sent(12)
      #expect(outbox.takeReleasedTag() == nil)
      #expect(flush(&outbox, &queue) == [9])
      outbox.sent(1)
      #expect(outbox.takeReleasedTag() == 77)
      #expect(outbox.takeReleasedTag() == nil)
    }
  }

  @Test("Empty references are released at once and never hold a send up", arguments: [1, 600])
  func emptyReferences(count: Int) {
    var outbox = Outbox()
    var queue = OperationQueue()
    for tag in 0..<count { outbox.appendReference(MemorySlice(), tag: UInt32(tag)) }
    var released: Set<UInt32> = []
    while let tag = outbox.takeReleasedTag() { released.insert(tag) }
    #expect(released.count == count)
    #expect(flush(&outbox, &queue) == nil)
    outbox.append([5].rawBytes)
    #expect(flush(&outbox, &queue) == [5])
  }

  @Test("More parts than one send may name go out in several", arguments: [512, 513, 2_000])
  func manyParts(count: Int) {
    var outbox = Outbox()
    var queue = OperationQueue()
    let bytes: [UInt8] = Array(0..<10)
    var sent: [UInt8] = []
    bytes.withUnsafeBytes { memory in
      for tag in 0..<count {
        let place = memory.baseAddress! + tag % 10
        outbox.appendReference(MemorySlice(baseAddress: place, count: 1), tag: UInt32(tag))
      }
      while let asked = flush(&outbox, &queue) {
        sent += asked
        outbox.sent(asked.count)
      }
    }
    #expect(sent == (0..<count).map { UInt8($0 % 10) })
  }

  @Test("A reset releases every reference, those under way and those that wait")
  func reset() {
    var outbox = Outbox()
    var queue = OperationQueue()
    let bytes: [UInt8] = Array(0..<10)
    bytes.withUnsafeBytes { memory in
      let slice = MemorySlice(baseAddress: memory.baseAddress!, count: 10)
      outbox.appendReference(slice, tag: 1)
      outbox.appendReference(slice, tag: 2)
      _ = flush(&outbox, &queue)
      outbox.sent(12)
      #expect(outbox.takeReleasedTag() == 1)
      outbox.appendReference(slice, tag: 3)
      outbox.append([1].rawBytes)
      outbox.reset()
      var released: Set<UInt32> = []
      while let tag = outbox.takeReleasedTag() { released.insert(tag) }
      #expect(released == [2, 3])
    }
    let isIdle = outbox.isEmpty && !outbox.isSending
    #expect(isIdle)
    outbox.append([9].rawBytes)
    #expect(flush(&outbox, &queue) == [9])
  }

  @Test(
    "What is moved elsewhere comes in order, and references are released with their last byte",
    arguments: 1...40 as ClosedRange<UInt64>)
  func moving(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    var outbox = Outbox()
    let source = UnsafeMutableRawBufferPointer.allocate(byteCount: 5_000, alignment: 1)
    defer { source.deallocate() }
    for index in source.indices { source[index] = UInt8.random(in: 0...255, using: &random) }
    var expected: [UInt8] = []
    var ends: [UInt32: Int] = [:]
    var moved = GrowableBytes()
    var released: Set<UInt32> = []
    for round in 0..<300 as Range<UInt32> {
      switch Int.random(in: 0..<5, using: &random) {
      case 0:
        let part = (0..<Int.random(in: 0...50, using: &random)).map { UInt8($0) }
        outbox.append(part.rawBytes)
        expected += part
      case 1:
        let length = Int.random(in: 1...5_000, using: &random)
        outbox.appendReference(
          MemorySlice(baseAddress: source.baseAddress!, count: length), tag: round)
        expected += source[0..<length]
        ends[round] = expected.count
      default:
        let limit = Int.random(in: 0...4_000, using: &random)
        let before = moved.count
        outbox.move(atMost: limit, to: &moved)
        #expect(moved.count - before <= limit, "seed \(seed)")
      }
      #expect(outbox.pendingBytes == expected.count - moved.count, "seed \(seed)")
      while let tag = outbox.takeReleasedTag() { released.insert(tag) }
      let due = Set(ends.filter { $0.value <= moved.count }.keys)
      #expect(released == due, "seed \(seed)")
    }
    outbox.move(atMost: .max, to: &moved)
    #expect([UInt8](copying: moved.bytes) == expected, "seed \(seed)")
  }
}
