import IOPort
import MQTT
import Metrics
import Records
import Settings
import Testing

@testable import Ingest

@Suite("Webhooks under pressure", .timeLimit(.minutes(1)))
struct WebhookLimitTests {
  /// A bench whose memory for records is used up, by a device that waits.
  private func exhaustedBench(
    _ change: (inout ListenerConfiguration) -> Void = { _ in }
  ) throws -> (bench: IngestBench, device: Int32) {
    let bench = try IngestBench.webhooks(memoryBytes: 64 << 10) {
      $0.answerTimeoutSeconds = 0
      change(&$0)
    }
    let device = bench.connect(.v5, listener: 1)
    let payload = [UInt8](repeating: 1, count: 30_000)
    bench.receive(device, (1...4).flatMap { publish(.v5, $0, payload: payload) })
    #expect(bench.sockets[device]?.cancelCount == 1)
    bench.endReceive(device, IOError(.cancelled))
    return (bench, device)
  }

  private let body = String(repeating: "b", count: 20_000)

  @Test("Without memory for its record a request waits for a while, then it is answered 503")
  func unavailable() throws {
    let bench = try IngestBench.webhooks(memoryBytes: 64 << 10) { $0.retryAfterSeconds = 7 }
    let client = bench.accept()
    for _ in 0..<3 { bench.send(client, post("/hooks/a", body)) }
    #expect(bench.sockets[client]?.cancelCount == 1)
    bench.endReceive(client, IOError(.cancelled))
    #expect(bench.answers(client).isEmpty)
    #expect(bench.inputBytes >= body.utf8.count && bench.inputBytes == bench.heldInputBytes)
    bench.pass(milliseconds: 900)
    #expect(bench.answers(client).isEmpty)
    bench.pass(milliseconds: 101)
    // Behind the answers that are owed.
    #expect(bench.answers(client).isEmpty)
    #expect(bench.inputBytes == 0 && bench.heldInputBytes == 0)
    #expect(bench.takePayloads().count == 2)
    let answers = bench.answers(client)
    #expect(answers.map(\.status) == [202, 202, 503])
    #expect(answers.last?.fields["Retry-After"] == "7" && answers.last?.closes == false)
    bench.send(client, post("/hooks/a", "more"))
    #expect(bench.takePayloads() == ["more"])
  }

  @Test("A request that waited for memory is taken when there is some")
  func waits() throws {
    let (bench, device) = try exhaustedBench()
    let client = bench.accept()
    bench.send(client, post("/hooks/a", body) + post("/hooks/a", "next"))
    bench.endReceive(client, IOError(.cancelled))
    bench.pass(milliseconds: 500)
    #expect(bench.answers(client).isEmpty)
    var payloads: [String] = []
    for _ in 0..<4 { payloads += bench.takePayloads() }
    #expect(payloads.filter { $0.first != "\u{1}" } == [body, "next"])
    #expect(bench.statuses(client) == [202, 202])
    #expect(bench.output(device) == (1...4).flatMap { puback($0) })
    #expect(bench.inputBytes == bench.heldInputBytes && bench.inputBytes == 0)
  }

  @Test("While memory stays used up, requests are refused at once, without keeping their bodies")
  func refusing() throws {
    let (bench, _) = try exhaustedBench()
    bench.pass(milliseconds: 1_000)
    let held = bench.inputBytes
    for _ in 0..<20 {
      let client = bench.accept()
      bench.send(client, post("/hooks/a", body))
      #expect(bench.statuses(client) == [503])
      #expect(bench.inputBytes == held && !bench.isClosing(client))
      bench.send(client, post("/none"))
      #expect(bench.statuses(client) == [404])
      // No promise is made that would not be kept.
      bench.send(
        client, post("/hooks/a", fields: ["Expect: 100-continue", "Content-Length: 9"]))
      let answers = bench.answers(client)
      #expect(answers.map(\.status) == [503] && answers[0].closes)
    }
    #expect(bench.metrics.webhooks.answered(503)?.value == 40)
    #expect(bench.metrics.refused(.noMemory).value == 40)
    #expect(bench.metrics.refused(.noRoute).value == 20)
    let client = bench.accept()
    _ = bench.takePayloads()
    bench.send(client, post("/hooks/a", "x"))
    #expect(bench.takePayloads().last == "x")
    #expect(bench.statuses(client) == [202])
  }

  @Test("A connection without a request at hand reads on after the wait, to say no")
  func readsOn() throws {
    let bench = try IngestBench.webhooks(memoryBytes: 64 << 10)
    let device = bench.connect(.v5, listener: 1)
    let client = bench.accept()
    let payload = [UInt8](repeating: 1, count: 30_000)
    bench.receive(device, (1...4).flatMap { publish(.v5, $0, payload: payload) })
    #expect(bench.sockets[client]?.cancelCount == 1)
    bench.endReceive(client, IOError(.cancelled))
    #expect(bench.sockets[client]?.receive == nil)
    bench.pass(milliseconds: 1_001)
    #expect(bench.sockets[client]?.receive != nil)
    bench.send(client, post("/hooks/a", "x"))
    #expect(bench.statuses(client) == [503])
  }

  @Test("pressure_wait_ms = 0: nobody waits")
  func noWait() throws {
    let (bench, _) = try exhaustedBench { $0.pressureWaitMilliseconds = 0 }
    let client = bench.accept()
    bench.send(client, post("/hooks/a", body))
    #expect(bench.statuses(client) == [503])
    #expect(bench.sockets[client]?.cancelCount == 0)
  }

  @Test("Large bodies reserve their memory; who finds none for a while is answered 503")
  func bodyMemory() throws {
    let bench = try IngestBench.webhooks(memoryBytes: 8 << 20) { $0.maxBodyBytes = 3 << 20 }
    let limits = bench.inputLimits
    let size = 1 << 20
    let fits = limits.reservableInputBytes / 2 / (size + 100)
    let clients = (0...fits).map { _ in bench.accept() }
    for client in clients {
      bench.send(client, post("/hooks/a", fields: ["Content-Length: \(size)"]) + "first")
      #expect(bench.inputBytes == bench.heldInputBytes)
    }
    let last = try #require(clients.last)
    #expect(bench.sockets[last]?.cancelCount == 1)
    #expect(bench.inputBytes <= limits.inputBytes)
    bench.endReceive(last, IOError(.cancelled))
    // Who waits for a 100 hears nothing yet.
    let patient = bench.accept()
    bench.send(
      patient, post("/hooks/a", fields: ["Expect: 100-continue", "Content-Length: \(size)"]))
    #expect(bench.answers(patient).isEmpty)
    // The others come in slowly, but they do: they keep what they have.
    let rest = String(repeating: "r", count: size - 5)
    var sentBytes = 0
    for _ in 0..<3 {
      for client in clients.dropLast() {
        bench.send(client, String(rest.dropFirst(sentBytes).prefix(5_000)))
      }
      sentBytes += 5_000
      bench.pass(milliseconds: 400)
    }
    for client in [last, patient] {
      let answers = bench.answers(client)
      #expect(answers.map(\.status) == [503] && answers[0].closes)
    }
    // They go on, and make room for one more.
    for client in clients.dropLast() {
      for start in stride(from: sentBytes, to: rest.utf8.count, by: 100_000) {
        bench.send(client, String(rest.dropFirst(start).prefix(100_000)))
      }
      #expect(bench.takePayloads() == ["first" + rest])
      #expect(bench.statuses(client) == [202])
    }
    #expect(bench.inputBytes == 0 && bench.heldInputBytes == 0)
  }

  @Test("Slow bodies leave memory to MQTT devices")
  func slowBodies() throws {
    let bench = try IngestBench.webhooks(memoryBytes: 8 << 20)
    for _ in 0..<100 {
      let client = bench.accept()
      bench.send(client, post("/hooks/a", fields: ["Content-Length: 500000"]) + "slow")
      _ = bench.statuses(client)
    }
    #expect(bench.inputBytes <= bench.inputLimits.inputBytes)
    let device = bench.connect(.v5, listener: 1)
    let packet = publish(.v5, 1, payload: [UInt8](repeating: 7, count: 1_000_000))
    bench.receive(device, Array(packet.prefix(100)))
    #expect(bench.sockets[device]?.cancelCount == 0)
    bench.receive(device, Array(packet.dropFirst(100)))
    bench.settleAll()
    #expect(bench.output(device) == puback(1))
  }

  @Test("A body of unknown size reserves the largest when it grows, and waits for its turn")
  func chunkedMemory() throws {
    let bench = try IngestBench.webhooks(memoryBytes: 8 << 20) { $0.maxBodyBytes = 3 << 20 }
    let head = post("/hooks/a", fields: ["Transfer-Encoding: chunked"])
    let piece = String(repeating: "c", count: 9_000)
    let chunk = "\(String(9_000, radix: 16))\r\n\(piece)\r\n"
    let fits = bench.inputLimits.reservableInputBytes / 2 / (3 << 20)
    let clients = (0...fits).map { _ in bench.accept() }
    for client in clients { bench.send(client, head + chunk) }
    #expect(bench.inputBytes < clients.count * 20_000)
    for client in clients { bench.send(client, chunk) }
    // All but the last have a reservation.
    #expect(bench.inputBytes >= fits * (3 << 20) && bench.inputBytes == bench.heldInputBytes)
    let last = clients[fits]
    #expect(clients.filter { bench.sockets[$0]?.cancelCount == 1 } == [last])
    bench.endReceive(last, IOError(.cancelled))
    for client in clients.dropLast() {
      bench.send(client, "0\r\n\r\n")
      #expect(bench.takePayloads() == [piece + piece])
      #expect(bench.statuses(client) == [202])
    }
    #expect(bench.sockets[last]?.receive != nil)
    bench.send(last, chunk + "0\r\n\r\n")
    #expect(bench.takePayloads() == [piece + piece + piece])
    #expect(bench.statuses(last) == [202])
    #expect(bench.inputBytes == 0 && bench.heldInputBytes == 0)
  }

  @Test("A thousand clients of a byte a second hold little, and stop nobody")
  func slowClients() throws {
    let bench = try IngestBench.webhooks(memoryBytes: 1 << 20)
    let slow = (0..<1_000).map { _ in bench.accept() }
    let device = bench.connect(.v5, listener: 1)
    let request = Array(post("/hooks/a", String(repeating: "s", count: 300)).utf8)
    for second in 0..<29 {
      for client in slow { bench.receive(client, [request[second]], endsTurn: false) }
      bench.pass(milliseconds: 1_000)
      bench.receive(device, publish(.v5, UInt16(second + 1)))
      bench.settleAll()
      #expect(bench.output(device) == puback(UInt8(second + 1)))
      #expect(bench.inputBytes == bench.heldInputBytes && bench.inputBytes <= 1_000 * 128)
    }
    bench.pass(milliseconds: 1_000)
    for client in slow {
      let answers = bench.answers(client)
      #expect(answers.map(\.status) == [408] && answers[0].closes)
    }
    #expect(bench.inputBytes == 0 && bench.timerCount < 10_000)
  }

  @Test("Requests that hold memory and hardly come in give it up when others wait for it")
  func holders() throws {
    let bench = try IngestBench.webhooks { $0.pressureWaitMilliseconds = 1_000 }
    let size = 500_000
    let head = post("/hooks/a", fields: ["Content-Length: \(size)"])
    let fits = bench.inputLimits.reservableInputBytes / 2 / (size + 100)
    let holders = (0..<fits).map { _ in bench.accept() }
    for holder in holders { bench.send(holder, head + "x") }
    // Nobody waits yet: what is slow may be slow.
    bench.pass(milliseconds: 3_000)
    #expect(fits >= 2 && bench.ingest.reservedWebhookBytes > 0)
    let other = bench.accept()
    bench.send(other, head + "first")
    bench.endReceive(other, IOError(.cancelled))
    // One of them comes in, and stays.
    bench.send(holders[0], String(repeating: "y", count: 8_000))
    bench.pass(milliseconds: 501)
    #expect(bench.statuses(holders[1]) == [408])
    #expect(bench.output(holders[0]).isEmpty)
    let rest = String(repeating: "z", count: size - 5)
    bench.send(other, rest)
    #expect(bench.takePayloads() == ["first" + rest])
    #expect(bench.statuses(other) == [202])
    #expect(bench.inputBytes == bench.heldInputBytes)
  }

  @Test("Heads that do not end take half of the memory at most, then requests are refused")
  func unfinishedHeads() throws {
    let bench = try IngestBench.webhooks { $0.maxHeadBytes = 63 << 10 }
    let part = "POST /hooks/a HTTP/1.1\r\nHost: a\r\nX: " + String(repeating: "x", count: 60_000)
    var refused: [Int] = []
    for _ in 0..<200 {
      let client = bench.accept()
      bench.send(client, part)
      refused += bench.statuses(client)
    }
    #expect(Set(refused) == [503] && refused.count > 50)
    #expect(bench.inputBytes == bench.heldInputBytes)
    #expect(bench.inputBytes <= bench.inputLimits.looseInputBytes / 2)
    // Requests that come whole need no memory, and MQTT devices have theirs.
    let client = bench.accept()
    bench.send(client, post("/hooks/a", "whole"))
    #expect(bench.takePayloads() == ["whole"])
    let device = bench.connect(.v5, listener: 1)
    let packet = publish(.v5, 1, payload: [UInt8](repeating: 7, count: 5_000))
    bench.receive(device, Array(packet.prefix(2_000)))
    bench.receive(device, Array(packet.dropFirst(2_000)))
    bench.settleAll()
    #expect(bench.output(device) == puback(1))
  }
}
