import IOPort
import Testing

@testable import LocalBroker

@Suite("The window of a subscription")
struct DeliveryWindowTests {
  /// The same behaviour, written plainly.
  struct Model {
    enum State: Equatable {
      case new
      case ready
      case inFlight(consumer: UInt32, due: UInt64)
      case delayed(due: UInt64)
      case done
    }
    var records: [State] = []
    var first = 0

    var cursor: Int { records.firstIndex { $0 != .done } ?? records.count }

    mutating func next(end: Int, limit: Int, missed: inout Int) -> Int? {
      while records.count < end { records.append(.new) }
      for index in records.indices where index < first {
        switch records[index] {
        case .new, .ready:
          records[index] = .done
          missed += 1
        default: break
        }
      }
      if let index = records.firstIndex(of: .ready) { return index }
      let waiting = records.filter { $0 != .new && $0 != .done }.count
      guard waiting < limit else { return nil }
      return records.firstIndex(of: .new)
    }
  }

  @Test("Random deliveries, acks, nacks, losses and retention agree with a plain model")
  func model() {
    for seed in UInt64(0)..<300 {
      var random = SplitMix64(seed: seed)
      var window = DeliveryWindow(startingAt: 0)
      var model = Model()
      var end = 0
      var now: UInt64 = 0
      var missed = (0, 0)
      for _ in 0..<200 {
        now += UInt64.random(in: 0...20, using: &random)
        switch Int.random(in: 0..<10, using: &random) {
        case 0...1: end += Int.random(in: 0...3, using: &random)
        case 2...5:
          let ours = window.nextToDeliver(
            first: UInt64(model.first), end: UInt64(end), limit: 10, missed: &missed.0)
          let theirs = model.next(end: end, limit: 10, missed: &missed.1)
          #expect(ours == theirs.map(UInt64.init), "seed \(seed)")
          if let offset = ours {
            let consumer = UInt32.random(in: 0...2, using: &random)
            let due = now + UInt64.random(in: 10...100, using: &random)
            _ = window.delivered(
              offset, to: SlotID(index: consumer, generation: 0), due: Instant(nanoseconds: due))
            model.records[Int(offset)] = .inFlight(consumer: consumer, due: due)
          }
        case 6: acknowledge(.random(in: 0...max(end, 1), using: &random), &window, &model, seed)
        case 7:
          let offset = Int.random(in: 0...max(end, 1), using: &random)
          let due = now + 30
          let isPostponed = window.postpone(UInt64(offset)) { _ in Instant(nanoseconds: due) }
          if model.records.indices.contains(offset), case .inFlight = model.records[offset] {
            #expect(isPostponed, "seed \(seed)")
            model.records[offset] = .delayed(due: due)
          } else {
            #expect(!isPostponed, "seed \(seed)")
          }
        case 8:
          let consumer = UInt32.random(in: 0...2, using: &random)
          window.release(SlotID(index: consumer, generation: 0))
          for (index, state) in model.records.enumerated() {
            if case .inFlight(consumer, _) = state { model.records[index] = .ready }
          }
        default:
          _ = window.advance(to: Instant(nanoseconds: now))
          for (index, state) in model.records.enumerated() {
            switch state {
            case .inFlight(_, let due) where due <= now: model.records[index] = .ready
            case .delayed(let due) where due <= now: model.records[index] = .ready
            default: break
            }
          }
        }
        if Int.random(in: 0..<40, using: &random) == 0, window.nextOffset > 0 {
          // Never beyond what is in the window: then both give up the same records.
          model.first = max(
            model.first, Int.random(in: 0..<Int(window.nextOffset), using: &random))
        }
      }
      _ = window.nextToDeliver(
        first: UInt64(model.first), end: UInt64(end), limit: 10, missed: &missed.0)
      _ = model.next(end: end, limit: 10, missed: &missed.1)
      #expect(Int(window.cursor) == model.cursor, "seed \(seed)")
      #expect(missed.0 == missed.1, "seed \(seed)")
    }
  }

  private func acknowledge(
    _ offset: Int, _ window: inout DeliveryWindow, _ model: inout Model, _ seed: UInt64
  ) {
    let isTaken = window.acknowledge(UInt64(offset))
    guard model.records.indices.contains(offset) else {
      #expect(!isTaken, "seed \(seed)")
      return
    }
    let isWaiting = model.records[offset] != .new && model.records[offset] != .done
    #expect(isTaken == isWaiting, "seed \(seed), offset \(offset)")
    if isWaiting { model.records[offset] = .done }
  }

  @Test("When the topic has forgotten more than was delivered, the window starts anew")
  func farBehind() {
    var window = DeliveryWindow(startingAt: 0)
    var missed = 0
    for offset in UInt64(0)..<3 {
      let next = window.nextToDeliver(first: 0, end: 3, limit: 10, missed: &missed)
      #expect(next == offset)
      _ = window.delivered(
        offset, to: SlotID(index: 0, generation: 0), due: Instant(nanoseconds: 10))
    }
    window.release(SlotID(index: 0, generation: 0))
    let next = window.nextToDeliver(first: 100, end: 200, limit: 10, missed: &missed)
    #expect(next == 100)
    #expect(missed == 100)
    #expect(window.cursor == 100)
    let isTaken = window.acknowledge(2)
    #expect(!isTaken)
    #expect(window.unacknowledgedCount == 0)
  }
}
