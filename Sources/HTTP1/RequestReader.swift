import Bytes

/// What a connection's bytes say next.
public enum RequestEvent: BitwiseCopyable, Sendable, Equatable {
  /// Nothing more until bytes arrive.
  case needsBytes
  /// A head is complete: see ``RequestReader/head``.
  case head
  /// Bytes of its body: see ``RequestReader/body``.
  case body
  /// The request is complete. Answer it before asking for more: the next event may belong to a
  /// request that was sent ahead (pipelined), and answers go out in order.
  case end
  /// No more requests can be read: answer with the error's status and close.
  case failed(HTTP1Error)
}

/// Reads the requests of one connection: bytes in, events out.
public struct RequestReader: ~Copyable {
  private enum State: BitwiseCopyable {
    case head
    case body
    case ended
    case failed(HTTP1Error)
  }

  private let limits: RequestLimits
  private var input = GrowableBytes()
  private var scanner = HeadScanner()
  private var layout = HeadLayout()
  private var decoder: BodyDecoder
  private var state = State.head
  private var headStart = 0
  private var headEnd = 0
  private var piece = 0..<0
  /// Bytes at the front that the last event spoke of.
  private var spentBytes = 0

  /// A reader at the start of a connection.
  public init(limits: RequestLimits) {
    self.limits = limits
    decoder = BodyDecoder(framing: .none, maximumBytes: 0)
  }

  /// Bytes received and not yet spent; what is sent ahead of its turn counts here. The owner limits
  /// it by not receiving, or by closing.
  public var bufferedBytes: Int { input.count - spentBytes }

  /// Whether a request has begun and is not complete, or bytes of one are there.
  public var isInRequest: Bool {
    if case .head = state { return bufferedBytes > 0 }
    if case .body = state { return true }
    return false
  }

  /// Takes received bytes. Spans of the last event are void afterwards.
  public mutating func receive(_ bytes: RawSpan) {
    forgetSpent()
    if case .failed = state { return }
    input.append(bytes)
  }

  /// What the bytes say next. Spans of the last event are void afterwards.
  public mutating func nextEvent() -> RequestEvent {
    forgetSpent()
    switch state {
    case .failed(let error):
      return .failed(error)
    case .ended:
      state = .head
      return nextHead()
    case .head:
      return nextHead()
    case .body:
      return nextBody()
    }
  }

  /// The head of the last `.head` event; empty after any other.
  public var head: RequestHead {
    @_lifetime(borrow self)
    get { RequestHead(bytes: input.bytes.extracting(headStart..<headEnd), layout: layout) }
  }

  /// The bytes of the last `.body` event; empty after any other.
  public var body: RawSpan {
    @_lifetime(borrow self)
    get { input.bytes.extracting(piece) }
  }

  private mutating func forgetSpent() {
    guard spentBytes > 0 else { return }
    input.removeFirst(spentBytes)
    spentBytes = 0
    headStart = 0
    headEnd = 0
    piece = 0..<0
    layout.clear()
    if input.isEmpty { input.removeAll(keepingCapacityUpTo: 4096) }
  }

  private mutating func nextHead() -> RequestEvent {
    // Parts are worked on beside `self`: the bytes borrow it.
    var scanner = self.scanner
    switch scanner.scan(input.bytes, from: scanner.scannedBytes, limits: limits) {
    case .incomplete:
      self.scanner = scanner
      return .needsBytes
    case .failed(let error):
      return fail(error)
    case .complete(let start, let end):
      self.scanner = HeadScanner()
      var layout = HeadLayout()
      swap(&layout, &self.layout)
      do throws(HTTP1Error) {
        try layout.parse(input.bytes.extracting(start..<end), limits: limits)
      } catch {
        return fail(error)
      }
      decoder = BodyDecoder(framing: layout.framing, maximumBytes: limits.bodyBytes)
      swap(&layout, &self.layout)
      headStart = start
      headEnd = end
      spentBytes = end
      state = .body
      return .head
    }
  }

  private mutating func nextBody() -> RequestEvent {
    if decoder.isComplete {
      state = .ended
      return .end
    }
    do throws(HTTP1Error) {
      var decoder = self.decoder
      let found = try decoder.decode(input.bytes)
      self.decoder = decoder
      spentBytes = found.consumed
      if found.length > 0 {
        piece = found.offset..<found.consumed
        return .body
      }
    } catch {
      return fail(error)
    }
    forgetSpent()
    if decoder.isComplete {
      state = .ended
      return .end
    }
    return .needsBytes
  }

  private mutating func fail(_ error: HTTP1Error) -> RequestEvent {
    state = .failed(error)
    input.removeAll(keepingCapacityUpTo: 0)
    return .failed(error)
  }
}
