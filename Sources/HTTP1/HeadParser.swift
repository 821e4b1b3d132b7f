/// Reads heads whose ends a ``HeadScanner`` found, where they lie. One parser serves any number of
/// connections, one head after the other; its memory is used again.
public struct HeadParser: ~Copyable {
  private var layout = HeadLayout()

  /// A parser that has read nothing.
  public init() {}

  /// Reads a whole head, both line ends at its end included.
  public mutating func parse(_ head: RawSpan, limits: RequestLimits) throws(HTTP1Error) {
    try layout.parse(head, limits: limits)
  }

  /// The head that was read last, in the same bytes.
  @_lifetime(copy bytes)
  public func head(in bytes: RawSpan) -> RequestHead {
    RequestHead(bytes: bytes, layout: layout)
  }
}
