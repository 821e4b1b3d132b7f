/// The answers one connection owes, oldest first: each waits for its record or is ready with a
/// reason.
///
/// Answers leave in the order of their publishes [MQTT-4.6.0-2]: only the head may go, and only
/// when it is ready. Numbers count up from 0 and wrap; the queue never holds more than its
/// capacity, so a number is unambiguous.
struct AnswerQueue: ~Copyable {
  private struct Answer: BitwiseCopyable {
    var packetID: UInt16
    var isReady: Bool
    var reason: UInt8
  }

  private var ring: [Answer] = []
  private var head: UInt32 = 0
  private var tail: UInt32 = 0
  /// The most answers it holds, at most 65,535: packet identifiers are 16 bits.
  let capacity: Int

  init(capacity: Int) {
    precondition((1...65_535).contains(capacity))
    self.capacity = capacity
  }

  var count: Int { Int(tail &- head) }
  var isEmpty: Bool { tail == head }
  var isFull: Bool { count == capacity }

  /// The number the next answer will have.
  var nextSequence: UInt32 { tail }

  /// Appends an answer that waits for its record.
  mutating func appendWaiting(packetID: UInt16) {
    append(Answer(packetID: packetID, isReady: false, reason: 0))
  }

  /// Appends an answer that is ready, behind the ones that wait.
  mutating func appendReady(packetID: UInt16, reason: UInt8) {
    append(Answer(packetID: packetID, isReady: true, reason: reason))
  }

  private mutating func append(_ answer: Answer) {
    precondition(!isFull)
    if count == ring.count { grow() }
    ring[Int(tail) & (ring.count - 1)] = answer
    tail &+= 1
  }

  /// Doubles the ring; its size stays a power of two so that numbers can wrap.
  private mutating func grow() {
    var larger = [Answer](
      repeating: Answer(packetID: 0, isReady: false, reason: 0), count: max(8, ring.count * 2))
    var number = head
    while number != tail {
      larger[Int(number) & (larger.count - 1)] = ring[Int(number) & (ring.count - 1)]
      number &+= 1
    }
    ring = larger
  }

  /// Makes a waiting answer ready; one that left, or is ready already, stays as it is.
  mutating func markReady(sequence: UInt32, reason: UInt8) {
    guard sequence &- head < tail &- head else { return }
    let index = Int(sequence) & (ring.count - 1)
    guard !ring[index].isReady else { return }
    ring[index].isReady = true
    ring[index].reason = reason
  }

  /// Takes the head if it is ready.
  mutating func popReady() -> (packetID: UInt16, reason: UInt8)? {
    guard tail != head else { return nil }
    let answer = ring[Int(head) & (ring.count - 1)]
    guard answer.isReady else { return nil }
    head &+= 1
    return (answer.packetID, answer.reason)
  }
}
