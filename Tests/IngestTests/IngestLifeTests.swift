import IOPort
import MQTT
import Metrics
import Records
import Settings
import Testing

@testable import Ingest

@Suite("How connections live and end", .timeLimit(.minutes(1)))
struct IngestLifeTests {
  @Test("A device that shuts its direction down after its last message gets its answers")
  func halfClose() throws {
    let bench = try IngestBench()
    let device = bench.accept()
    bench.receive(
      device, [0x10, 16, 0, 4, 77, 81, 84, 84, 5, 2, 0, 0, 0, 0, 3, 100, 101, 118], endsTurn: false)
    bench.receive(device, publish(.v5, 1) + publish(.v5, 2), endsTurn: false)
    bench.endReceive(device, nil)
    #expect(bench.output(device).first == 0x20 && !bench.isClosing(device))
    let batch = try #require(bench.takeBatch())
    bench.tell(Progress(batch: batch, kind: .safe, bits: 1))
    #expect(bench.output(device) == puback(1) && !bench.isClosing(device))
    bench.tell(Progress(batch: batch, kind: .complete))
    #expect(bench.output(device) == puback(2))
    bench.endTurn()
    #expect(bench.isClosing(device))
    bench.finishClose(device)
    #expect(bench.connectionCount == 0)
  }

  @Test("A device that is owed nothing is closed at its end, one that is after max_pause_s")
  func halfCloseLimit() throws {
    let bench = try IngestBench { $0.listeners[0].maxPauseSeconds = 100 }
    let idle = bench.connect(.v5, id: "a")
    bench.endReceive(idle, nil)
    #expect(bench.isClosing(idle))
    let owed = bench.connect(.v5, id: "b", keepAlive: 10)
    bench.receive(owed, publish(.v5, 1))
    bench.endReceive(owed, nil)
    bench.pass(milliseconds: 60_000)
    bench.pass(milliseconds: 39_999)
    #expect(bench.output(owed).isEmpty && !bench.isClosing(owed))
    bench.pass(milliseconds: 1)
    #expect(bench.output(owed).dropFirst(2).first == 0x97)
    bench.endTurn()
    #expect(bench.isClosing(owed))
  }

  @Test("What waits for memory when the device shuts down is still taken and answered")
  func halfCloseWhileWaiting() throws {
    let bench = try IngestBench(memoryBytes: 16 << 10)
    let device = bench.connect(.v5)
    let payload = [UInt8](repeating: 1, count: 7_000)
    bench.receive(device, (1...4).flatMap { publish(.v5, $0, payload: payload) } + [0x30, 9])
    bench.endReceive(device, nil)
    var answers: [UInt8] = []
    while let batch = bench.takeBatch() {
      bench.tell(Progress(batch: batch, kind: .complete))
      answers += bench.output(device)
    }
    #expect(answers == (1...4).flatMap { puback($0) })
    bench.endTurn()
    #expect(bench.isClosing(device) && bench.inputBytes == 0)
  }

  @Test("Keep alive is fed by packets, not by single bytes of one that never ends")
  func drip() throws {
    let bench = try IngestBench()
    let device = bench.connect(.v5, keepAlive: 10)
    let packet = publish(.v5, 1, payload: [UInt8](repeating: 1, count: 3_000))
    for byte in packet.prefix(14) {
      bench.receive(device, [byte])
      bench.pass(milliseconds: 1_000)
    }
    #expect(bench.output(device).isEmpty)
    bench.pass(milliseconds: 1_000)
    #expect(bench.output(device).dropFirst(2).first == 0x8d)
  }

  @Test("A large packet on a slow line is not cut off")
  func slowPacket() throws {
    let bench = try IngestBench()
    let device = bench.connect(.v5, keepAlive: 10)
    var packet = publish(.v5, 1, payload: [UInt8](repeating: 1, count: 20_000))[...]
    while !packet.isEmpty {
      bench.receive(device, Array(packet.prefix(1_100)))
      packet = packet.dropFirst(1_100)
      bench.pass(milliseconds: 14_000)
    }
    let batch = try #require(bench.takeBatch())
    bench.tell(Progress(batch: batch, kind: .complete))
    #expect(bench.output(device) == puback(1))
  }

  @Test("Timers of connections that are gone go within a minute")
  func staleTimers() throws {
    let bench = try IngestBench()
    for round in 0..<1_200 {
      let device = bench.connect(.v5, id: "dev-\(round)", keepAlive: 65_535)
      bench.endReceive(device, nil)
      bench.finishClose(device)
      bench.pass(milliseconds: 1_000)
    }
    #expect(bench.timerCount <= 130)
    bench.pass(milliseconds: 60_000)
    #expect(bench.timerCount == 0)
  }

  @Test("Limits further ahead than timers are set are kept all the same")
  func farLimits() throws {
    let bench = try IngestBench { $0.listeners[0].connectTimeoutSeconds = 150 }
    let silent = bench.accept()
    let alive = bench.connect(.v5, keepAlive: 100)
    for _ in 0..<149 { bench.pass(milliseconds: 1_000) }
    #expect(!bench.isClosing(silent) && bench.output(alive).isEmpty)
    bench.pass(milliseconds: 1_000)
    #expect(bench.isClosing(silent))
    #expect(bench.output(alive).dropFirst(2).first == 0x8d)
  }
}
