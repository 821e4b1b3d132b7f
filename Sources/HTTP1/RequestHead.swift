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

  /// The value of the first parameter of the query with a name, as it was written:
  /// `name=value&name=value`. The names are compared decoded. O(query).
  @_lifetime(copy self)
  public func queryValue(of name: RawSpan) -> RawSpan? {
    let query = query
    var start = 0
    while start < query.byteCount {
      let end = query.firstOffset(of: UInt8(ascii: "&"), from: start) ?? query.byteCount
      let parameter = query.extracting(start..<end)
      let mark = parameter.firstOffset(of: UInt8(ascii: "=")) ?? parameter.byteCount
      if PercentEncoding.decodes(parameter.extracting(0..<mark), to: name) {
        return parameter.extracting(min(mark + 1, parameter.byteCount)..<parameter.byteCount)
      }
      start = end + 1
    }
    return nil
  }

  /// Whether the field at `index` below ``fieldCount`` has a name, which is given in lower case.
  public func isField(at index: Int, named name: RawSpan) -> Bool {
    let written = bytes.extracting(layout.fields[index].name.range)
    guard written.byteCount == name.byteCount else { return false }
    for offset in 0..<name.byteCount
    where ASCII.lowercased(written.byte(at: offset)) != name.byte(at: offset) {
      return false
    }
    return true
  }

  /// Whether the field at `index` below ``fieldCount`` has a name, which is given in lower case.
  public func isField(at index: Int, named name: StaticString) -> Bool {
    bytes.extracting(layout.fields[index].name.range).equalsIgnoringCase(name)
  }
}
