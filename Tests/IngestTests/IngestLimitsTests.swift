import IOPort
import MQTT
import Metrics
import Records
import Settings
import Testing

@testable import Ingest

@Suite("Limits of the ingest side")
struct IngestLimitsTests {
  @Test("Without memory reading stops, and goes on when a batch is done with")
  func memory() throws {
    let bench = try IngestBench(memoryBytes: 16 << 10)
    let device = bench.connect(.v5)
    let payload = [UInt8](repeating: 1, count: 7_000)
    bench.receive(device, publish(.v5, 1, payload: payload) + publish(.v5, 2, payload: payload))
    #expect(bench.sockets[device]?.cancelCount == 0)
    bench.receive(device, publish(.v5, 3, payload: payload) + publish(.v5, 4, payload: payload))
    #expect(bench.sockets[device]?.cancelCount == 1)
    bench.endReceive(device, IOError(.cancelled))
    #expect(bench.sockets[device]?.receive == nil)
    #expect(bench.inputBytes > 14_000 && bench.store.bytesInUse <= 16 << 10)
    var answered: [UInt8] = []
    for _ in 0..<8 {
      guard let batch = bench.takeBatch() else { break }
      bench.tell(Progress(batch: batch, kind: .complete))
      answered += bench.output(device)
      #expect(bench.store.bytesInUse <= 16 << 10)
    }
    #expect(answered == puback(1) + puback(2) + puback(3) + puback(4))
    #expect(bench.sockets[device]?.receive != nil && bench.inputBytes == 0)
  }

  @Test("An MQTT 3.1.1 device is not read beyond its window; one of MQTT 5 has to keep it")
  func window() throws {
    let bench = try IngestBench { $0.listeners[0].receiveMaximum = 2 }
    let old = bench.connect(.v3_1_1, id: "a")
    bench.receive(old, (1...5).flatMap { publish(.v3_1_1, $0) })
    let batch = try #require(bench.takeBatch())
    #expect(bench.store.recordCount(of: batch) == 2 && bench.sockets[old]?.cancelCount == 1)
    bench.tell(Progress(batch: batch, kind: .safe, bits: 1))
    bench.tell(Progress(batch: batch, kind: .complete))
    var answers = bench.output(old)
    while let next = bench.takeBatch() {
      bench.tell(Progress(batch: next, kind: .complete))
      answers += bench.output(old)
    }
    #expect(answers == (1...5).flatMap { puback($0) })
    let modern = bench.connect(.v5, id: "b")
    bench.receive(modern, (1...3).flatMap { publish(.v5, $0) })
    let end = bench.output(modern)
    #expect(end.first == 0xe0 && end.dropFirst(2).first == 0x93)
  }

  @Test("Answers that are not taken stop the reading")
  func outbox() throws {
    let bench = try IngestBench()
    let device = bench.connect(.v5)
    for _ in 0..<100 {
      bench.receive(device, (0..<100).flatMap { _ in [0xc0, 0] as [UInt8] })
    }
    #expect(bench.sockets[device]?.cancelCount == 1)
    bench.endReceive(device, IOError(.cancelled))
    let answers = bench.output(device)
    #expect(answers.count == 20_000)
    #expect(bench.sockets[device]?.receive != nil)
  }

  @Test("A connection without CONNECT is closed in time")
  func connectTimeout() throws {
    let bench = try IngestBench { $0.listeners[0].connectTimeoutSeconds = 10 }
    let device = bench.accept()
    bench.pass(milliseconds: 9_999)
    #expect(!bench.isClosing(device))
    bench.pass(milliseconds: 1)
    #expect(bench.isClosing(device))
  }

  @Test("Keep alive ends at 1.5 times, and 0 is for ever [MQTT-3.1.2-22]")
  func keepAlive() throws {
    let bench = try IngestBench()
    let mortal = bench.connect(.v5, id: "a", keepAlive: 10)
    let immortal = bench.connect(.v5, id: "b", keepAlive: 0)
    bench.pass(milliseconds: 14_000)
    bench.receive(mortal, [0xc0, 0])
    #expect(bench.output(mortal) == [0xd0, 0])
    bench.pass(milliseconds: 14_999)
    #expect(bench.output(mortal).isEmpty)
    bench.pass(milliseconds: 1)
    let end = bench.output(mortal)
    #expect(end.first == 0xe0 && end.dropFirst(2).first == 0x8d)
    bench.pass(milliseconds: 1_000_000)
    #expect(!bench.isClosing(immortal) && bench.isClosing(mortal))
  }

  @Test("Beyond the listener's connections further ones are closed at once")
  func connections() throws {
    let bench = try IngestBench { $0.listeners[0].maxConnections = 2 }
    let first = bench.connect(.v5, id: "a")
    _ = bench.connect(.v5, id: "b")
    let third = bench.accept()
    #expect(bench.isClosing(third) && bench.connectionCount == 2)
    bench.endReceive(first, nil)
    bench.finishClose(first)
    #expect(!bench.isClosing(bench.accept()))
  }

  @Test("Accepting rests after a failure and is asked for again")
  func acceptAgain() throws {
    let bench = try IngestBench()
    #expect(bench.acceptCount == 1)
    bench.endAccept(IOError(.resourcesExhausted))
    #expect(bench.acceptCount == 1)
    bench.pass(milliseconds: 500)
    #expect(bench.acceptCount == 2)
  }

  @Test("Want of buffers is routine: the receive is asked for again")
  func bufferExhaustion() throws {
    let bench = try IngestBench()
    let device = bench.connect(.v5)
    bench.endReceive(device, IOError(.resourcesExhausted))
    #expect(bench.sockets[device]?.receive != nil && !bench.isClosing(device))
    bench.endReceive(device, IOError(.connectionReset))
    #expect(bench.isClosing(device))
  }

  @Test("A client that connects anew ends its older connection [MQTT-3.1.4-3]")
  func takeOver() throws {
    let bench = try IngestBench(memoryBytes: 16 << 10)
    let older = bench.connect(.v5)
    let payload = [UInt8](repeating: 1, count: 7_000)
    for packetID: UInt16 in 1...4 {
      bench.receive(older, publish(.v5, packetID, payload: payload))
    }
    #expect(bench.inputBytes > 0)
    _ = bench.connect(.v5)
    let end = bench.output(older)
    #expect(end.first == 0xe0 && end.dropFirst(2).first == 0x8e)
    #expect(bench.inputBytes == 0)
    #expect(bench.sockets[older]?.hasShutDown == true)
  }

  @Test("A shutdown answers what was taken in, reads no more, then tells why")
  func shutdown() throws {
    let bench = try IngestBench()
    let busy = bench.connect(.v5, id: "a")
    let idle = bench.connect(.v5, id: "b")
    let fresh = bench.accept()
    bench.receive(busy, publish(.v5, 1))
    let batch = try #require(bench.takeBatch())
    bench.beginShutdown()
    #expect(bench.isListenerClosed && bench.isClosing(fresh))
    #expect(bench.output(idle).dropFirst(2).first == 0x8b)
    bench.receive(busy, publish(.v5, 2))
    #expect(bench.takeBatch() == nil)
    bench.tell(Progress(batch: batch, kind: .complete))
    let end = bench.output(busy)
    #expect(end.prefix(4) == puback(1)[...] && end.dropFirst(6).first == 0x8b)
    #expect(bench.store.batchesInUse == 0 && bench.takeBatch() == nil)
    bench.pass(milliseconds: 1_000)
    for device in [busy, idle, fresh] { bench.finishClose(device) }
    #expect(bench.isDrained)
  }
}
