import Testing

@testable import danube_device

private let millisecond: UInt64 = 1_000_000

@Suite("When devices have something to send, and what is counted")
struct WorkloadTests {
  /// Three devices, ten messages a second, seven messages.
  private func workload() -> Workload {
    let options = WorkloadOptions(
      devices: 3, rate: 10, messages: 7, lateMilliseconds: 250, waitMilliseconds: 1_000)
    return Workload(options, start: 5_000 * millisecond)
  }

  private func at(_ milliseconds: UInt64) -> UInt64 { (5_000 + milliseconds) * millisecond }

  @Test("Devices take turns, at the rate of all together")
  func turns() {
    var workload = workload()
    #expect(workload.nextDueTime == at(0))
    workload.advance(to: at(350))
    #expect(workload.tally.made == 4)
    #expect(workload.nextDueTime == at(400))
    let taken = [0, 0, 0, 1, 1].map { workload.next(for: $0) }
    #expect(
      taken == [
        MessageID(device: 0, sequence: 1), MessageID(device: 0, sequence: 2), nil,
        MessageID(device: 1, sequence: 1), nil,
      ])
    #expect(workload.hasNext(for: 2))
    workload.advance(to: at(10_000))
    #expect(workload.tally.made == 7)
    #expect(workload.nextDueTime == nil)
    #expect(workload.dueTime(of: MessageID(device: 0, sequence: 3)) == at(600))
  }

  @Test("It is over when everything is answered, whether acknowledged or refused")
  func complete() {
    var workload = workload()
    workload.advance(to: at(600))
    for device in 0..<3 {
      while let id = workload.next(for: device) {
        #expect(!workload.isComplete)
        if id.sequence == 2 { workload.refuse(id) } else { workload.acknowledge(id, at: at(610)) }
      }
    }
    #expect(workload.isComplete && workload.isOver(at: at(611)))
    #expect(workload.tally.acknowledged == 4 && workload.tally.refused == 3)
    #expect(workload.tally.open == 0)
  }

  @Test("What is not answered is waited for from the time the last message was due")
  func waiting() {
    var workload = workload()
    workload.advance(to: at(600))
    #expect(!workload.isOver(at: at(1_600)))
    #expect(workload.isOver(at: at(1_601)))
    #expect(workload.tally.open == 7)
  }

  @Test("A message is answered once")
  func once() {
    var workload = workload()
    workload.advance(to: at(0))
    let id = MessageID(device: 0, sequence: 1)
    let counted = [
      workload.acknowledge(id, at: at(1)), workload.acknowledge(id, at: at(2)), workload.refuse(id),
      // Not made yet.
      workload.acknowledge(MessageID(device: 1, sequence: 1), at: at(2)),
    ]
    #expect(counted == [true, false, false, false])
    #expect(workload.tally == Tally(made: 1, acknowledged: 1))
  }

  @Test("A message is late once its time has run out, and still acknowledged when that comes")
  func late() {
    var workload = workload()
    workload.advance(to: at(250))
    #expect(workload.tally.late == 0)
    // Exactly at the limit is not late.
    workload.acknowledge(MessageID(device: 0, sequence: 1), at: at(250))
    workload.advance(to: at(360))
    #expect(workload.tally.late == 1, "the second one, due at 100")
    workload.acknowledge(MessageID(device: 1, sequence: 1), at: at(370))
    #expect(workload.tally.late == 1, "not counted twice")
    // Answered too late, before anybody has looked.
    workload.acknowledge(MessageID(device: 2, sequence: 1), at: at(451))
    workload.advance(to: at(452))
    #expect(workload.tally.late == 2)
    #expect(workload.tally.acknowledged == 3)
    workload.advance(to: at(5_000))
    #expect(workload.tally.late == 6)
  }

  @Test("Stopped, it makes no more and waits for what was made")
  func stop() {
    var workload = workload()
    workload.advance(to: at(100))
    workload.stop()
    workload.advance(to: at(500))
    #expect(workload.tally.made == 2)
    #expect(!workload.isOver(at: at(1_100)))
    workload.acknowledge(MessageID(device: 0, sequence: 1), at: at(500))
    workload.acknowledge(MessageID(device: 1, sequence: 1), at: at(500))
    #expect(workload.isOver(at: at(501)))
  }

  @Test("Shares of the latencies are right to an eighth")
  func histogram() {
    var histogram = LatencyHistogram()
    #expect(histogram.nanoseconds(atShare: 0.5) == 0)
    for number in 1...1_000 { histogram.record(nanoseconds: UInt64(number) * 1_000) }
    for (share, exact) in [(0.5, 500_000.0), (0.99, 990_000), (0.001, 1_000)] {
      let found = Double(histogram.nanoseconds(atShare: share))
      #expect(found >= exact && found <= exact * 1.125, "\(share): \(found)")
    }
    #expect(histogram.nanoseconds(atShare: 1) == 1_000_000)
    for extreme in [0, 1, 7, 8, 9, UInt64.max] {
      var one = LatencyHistogram()
      one.record(nanoseconds: extreme)
      #expect(one.nanoseconds(atShare: 0.5) == extreme)
    }
  }

  @Test("The summary and its JSON say what was counted")
  func report() {
    let tally = Tally(made: 10, acknowledged: 7, refused: 1, late: 2, retried: 3, disconnected: 4)
    let report = Report(title: "mqtt", devices: 5, isAnswered: true)
    let text = report.summary(tally, latency: LatencyHistogram(), seconds: 2)
    #expect(
      text == "mqtt  10 messages of 5 devices in 2.00 s: 7 acknowledged (4/s), 1 refused, 2 late, "
        + "2 unanswered, 3 retried, 4 disconnects\n")
    let json = report.json(tally, latency: LatencyHistogram(), seconds: 2)
    #expect(JSONScanner.object(Array(json.utf8))?["unanswered"] == .number("2"))
    #expect(JSONScanner.object(Array(json.utf8))?["acknowledged_per_second"] == .number("3.50"))
  }
}
