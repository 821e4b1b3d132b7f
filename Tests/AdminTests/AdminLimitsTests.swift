import Admin
import IOPort
import Testing

@Suite("The limits of the admin address")
struct AdminLimitsTests {
  private let get = "GET /status HTTP/1.1\r\nHost: a\r\n\r\n"

  @Test("Connections above the limit are closed as they come; a place is free again after a close")
  func connectionLimit() {
    var kernel = Kernel(limits: AdminLimits(connectionCount: 2))
    let first = kernel.connect(10)
    let second = kernel.connect(11)
    let third = kernel.connect(12)
    let full = (kernel.closed, kernel.server.refusedCount, kernel.server.connectionCount)
    #expect(full == ([third], 1, 2))
    kernel.endReceive(first)
    let fourth = kernel.connect(13)
    kernel.receive(fourth, get)
    kernel.receive(second, get)
    let texts = (kernel.text(fourth), kernel.text(second))
    #expect(texts.0.hasPrefix("HTTP/1.1 200 OK"))
    #expect(texts.1.hasPrefix("HTTP/1.1 200 OK"))
  }

  @Test("An idle connection is closed, before the first request and after one")
  func idle() {
    var kernel = Kernel()
    let silent = kernel.connect(10)
    kernel.pass(milliseconds: 20_000)
    let used = kernel.connect(11)
    kernel.receive(used, get)
    kernel.pass(milliseconds: 9_999)
    let before = kernel.closed
    #expect(before == [])
    kernel.pass(milliseconds: 1)
    let after = kernel.closed
    #expect(after == [silent])
    kernel.pass(milliseconds: 19_998)
    let still = kernel.closed
    #expect(still == [silent])
    kernel.pass(milliseconds: 2)
    let both = (kernel.closed, kernel.server.connectionCount)
    #expect(both == ([silent, used], 0))
    let deadline = kernel.server.nextDeadline
    #expect(deadline == .distantFuture)
  }

  @Test("A request that drips in is told 408 at its time limit; the drip does not extend it")
  func slowRequest() {
    var kernel = Kernel()
    let client = kernel.connect(10)
    kernel.pass(milliseconds: 10_000)
    for _ in 0..<4 {
      kernel.receive(client, "G")
      kernel.pass(milliseconds: 1_000)
    }
    let early = kernel.text(client)
    #expect(early == "")
    kernel.receive(client, "G")
    kernel.pass(milliseconds: 1_000)
    let text = kernel.text(client)
    #expect(text.hasPrefix("HTTP/1.1 408 Request Timeout\r\n"))
    kernel.pass(milliseconds: 1_000)
    let closed = kernel.closed
    #expect(closed == [client])
  }

  @Test("A client that does not take its answer is closed")
  func slowReader() {
    var kernel = Kernel()
    kernel.takesSends = false
    let client = kernel.connect(10)
    kernel.receive(client, get)
    kernel.pass(milliseconds: 4_999)
    let before = kernel.closed
    #expect(before == [])
    kernel.pass(milliseconds: 1)
    let after = (kernel.closed, kernel.server.connectionCount)
    #expect(after == ([client], 0))
  }

  @Test("Requests sent ahead are answered only as answers are taken, and limited in bytes")
  func pipelineLimit() {
    var kernel = Kernel()
    kernel.takesSends = false
    let client = kernel.connect(10)
    kernel.receive(client, get + get + get)
    let text = kernel.text(client)
    #expect(text.components(of: "HTTP/1.1 200 OK") == 1)
    kernel.receive(client, String(repeating: "x", count: 16 * 1024))
    let closed = kernel.closed
    #expect(closed == [client])
  }

  @Test("Receiving is asked again when buffers ran out, accepting after a pause")
  func resources() {
    var kernel = Kernel()
    let client = kernel.connect(10)
    kernel.endReceive(client, IOError(.resourcesExhausted))
    kernel.receive(client, get)
    let text = kernel.text(client)
    #expect(text.hasPrefix("HTTP/1.1 200 OK"))
    kernel.endAccept(IOError(.resourcesExhausted))
    let paused = kernel.accepts
    #expect(paused == 1)
    kernel.pass(milliseconds: 100)
    let again = kernel.accepts
    #expect(again == 2)
  }

  @Test("After stop idle connections go, a request under way is answered, none is accepted")
  func stop() {
    var kernel = Kernel()
    let answer = kernel.answer
    kernel.answer = nil
    let idle = kernel.connect(10)
    let asking = kernel.connect(11)
    kernel.receive(asking, get)
    kernel.server.stop(operations: &kernel.operations)
    kernel.server.stop(operations: &kernel.operations)
    kernel.turn()
    let closed = kernel.closed
    #expect(closed == [Kernel.listener, idle])
    let late = kernel.connect(12)
    kernel.answer = answer
    kernel.turn()
    let text = kernel.text(asking)
    #expect(text.contains("Connection: close\r\n") && text.hasSuffix("<status>"))
    kernel.endReceive(asking)
    let all = (kernel.closed, kernel.server.connectionCount)
    #expect(all == ([Kernel.listener, idle, late, asking], 0))
  }

  @Test("Random bytes, sizes and endings never trap, and every place is free in the end")
  func randomised() {
    let seed = UInt64.random(in: 0 ... .max)
    var random = SplitMix64(seed: seed)
    let texts = [get, "GET /", "\r\n", "POST /status HTTP/1.1\r\nHost: a\r\n", "x", "\n", "HEAD"]
    for _ in 0..<200 {
      var kernel = Kernel(limits: AdminLimits(connectionCount: 3))
      kernel.sendLimit = Int.random(in: 1...300, using: &random)
      for step in 0..<40 {
        let client = Descriptor(rawValue: Int32.random(in: 10...50, using: &random))
        switch Int.random(in: 0...9, using: &random) {
        case 0, 1: if !kernel.isOpen(client) { _ = kernel.connect(Int32(100 + step)) }
        case 2: kernel.endReceive(Descriptor(rawValue: Int32(100 + step / 2)))
        case 3: kernel.takesSends.toggle()
        case 4: kernel.pass(milliseconds: Int.random(in: 0...8_000, using: &random))
        default:
          let target = Descriptor(rawValue: Int32(100 + Int.random(in: 0...step, using: &random)))
          kernel.receive(target, texts.randomElement(using: &random) ?? "")
        }
      }
      kernel.takesSends = true
      kernel.turn()
      for _ in 0..<3 { kernel.pass(milliseconds: 31_000) }
      let left = kernel.server.connectionCount
      #expect(left == 0, "seed \(seed)")
    }
  }
}

extension String {
  /// How often `part` occurs.
  fileprivate func components(of part: String) -> Int { ranges(of: part).count }
}
