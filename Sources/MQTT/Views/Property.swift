/// One property, borrowed from its packet.
public struct Property: ~Escapable {
  /// Which one.
  public let id: PropertyID
  /// The value of a property that is a number; else 0.
  public let number: UInt32
  /// The string or the bytes of a property that is no number; the name of a user property.
  public let data: RawSpan
  /// The value of a user property; else empty.
  public let value: RawSpan

  @_lifetime(copy data, copy value)
  init(id: PropertyID, number: UInt32, data: RawSpan, value: RawSpan) {
    self.id = id
    self.number = number
    self.data = data
    self.value = value
  }
}
