import Glibc
import Records
import Synchronization
import Testing

@Suite("The table of lanes")
struct LaneTableTests {
  static func lane(_ number: Int) -> LaneDescription {
    LaneDescription(
      topic: Array("/default/t\(number)".utf8),
      producerName: Array("edge--default-t\(number)".utf8), isReliable: number % 3 != 0)
  }

  @Test("Lanes get their numbers in the order they come, until the table is full")
  func appending() {
    let table = LaneTable(capacity: 3)
    #expect(table.count == 0)
    for number in 0..<3 {
      #expect(table.append(Self.lane(number)) == LaneID(rawValue: UInt32(number)))
    }
    #expect(table.append(Self.lane(3)) == nil)
    #expect(table.count == 3)
    for number in 0..<3 {
      #expect(table[LaneID(rawValue: UInt32(number))] == Self.lane(number))
    }
  }

  @Test("A table without room takes no lane")
  func empty() {
    let table = LaneTable(capacity: 0)
    #expect(table.append(Self.lane(0)) == nil)
    #expect(table.count == 0)
  }

  /// The second thread reads every lane as soon as it is counted. Without the release and the
  /// acquire ThreadSanitizer sees a race here.
  @Test(
    "A lane can be read on another thread as soon as it is counted", .timeLimit(.minutes(1)))
  func twoThreads() {
    let total = 20_000
    let reader = Reader(table: LaneTable(capacity: total), total: total)
    let thread = reader.start()
    for number in 0..<total {
      #expect(reader.table.append(Self.lane(number)) != nil)
    }
    pthread_join(thread, nil)
    #expect(reader.wrongLanes.load(ordering: .relaxed) == 0)
    #expect(reader.lanesRead.load(ordering: .relaxed) == total)
  }

  private final class Reader: Sendable {
    let table: LaneTable
    let total: Int
    let lanesRead = Atomic<Int>(0)
    let wrongLanes = Atomic<Int>(0)

    init(table: LaneTable, total: Int) {
      self.table = table
      self.total = total
    }

    func start() -> pthread_t {
      var thread = pthread_t()
      let result = pthread_create(
        &thread, nil,
        { argument in
          guard let argument else { return nil }
          Unmanaged<Reader>.fromOpaque(argument).takeRetainedValue().read()
          return nil
        }, Unmanaged.passRetained(self).toOpaque())
      precondition(result == 0, "no thread")
      return thread
    }

    func read() {
      var next = 0
      while next < total {
        let count = table.count
        while next < count {
          if table[LaneID(rawValue: UInt32(next))] != LaneTableTests.lane(next) {
            wrongLanes.add(1, ordering: .relaxed)
          }
          next += 1
        }
      }
      lanesRead.store(next, ordering: .relaxed)
    }
  }
}
