/// Where the parts of a head lie, and what its fields say about the message.
struct HeadLayout: Sendable {
  /// Offsets into the head's bytes.
  struct Slice: BitwiseCopyable, Sendable {
    var start: UInt16 = 0
    var end: UInt16 = 0

    init() {}
    init(_ start: Int, _ end: Int) {
      self.start = UInt16(start)
      self.end = UInt16(end)
    }

    var range: Range<Int> { Int(start)..<Int(end) }
  }

  struct Field: BitwiseCopyable, Sendable {
    var name: Slice
    var value: Slice
  }

  var methodToken = Slice()
  var method = RequestMethod.other
  var target = Slice()
  var path = Slice()
  var query = Slice()
  var minorVersion: UInt8 = 1
  var fields: [Field] = []
  var framing = BodyFraming.none
  var expectsContinue = false
  var keepsAlive = true

  private var hostCount = 0
  private var contentLength: UInt64?
  private var isChunked = false
  private var asksClose = false
  private var asksKeepAlive = false

  /// Reads a whole head: ``HeadScanner`` found its end and checked line ends and characters.
  mutating func parse(_ head: RawSpan, limits: RequestLimits) throws(HTTP1Error) {
    clear()
    var lineStart = 0
    var isFirst = true
    // The last line is empty.
    while let lineEnd = head.firstOffset(of: ASCII.carriageReturn, from: lineStart),
      lineEnd > lineStart
    {
      if isFirst {
        try parseRequestLine(head, end: lineEnd)
        isFirst = false
      } else {
        guard fields.count < limits.fieldCount else { throw .headTooLarge }
        try parseField(head, start: lineStart, end: lineEnd)
      }
      lineStart = lineEnd + 2
    }
    try conclude(limits: limits)
  }

  /// Forgets the head; memory for fields is kept.
  mutating func clear() {
    var spare: [Field] = []
    swap(&spare, &fields)
    spare.removeAll(keepingCapacity: true)
    self = HeadLayout()
    swap(&spare, &fields)
  }

  private mutating func parseRequestLine(_ head: RawSpan, end: Int) throws(HTTP1Error) {
    guard let first = head.firstOffset(of: ASCII.space), first > 0, first < end else {
      throw .invalidRequestLine
    }
    for offset in 0..<first where !ASCII.isToken(head.byte(at: offset)) {
      throw .invalidRequestLine
    }
    guard let second = head.firstOffset(of: ASCII.space, from: first + 1), second < end else {
      throw .invalidRequestLine
    }
    methodToken = Slice(0, first)
    method = RequestMethod(head.extracting(0..<first))
    target = Slice(first + 1, second)
    // HTTP-version = "HTTP/" DIGIT "." DIGIT; a higher minor version is spoken to as 1.1.
    let version = head.extracting((second + 1)..<end)
    guard version.byteCount == 8, version.extracting(0..<5).equals("HTTP/"),
      let major = ASCII.digit(version.byte(at: 5)), version.byte(at: 6) == UInt8(ascii: "."),
      let minor = ASCII.digit(version.byte(at: 7))
    else { throw .invalidRequestLine }
    guard major == 1 else { throw .unsupportedVersion }
    minorVersion = min(minor, 1)
    try parseTarget(head)
  }

  /// RFC 9112 §3.2: origin-form, absolute-form, authority-form (CONNECT), asterisk-form (OPTIONS).
  private mutating func parseTarget(_ head: RawSpan) throws(HTTP1Error) {
    let bytes = head.extracting(target.range)
    guard bytes.byteCount > 0 else { throw .invalidTarget }
    for offset in 0..<bytes.byteCount {
      let byte = bytes.byte(at: offset)
      guard ASCII.isVisible(byte), byte != UInt8(ascii: "#") else { throw .invalidTarget }
    }
    path = target
    query = Slice(Int(target.end), Int(target.end))
    if method == .connect { return }
    if method == .options && bytes.equals("*") { return }
    if bytes.byte(at: 0) != UInt8(ascii: "/") {
      let schemeLength =
        bytes.startsIgnoringCase(with: "http://")
        ? 7 : bytes.startsIgnoringCase(with: "https://") ? 8 : 0
      guard schemeLength > 0 else { throw .invalidTarget }
      let authorityEnd = bytes.firstOffset(of: UInt8(ascii: "/"), from: schemeLength)
      let end = authorityEnd ?? bytes.byteCount
      guard end > schemeLength else { throw .invalidTarget }
      for offset in schemeLength..<end where !ASCII.isHost(bytes.byte(at: offset)) {
        throw .invalidTarget
      }
      path.start = target.start + UInt16(end)
    }
    if let mark = head.extracting(path.range).firstOffset(of: UInt8(ascii: "?")) {
      query.start = path.start + UInt16(mark) + 1
      path.end = path.start + UInt16(mark)
    }
    // What cannot be decoded, or hides a control character, names nothing anybody serves.
    if PercentEncoding.isSuspicious(head.extracting(path.range)) { throw .invalidTarget }
  }

  private mutating func parseField(
    _ head: RawSpan, start: Int, end: Int
  ) throws(HTTP1Error) {
    if ASCII.isBlank(head.byte(at: start)) { throw .foldedField }
    var offset = start
    while offset < end, ASCII.isToken(head.byte(at: offset)) { offset += 1 }
    // A name is followed by its colon at once (RFC 9112 §5.1): white space between them is how
    // two parties are brought to read different fields.
    guard offset > start, offset < end, head.byte(at: offset) == ASCII.colon else {
      throw .invalidFieldName
    }
    var valueStart = offset + 1
    var valueEnd = end
    while valueStart < valueEnd, ASCII.isBlank(head.byte(at: valueStart)) { valueStart += 1 }
    while valueEnd > valueStart, ASCII.isBlank(head.byte(at: valueEnd - 1)) { valueEnd -= 1 }
    fields.append(Field(name: Slice(start, offset), value: Slice(valueStart, valueEnd)))
    try interpret(
      name: head.extracting(start..<offset), value: head.extracting(valueStart..<valueEnd))
  }

  private mutating func interpret(name: RawSpan, value: RawSpan) throws(HTTP1Error) {
    if name.equalsIgnoringCase("host") {
      hostCount += 1
      for offset in 0..<value.byteCount where !ASCII.isHost(value.byte(at: offset)) {
        throw .invalidHost
      }
    } else if name.equalsIgnoringCase("content-length") {
      // Several, even equal ones, are refused: nobody honest sends them.
      guard contentLength == nil else { throw .invalidContentLength }
      contentLength = try Self.decimal(value)
    } else if name.equalsIgnoringCase("transfer-encoding") {
      guard !isChunked else { throw .invalidTransferEncoding }
      try interpretTransferEncoding(value)
    } else if name.equalsIgnoringCase("connection") {
      interpretConnection(value)
    } else if name.equalsIgnoringCase("expect") {
      guard value.equalsIgnoringCase("100-continue") else { throw .unknownExpectation }
      expectsContinue = true
    }
  }

  /// RFC 9112 §6.1: `chunked` comes last and once; other codings are not implemented.
  private mutating func interpretTransferEncoding(_ value: RawSpan) throws(HTTP1Error) {
    var list = FieldList(value)
    var hasOther = false
    while let coding = list.next() {
      if isChunked { throw .invalidTransferEncoding }
      if coding.equalsIgnoringCase("chunked") { isChunked = true } else { hasOther = true }
    }
    guard isChunked else { throw .invalidTransferEncoding }
    if hasOther { throw .unknownTransferCoding }
  }

  private mutating func interpretConnection(_ value: RawSpan) {
    var list = FieldList(value)
    while let option = list.next() {
      if option.equalsIgnoringCase("close") { asksClose = true }
      if option.equalsIgnoringCase("keep-alive") { asksKeepAlive = true }
    }
  }

  private mutating func conclude(limits: RequestLimits) throws(HTTP1Error) {
    // RFC 9112 §3.2: exactly one Host; HTTP/1.0 knew none.
    guard hostCount == 1 || hostCount == 0 && minorVersion == 0 else { throw .invalidHost }
    if isChunked {
      guard contentLength == nil else { throw .ambiguousLength }
      guard minorVersion == 1 else { throw .invalidTransferEncoding }
      framing = .chunked
    } else if let length = contentLength {
      guard length <= UInt64(limits.bodyBytes) else { throw .bodyTooLarge }
      framing = length == 0 ? .none : .length(Int(length))
    }
    keepsAlive = !asksClose && (minorVersion == 1 || asksKeepAlive)
    // RFC 9110 §10.1.1: from HTTP/1.0, and without a body, the expectation is ignored.
    expectsContinue = expectsContinue && minorVersion == 1 && framing != .none
  }

  /// `1*DIGIT` below 2^63.
  private static func decimal(_ text: RawSpan) throws(HTTP1Error) -> UInt64 {
    guard text.byteCount > 0, text.byteCount <= 19 else { throw .invalidContentLength }
    var number: UInt64 = 0
    for offset in 0..<text.byteCount {
      guard let digit = ASCII.digit(text.byte(at: offset)) else { throw .invalidContentLength }
      number = number * 10 + UInt64(digit)
    }
    guard number <= UInt64(Int64.max) else { throw .invalidContentLength }
    return number
  }
}
