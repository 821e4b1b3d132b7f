import Bytes
import HTTP1

/// What the reader of one connection said.
struct HTTPConversation {
  /// All events.
  private(set) var log = EventLog()
  /// The complete requests, written anew.
  private(set) var written: [UInt8] = []
  /// The events of the complete requests.
  private(set) var writtenLog = EventLog()
  private var request: [UInt8] = []
  private var body: [UInt8] = []
  private var framing = BodyFraming.none
  private var isOver = false

  init(_ bytes: [UInt8], ends: [Int], _ limits: RequestLimits) throws(Finding) {
    var reader = RequestReader(limits: limits)
    var start = 0
    for end in ends where !isOver {
      reader.receive(bytes.rawBytes.extracting(start..<end))
      start = end
      try drain(&reader, given: end)
    }
  }

  private mutating func drain(_ reader: inout RequestReader, given: Int) throws(Finding) {
    while true {
      let before = reader.bufferedBytes
      try require(before <= given, "\(before) bytes are buffered, \(given) came")
      switch reader.nextEvent() {
      case .needsBytes:
        return
      case .head:
        try require(reader.bufferedBytes < before, "a head of no bytes")
        try HTTPFieldCheck.check(reader.head)
        begin(reader.head)
      case .body:
        try require(reader.body.byteCount > 0, "a piece of no bytes")
        try require(before - reader.bufferedBytes >= reader.body.byteCount, "bytes out of nothing")
        body += Array(copying: reader.body)
      case .end:
        end()
      case .failed(let error):
        log.begin("failed \(error) \(error.statusCode)")
        isOver = true
        try require(reader.bufferedBytes == 0, "bytes are kept after a failure")
        try require(reader.nextEvent() == .failed(error), "a failure does not last")
        return
      }
    }
  }

  private mutating func begin(_ head: borrowing RequestHead) {
    log.begin("\(head.method)")
    log.add(head.methodToken)
    log.add(head.target)
    log.add(head.path)
    log.add(head.query)
    log.add(head.minorVersion)
    log.add(head.expectsContinue)
    log.add(head.keepsAlive)
    framing = head.framing
    request = Array(copying: head.methodToken)
    request += " ".utf8
    request += Array(copying: head.target)
    request += " HTTP/1.\(head.minorVersion)\r\n".utf8
    for index in 0..<head.fieldCount {
      log.add(head.fieldName(at: index))
      log.add(head.fieldValue(at: index))
      request += Array(copying: head.fieldName(at: index))
      request += ":".utf8
      request += Array(copying: head.fieldValue(at: index))
      request += "\r\n".utf8
    }
    request += "\r\n".utf8
  }

  private mutating func end() {
    log.begin("body")
    log.add(bytes: body)
    if framing == .chunked {
      if !body.isEmpty {
        request += "\(String(body.count, radix: 16))\r\n".utf8
        request += body
        request += "\r\n".utf8
      }
      request += "0\r\n\r\n".utf8
    } else {
      request += body
    }
    written += request
    writtenLog = log
    body = []
  }
}
