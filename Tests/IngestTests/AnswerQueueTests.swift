import Testing

@testable import Ingest

@Suite("The answers that a connection owes")
struct AnswerQueueTests {
  @Test("Answers leave in the order of their publishes [MQTT-4.6.0-2]")
  func order() {
    var queue = AnswerQueue(capacity: 8)
    for packetID in 1...4 { queue.appendWaiting(packetID: UInt16(packetID)) }
    queue.markReady(sequence: 2, reason: 0)
    queue.markReady(sequence: 1, reason: 0x87)
    #expect(queue.popReady() == nil)
    queue.markReady(sequence: 0, reason: 0)
    var left: [UInt16] = []
    var reasons: [UInt8] = []
    while let answer = queue.popReady() {
      left.append(answer.packetID)
      reasons.append(answer.reason)
    }
    #expect(left == [1, 2, 3] && reasons == [0, 0x87, 0])
    #expect(queue.count == 1)
  }

  @Test("An answer that is ready at once waits behind those that are not")
  func readyBehind() {
    var queue = AnswerQueue(capacity: 8)
    queue.appendWaiting(packetID: 1)
    queue.appendReady(packetID: 2, reason: 0x10)
    #expect(queue.popReady() == nil)
    queue.markReady(sequence: 0, reason: 0)
    #expect(queue.popReady()?.packetID == 1)
    #expect(queue.popReady()?.reason == 0x10)
    let isEmpty = queue.isEmpty
    #expect(isEmpty)
  }

  @Test("Marks for answers that left, or are to come, change nothing; the first reason stays")
  func staleMarks() {
    var queue = AnswerQueue(capacity: 2)
    queue.appendWaiting(packetID: 1)
    queue.markReady(sequence: 1, reason: 0x83)
    queue.markReady(sequence: 0, reason: 0)
    queue.markReady(sequence: 0, reason: 0x83)
    #expect(queue.popReady()?.reason == 0)
    queue.appendWaiting(packetID: 2)
    queue.markReady(sequence: 0, reason: 0)
    #expect(queue.popReady() == nil)
    queue.markReady(sequence: 1, reason: 0)
    #expect(queue.popReady()?.packetID == 2)
  }

  @Test("It grows to its capacity and turns around for ever")
  func growth() {
    var queue = AnswerQueue(capacity: 100)
    var next: UInt32 = 0
    var expected: UInt16 = 0
    for round in 0..<1_000 {
      while !queue.isFull, queue.count < 1 + round % 100 {
        #expect(queue.nextSequence == next)
        queue.appendWaiting(packetID: UInt16(truncatingIfNeeded: next))
        next += 1
      }
      for sequence in (next - UInt32(queue.count))..<next {
        queue.markReady(sequence: sequence, reason: 0)
      }
      for _ in 0..<max(1, queue.count / 2) {
        #expect(queue.popReady()?.packetID == expected)
        expected &+= 1
      }
    }
  }
}
