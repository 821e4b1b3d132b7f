import Bytes
import HTTP1
import Testing

@Suite("Reading requests")
struct RequestReaderTests {
  @Test("Good requests are read", arguments: RequestTables.good)
  func good(text: String, transcript: String) {
    #expect(Transcript(text).description == transcript)
  }

  @Test("Malformed requests and the shapes of smuggling are refused", arguments: RequestTables.bad)
  func bad(text: String, error: String) {
    #expect(Transcript(RequestTables.whole(text)).description == error)
  }

  @Test("Malformed chunks are refused", arguments: RequestTables.badChunks)
  func badChunks(text: String, error: String) {
    #expect(Transcript(RequestTables.chunkedHead + text).lines.last == error)
  }

  @Test("How bytes are split changes nothing", .timeLimit(.minutes(1)))
  func splits() {
    let texts =
      RequestTables.good.map(\.0) + RequestTables.bad.map { RequestTables.whole($0.0) }
      + RequestTables.badChunks.map { RequestTables.chunkedHead + $0.0 }
    for text in texts {
      let bytes = Array(text.utf8)
      let whole = Transcript([bytes[...]])
      #expect(Transcript(bytes.indices.map { bytes[$0...$0] }) == whole, "\(text)")
      for point in bytes.indices {
        #expect(Transcript([bytes[..<point], bytes[point...]]) == whole, "\(text) at \(point)")
      }
    }
  }

  @Test("A token is made of the characters of RFC 9110 §5.6.2")
  func tokens() {
    let allowed = Set(
      "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".utf8)
    for byte in UInt8.min ... .max {
      let text = Array("a".utf8) + [byte] + Array("b / HTTP/1.0\r\n\r\n".utf8)
      let isRead = Transcript([text[...]]).lines.last == "end"
      #expect(isRead == allowed.contains(byte), "byte \(byte)")
    }
  }

  @Test("The limits on a head hold to the byte, and to the field")
  func headLimits() {
    func request(padding: Int) -> String {
      "GET /\(String(repeating: "x", count: padding)) HTTP/1.0\r\n\r\n"
    }
    let limits = RequestLimits(headBytes: 100, fieldCount: 2, bodyBytes: 0)
    let fixed = request(padding: 0).utf8.count
    #expect(Transcript(request(padding: 100 - fixed), limits: limits).lines.last == "end")
    #expect(Transcript("\r\n" + request(padding: 100 - fixed), limits: limits).lines.last == "end")
    #expect(Transcript(request(padding: 101 - fixed), limits: limits).lines == ["headTooLarge"])
    #expect(Transcript(request(padding: 200), limits: limits).lines == ["targetTooLong"])
    #expect(
      Transcript("GET / HTTP/1.0\r\nA:\(String(repeating: "x", count: 90))", limits: limits).lines
        == ["headTooLarge"])
    #expect(Transcript("GET / HTTP/1.0\r\nA:\r\nB:\r\n\r\n", limits: limits).lines.last == "end")
    #expect(
      Transcript("GET / HTTP/1.0\r\nA:\r\nB:\r\nC:\r\n\r\n", limits: limits).lines
        == ["headTooLarge"])
  }

  @Test("A head of the largest size is read")
  func largestHead() {
    let limits = RequestLimits(headBytes: 65_535, fieldCount: 1, bodyBytes: 0)
    let frame = "GET / HTTP/1.0\r\nA: \r\n\r\n"
    let text = frame.replacing(
      "A: ", with: "A: " + String(repeating: "v", count: 65_535 - frame.utf8.count))
    #expect(text.utf8.count == 65_535)
    #expect(Transcript(text, limits: limits).lines.last == "end")
  }

  @Test("The limit on a body holds over all its chunks")
  func bodyLimit() {
    let limits = RequestLimits(bodyBytes: 4)
    let fits = RequestTables.chunkedHead + "3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n"
    #expect(Transcript(fits, limits: limits).lines.last == "end")
    let exceeds = RequestTables.chunkedHead + "3\r\nabc\r\n2\r\n"
    #expect(Transcript(exceeds, limits: limits).lines.last == "bodyTooLarge")
  }

  @Test("Each error has a status of the 4xx or 5xx kind", arguments: HTTP1Error.allCases)
  func statusCodes(error: HTTP1Error) {
    #expect((400...599).contains(error.statusCode))
  }

  @Test("A head is looked up by name, and a reader knows whether a request is under way")
  func lookUp() {
    var reader = RequestReader(limits: RequestLimits(bodyBytes: 10))
    expect(reader, isInRequest: false, bufferedBytes: 0)
    let text = Array("POST /x HTTP/1.1\r\nHost: a\r\nX-Key: k\r\nContent-Length: 1\r\n\r\n".utf8)
    text.withUnsafeBytes { reader.receive($0.bytes) }
    expect(reader, isInRequest: true, bufferedBytes: text.count)
    #expect(reader.nextEvent() == .head)
    checkHead(reader.head)
    #expect(reader.nextEvent() == .needsBytes)
    expect(reader, isInRequest: true, bufferedBytes: 0)
    Array("bGE".utf8).withUnsafeBytes { reader.receive($0.bytes) }
    #expect(reader.nextEvent() == .body)
    #expect(reader.nextEvent() == .end)
    expect(reader, isInRequest: false, bufferedBytes: 2)
    #expect(reader.nextEvent() == .needsBytes)
    expect(reader, isInRequest: true, bufferedBytes: 2)
  }

  private func expect(
    _ reader: borrowing RequestReader, isInRequest: Bool, bufferedBytes: Int,
    location: SourceLocation = #_sourceLocation
  ) {
    let found = (reader.isInRequest, reader.bufferedBytes)
    #expect(found == (isInRequest, bufferedBytes), sourceLocation: location)
  }

  private func checkHead(_ head: borrowing RequestHead) {
    let method = head.method
    #expect(method == .post)
    let paths = (head.hasPath("/x"), head.hasPath("/"), head.hasPath("/xy"))
    #expect(paths == (true, false, false))
    var values: [[UInt8]?] = []
    if let value = head.value(of: "x-key") { values.append(array(value)) }
    if let value = head.value(of: "x-keys") { values.append(array(value)) }
    #expect(values == [Array("k".utf8)])
  }

  @Test("Mutated requests never trap, and read the same whole and split", .timeLimit(.minutes(1)))
  func mutations() {
    let seed = UInt64.random(in: 0 ... .max)
    var random = Randomness(state: seed)
    let texts =
      RequestTables.good.map(\.0) + RequestTables.bad.map { RequestTables.whole($0.0) }
      + RequestTables.badChunks.filter { $0.0.utf8.count < 100 }.map {
        RequestTables.chunkedHead + $0.0
      }
    let corpus = texts.map { Array($0.utf8) }
    let words = ["\r\n", "\r\n\r\n", "\r", "\n", ":", " ", ",", "chunked", "0", "ffffffff", ";"]
      .map { Array($0.utf8) }
    var endings: [String: Int] = [:]
    for round in 0..<40_000 {
      var bytes = corpus.randomElement(using: &random) ?? []
      for _ in 0...Int.random(in: 0...3, using: &random) {
        let place = Int.random(in: 0...bytes.count, using: &random)
        let end = min(bytes.count, place + Int.random(in: 0...6, using: &random))
        switch UInt8.random(in: 0...3, using: &random) {
        case 0: bytes.removeSubrange(place..<end)
        case 1: bytes.insert(contentsOf: words.randomElement(using: &random) ?? [], at: place)
        case 2: bytes.insert(contentsOf: bytes[place..<end], at: end)
        default:
          if place < bytes.count { bytes[place] = UInt8.random(in: 0...255, using: &random) }
        }
      }
      let limits = RequestLimits(headBytes: 120, fieldCount: 4, bodyBytes: 20)
      let point = Int.random(in: 0...bytes.count, using: &random)
      let whole = Transcript([bytes[...]], limits: limits)
      let split = Transcript([bytes[..<point], bytes[point...]], limits: limits)
      #expect(whole == split, "seed \(seed), round \(round)")
      endings[whole.lines.last ?? "nothing", default: 0] += 1
    }
    // The mutations reach every part of the reader, not only its first check.
    #expect(endings.values.reduce(0, +) == 40_000)
    #expect(endings.count > 15, "seed \(seed): \(endings)")
    #expect(endings["end", default: 0] > 1000, "seed \(seed)")
  }
}

/// SplitMix64: the same seed draws the same numbers.
struct Randomness: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}
