/// Reads properties one by one, in the order of the packet.
public struct PropertyIterator: ~Escapable {
  private var reader: PacketReader

  @_lifetime(copy bytes)
  init(_ bytes: RawSpan) {
    reader = PacketReader(bytes)
  }

  /// The next property; nil at the end.
  @_lifetime(copy self)
  public mutating func next() -> Property? {
    // The bytes were checked when the view was made: nothing is thrown here.
    do throws(MQTTError) {
      return try read()
    } catch {
      return nil
    }
  }

  /// The next property, with its value checked; nil at the end.
  @_lifetime(copy self)
  mutating func read() throws(MQTTError) -> Property? {
    if reader.isAtEnd { return nil }
    guard let identifier = UInt8(exactly: try reader.variableByteInteger()),
      let id = PropertyID(rawValue: identifier)
    else { throw .unknownProperty }
    let rest = reader.rest
    let none = rest.extracting(0..<0)
    let number: UInt32
    switch PropertyRule(id).kind {
    case .flag:
      number = UInt32(try reader.uint8())
      if number > 1 { throw .invalidPropertyValue }
    case .uint16: number = UInt32(try reader.uint16())
    case .uint32: number = try reader.uint32()
    case .positive16:
      number = UInt32(try reader.uint16())
      if number == 0 { throw .invalidPropertyValue }
    case .positive32:
      number = try reader.uint32()
      if number == 0 { throw .invalidPropertyValue }
    case .positiveVariable:
      number = UInt32(try reader.variableByteInteger())
      if number == 0 { throw .invalidPropertyValue }
    case .string: return Property(id: id, number: 0, data: try reader.string(), value: none)
    case .binary: return Property(id: id, number: 0, data: try reader.binary(), value: none)
    case .stringPair:
      let name = try reader.string()
      return Property(id: id, number: 0, data: name, value: try reader.string())
    }
    return Property(id: id, number: number, data: none, value: none)
  }
}
