import Bytes
import IOPort
import MQTT
import Metrics
import Settings
import Testing

@testable import Ingest

@Suite("Wills that wait for their device", .timeLimit(.minutes(1)))
struct WillDelayTests {
  @Test("A delayed will is published when its delay has passed, and not before (§3.1.3.2.2)")
  func delay() throws {
    let bench = try IngestBench()
    let device = delayed(bench, delay: 100)
    reset(bench, device)
    for _ in 0..<99 { bench.pass(milliseconds: 1_000) }
    bench.pass(milliseconds: 999)
    #expect(bench.deliver().isEmpty && bench.ingest.wills.delayed.count == 1)
    bench.pass(milliseconds: 1)
    #expect(bench.deliver().map(\.text) == ["gone"])
    #expect(bench.ingest.wills.delayed.isEmpty && bench.ingest.wills.byteCount == 0)
    bench.pass(milliseconds: 60_000)
    #expect(bench.timerCount == 0)
  }

  @Test("CONNACK says for how long the session is kept: as long as the will is delayed")
  func granted() throws {
    // Will delay, session expiry asked for, and what CONNACK says: nil where it is as asked.
    let rows: [(UInt32?, UInt32?, UInt32?)] = [
      (10, 100, 10), (10, 10, nil), (100, 10, nil), (10, nil, nil), (10, 0, nil), (nil, 100, 0),
      (.max, .max, 86_400),
    ]
    for (delay, expiry, expected) in rows {
      let bench = try IngestBench()
      let device = bench.accept()
      bench.receive(
        device, bench.connectPacket(.v5) { WillTests.will(&$0, delay: delay, expiry: expiry) })
      let answer = bench.output(device)
      #expect(answer[2] == 0)
      let kept =
        answer[5] == 0x11 ? answer[6..<10].reduce(UInt32(0)) { $0 << 8 | UInt32($1) } : nil
      #expect(kept == expected, "\(String(describing: delay)) \(String(describing: expiry))")
    }
  }

  @Test("Without a session that outlives the connection a delay means nothing (§3.1.3.2.2)")
  func noSession() throws {
    let bench = try IngestBench()
    let device = bench.connect(.v5) { WillTests.will(&$0, delay: 10, expiry: 0) }
    reset(bench, device)
    #expect(bench.deliver().count == 1)
  }

  @Test(
    "A device that comes back in time takes its will back, and finds its session [MQTT-3.1.3-9]")
  func comesBack() throws {
    for isTakeOver in [false, true] {
      let bench = try IngestBench()
      let device = delayed(bench)
      if !isTakeOver {
        reset(bench, device)
        bench.pass(milliseconds: 9_999)
      }
      let again = bench.accept()
      bench.receive(
        again,
        bench.connectPacket(.v5) {
          $0.isCleanStart = false
          WillTests.will(&$0, "second", delay: 10, expiry: 100)
        })
      #expect(bench.output(again).dropFirst(2).first == 1)
      bench.pass(milliseconds: 60_000)
      #expect(bench.deliver().isEmpty)
      #expect(bench.metrics.mqtt.willsCancelled.value == 1)
      reset(bench, again)
      bench.pass(milliseconds: 10_000)
      #expect(bench.deliver().map(\.text) == ["second"])
    }
  }

  @Test("A device whose connection ends and that comes back in the same turn comes back in time")
  func sameTurn() throws {
    let bench = try IngestBench()
    let device = delayed(bench)
    let again = bench.accept()
    bench.endReceive(device, IOError(.connectionReset), endsTurn: false)
    bench.receive(
      again,
      bench.connectPacket(.v5) {
        $0.isCleanStart = false
        $0.sessionExpirySeconds = 100
      })
    #expect(bench.output(again).dropFirst(2).first == 1)
    for _ in 0..<20 { bench.pass(milliseconds: 1_000) }
    #expect(bench.deliver().isEmpty && bench.ingest.wills.table.count == 0)
  }

  @Test("A device that comes back with a clean start ends its session: the will goes at once")
  func cleanStart() throws {
    for isTakeOver in [false, true] {
      let bench = try IngestBench()
      let device = delayed(bench)
      if !isTakeOver { reset(bench, device) }
      let again = bench.accept()
      bench.receive(again, bench.connectPacket(.v5) + publish(.v5, 1, payload: [7]))
      #expect(bench.output(again).dropFirst(2).first == 0)
      #expect(bench.deliver().map(\.payload) == [Array("gone".utf8), [7]])
    }
  }

  @Test("DISCONNECT 0x04 begins the delay too, and may shorten the session (§3.14.2.2.2)")
  func disconnectWithWill() throws {
    let bench = try IngestBench()
    let device = delayed(bench)
    bench.receive(device, [0xE0, 1, 4])
    #expect(bench.deliver().isEmpty)
    bench.pass(milliseconds: 10_000)
    #expect(bench.deliver().count == 1)
    bench.finishClose(device)
    let second = delayed(bench)
    bench.receive(second, [0xE0, 7, 4, 5, 0x11, 0, 0, 0, 0])
    #expect(bench.deliver().count == 1)
  }
}

/// A device with a will that waits for it to come back, and its connection.
func delayed(_ bench: IngestBench, delay: UInt32 = 10, expiry: UInt32 = 100) -> Int32 {
  bench.connect(.v5) { WillTests.will(&$0, delay: delay, expiry: expiry) }
}

func reset(_ bench: IngestBench, _ device: Int32) {
  bench.endReceive(device, IOError(.connectionReset))
  bench.finishClose(device)
}
