import Bytes
import Glibc
import IOPort
import Synchronization
import Testing

@testable import Uring

@Suite("Waiting, doorbells and signals", .timeLimit(.minutes(1)))
struct WaitTests {
  @Test("A wait ends at its deadline, not before and not much after", arguments: [1, 20, 150])
  func deadline(milliseconds: Int) throws {
    var port = try Uring()
    let start = port.now
    port.wait(until: start.advanced(milliseconds: milliseconds))
    #expect(port.now >= start.advanced(milliseconds: milliseconds))
    #expect(port.now < start.advanced(milliseconds: milliseconds + 2_000))
    let isQuiet = if case .none = port.next() { true } else { false }
    #expect(isQuiet)
    // One call does it all.
    #expect(port.counters.enterCalls <= 6)
  }

  @Test("A look without work makes no system call, and the clocks go on")
  func look() throws {
    var port = try Uring()
    port.wait(until: Instant(nanoseconds: 0))
    let calls = port.counters.enterCalls
    let before = port.now
    for _ in 0..<1_000 { port.wait(until: Instant(nanoseconds: 0)) }
    #expect(port.counters.enterCalls == calls)
    #expect(port.now > before)
    let wall = UInt64(time(nil)) * 1_000
    #expect(port.unixMilliseconds + 10_000 > wall && port.unixMilliseconds < wall + 10_000)
  }

  @Test("Whether the clock is right is asked once a second, and the boot clock counts on")
  func bootClock() throws {
    var port = try Uring()
    let uptime = String(
      decoding: try FileReading.readFile("/proc/uptime", limitBytes: 64), as: UTF8.self)
    let seconds = try #require(uptime.split(separator: " ").first.flatMap { Double($0) })
    for _ in 0..<1_000 { port.wait(until: Instant(nanoseconds: 0)) }
    #expect(abs(Double(port.bootMilliseconds) / 1_000 - seconds) < 10)
    #expect((1...10).contains(port.counters.clockCalls))
  }

  @Test("A turn that sends and receives costs one call")
  func oneCall() throws {
    var driver = try Driver()
    let pair = try driver.connectedPair()
    driver.queue.append(.receive(pair.far), token: Tokens.receive)
    try driver.turn(milliseconds: 1)
    let before = driver.port.counters
    let rounds = 200
    let data = pattern(100)
    try data.withUnsafeBytes { memory in
      for round in 1...rounds {
        driver.send(memory, on: pair.near, token: Tokens.send)
        while driver.received[Tokens.receive, default: []].count < round * 100 {
          try driver.turn()
        }
      }
    }
    try driver.turn(milliseconds: 1)
    let after = driver.port.counters
    #expect(after.entries - before.entries == UInt64(rounds))
    #expect(after.completions - before.completions == UInt64(2 * rounds))
    #expect(after.enterCalls - before.enterCalls <= UInt64(2 * rounds + 2))
    #expect(after.otherCalls == before.otherCalls)
  }

  @Test("A port rings itself, and a thread without a port rings it")
  func ring() throws {
    var driver = try Driver()
    let bell = driver.port.doorbell
    driver.queue.append(.ring(bell), token: Tokens.none)
    try driver.run("rung") { $0.contains { $0.seen == .rung } }
    #expect(driver.log.map(\.token) == [Token(rawValue: .max)])
    Uring.ring(bell)
    Uring.ring(bell)
    try driver.run("rung again") { $0.filter { $0.seen == .rung }.count == 2 }
    try driver.turn(milliseconds: 10)
    #expect(driver.log.count == 2)
  }

  @Test("Two threads hand a turn to and fro 100,000 times and lose none")
  func pingPong() throws {
    let table = PingPong()
    let rounds = 100_000
    let thread = try NamedThread(
      name: "ping", running: PingPong.Player(table: table, isFirst: true, rounds: rounds))
    let other = try NamedThread(
      name: "pong", running: PingPong.Player(table: table, isFirst: false, rounds: rounds))
    thread.join()
    other.join()
    #expect(table.turn.load(ordering: .relaxed) == 2 * rounds)
  }

  @Test("A bell whose port has ended may still be rung")
  func lateRing() throws {
    let bell: Doorbell
    do {
      let port = try Uring()
      bell = port.doorbell
    }
    Uring.ring(bell)
    var next = try Uring()
    next.wait(until: next.now.advanced(milliseconds: 5))
  }

  @Test("SIGTERM reaches the port that watches signals")
  func signals() throws {
    let seen = SignalProbe()
    let thread = try NamedThread(name: "signals", running: SignalProbe.Body(probe: seen))
    thread.join()
    #expect(seen.count.load(ordering: .relaxed) == 2)
  }

  @Test("A started thread has its name")
  func threadName() throws {
    struct Body: ThreadBody {
      let name: NameBox
      func run() {
        let bytes = try? FileReading.readFile("/proc/thread-self/comm", limitBytes: 100)
        name.text.withLock { $0 = String(decoding: bytes ?? [], as: UTF8.self) }
      }
    }
    let box = NameBox()
    let thread = try NamedThread(name: "danube-test", running: Body(name: box))
    thread.join()
    #expect(box.text.withLock { $0 } == "danube-test\n")
  }
}

final class NameBox: Sendable { let text = Mutex("") }

/// Two players who move in turn, each woken by the other's doorbell.
final class PingPong: Sendable {
  let turn = Atomic<Int>(0)
  let bells = Mutex<[Doorbell?]>([nil, nil])

  struct Player: ThreadBody {
    let table: PingPong
    let isFirst: Bool
    let rounds: Int

    func run() {
      guard var port = try? Uring() else { return }
      let own = isFirst ? 0 : 1
      table.bells.withLock { $0[own] = port.doorbell }
      var other: Doorbell?
      while other == nil {
        other = table.bells.withLock { $0[1 - own] }
        sched_yield()
      }
      guard let other else { return }
      var operations = OperationQueue()
      for round in 0..<rounds {
        // The other's store of the turn is before its ring, and the ring before our wake-up.
        while table.turn.load(ordering: .acquiring) != 2 * round + own {
          port.wait(until: port.now.advanced(milliseconds: 20_000))
          while case .some = port.next() {}
        }
        table.turn.store(2 * round + own + 1, ordering: .releasing)
        operations.append(.ring(other), token: Tokens.none)
        port.submit(&operations)
      }
    }
  }
}

/// Sends itself two signals and counts what its port tells.
final class SignalProbe: Sendable {
  let count = Atomic<Int>(0)

  struct Body: ThreadBody {
    let probe: SignalProbe

    func run() {
      SignalDescriptor.blockSignals()
      guard var port = try? Uring() else { return }
      let token = Token(owner: 7, verb: 7)
      guard (try? port.watchSignals(token: token)) != nil else { return }
      port.wait(until: port.now)
      for signal in [SIGTERM, SIGINT] {
        // To this thread alone: the test's process goes on.
        pthread_kill(pthread_self(), signal)
        let deadline = port.now.advanced(milliseconds: 5_000)
        let before = probe.count.load(ordering: .relaxed)
        while probe.count.load(ordering: .relaxed) == before, port.now < deadline {
          port.wait(until: deadline)
          while let completion = port.next() {
            if completion.token == token { probe.count.add(1, ordering: .relaxed) }
          }
        }
      }
    }
  }
}
