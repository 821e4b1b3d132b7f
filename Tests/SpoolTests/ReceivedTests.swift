import Bytes
import Testing

@testable import Spool

@Suite("The number of the last batch that an edge sent into a lane")
struct ReceivedTests {
  private func encoded(_ state: CursorState) -> [UInt8] {
    var output = GrowableBytes()
    state.encode(generation: 1, into: &output)
    return output.bytes.withUnsafeBytes { Array($0) }
  }

  private func state(_ numbers: [UInt64?]) -> CursorState {
    var state = CursorState()
    state.identity = SpoolIdentity(first: 1, second: 2)
    state.lanes = numbers.enumerated().map { place, number in
      var lane = LaneCursors(
        topic: [0x61 + UInt8(place)], nextSequence: 9, firstSequence: 2, isReliable: true,
        cursors: [Cursor(name: [0x73], isExclusive: false, delivered: DeliveredSet(next: 3))])
      lane.receivedThrough = number
      return lane
    }
    return state
  }

  @Test("It is kept with the lane, 0 and the largest as well, in version 2 alone")
  func roundTrip() throws {
    for numbers in [[nil], [0], [nil, 7, nil], [.max, nil, 1]] as [[UInt64?]] {
      let state = state(numbers)
      let bytes = encoded(state)
      #expect(bytes[8] == (numbers.contains { $0 != nil } ? 2 : 1))
      #expect(try CursorState.decode(bytes.span.bytes).state == state)
    }
  }

  @Test("It stands behind the topic: 8 bytes, and bit 2 of the flags")
  func table() {
    let bytes = encoded(state([0x1122]))
    let lane = 64
    #expect(Array(bytes[lane + 24..<lane + 28]) == [5, 0, 0, 0])
    let behindTopic = lane + 36 + 1
    #expect(Array(bytes[behindTopic..<behindTopic + 8]) == [0x22, 0x11, 0, 0, 0, 0, 0, 0])
    #expect(bytes.count == encoded(state([nil])).count + 8)
  }

  @Test("It survives together with what is planned for the lane")
  func withPlan() throws {
    var state = state([5])
    var plan = ReplicationPlan(base: 3)
    #expect(plan.append(4) && plan.append(9))
    state.lanes[0].replication = plan
    let bytes = encoded(state)
    #expect(try CursorState.decode(bytes.span.bytes).state == state)
  }
}
