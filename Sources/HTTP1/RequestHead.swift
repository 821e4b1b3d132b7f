/// A request's head, borrowed from the bytes received.
public struct RequestHead: ~Escapable {
  private let bytes: RawSpan
  private let layout: HeadLayout

  @_lifetime(copy bytes)
  init(bytes: RawSpan, layout: HeadLayout) {
    self.bytes = bytes
    self.layout = layout
  }

  /// The method.
  public var method: RequestMethod { layout.method }

  /// The method as it was written.
  public var methodToken: RawSpan {
    @_lifetime(copy self)
    get { bytes.extracting(layout.methodToken.range) }
  }

  /// The target as it was written: visible ASCII, percent-encoding untouched.
  public var target: RawSpan {
    @_lifetime(copy self)
    get { bytes.extracting(layout.target.range) }
  }

  /// The target's path: begins with `/`; empty for an absolute target without one, the whole
  /// target for CONNECT and `OPTIONS *`.
  public var path: RawSpan {
    @_lifetime(copy self)
    get { bytes.extracting(layout.path.range) }
  }

  /// What follows the target's `?`; empty without one.
  public var query: RawSpan {
    @_lifetime(copy self)
    get { bytes.extracting(layout.query.range) }
  }

  /// Whether the path is exactly the literal; nothing is decoded.
  public func hasPath(_ literal: StaticString) -> Bool { path.equals(literal) }

  /// Minor version the peer is spoken to in: 0 or 1.
  public var minorVersion: UInt8 { layout.minorVersion }

  /// How the body's end is known.
  public var framing: BodyFraming { layout.framing }

  /// Whether the peer waits for `100 Continue` before it sends the body.
  public var expectsContinue: Bool { layout.expectsContinue }

  /// Whether the connection may serve another request after this one.
  public var keepsAlive: Bool { layout.keepsAlive }

  /// How many fields the head has.
  public var fieldCount: Int { layout.fields.count }

  /// The name of the field at `index` below ``fieldCount``, as it was written.
  @_lifetime(copy self)
  public func fieldName(at index: Int) -> RawSpan {
    bytes.extracting(layout.fields[index].name.range)
  }

  /// The value of the field at `index` below ``fieldCount``, without the blanks around it.
  @_lifetime(copy self)
  public func fieldValue(at index: Int) -> RawSpan {
    bytes.extracting(layout.fields[index].value.range)
  }

  /// The value of the first field with a name, which is given in lower case. O(fields).
  @_lifetime(copy self)
  public func value(of name: StaticString) -> RawSpan? {
    for field in layout.fields where bytes.extracting(field.name.range).equalsIgnoringCase(name) {
      return bytes.extracting(field.value.range)
    }
    return nil
  }
}
