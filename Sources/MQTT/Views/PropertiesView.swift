/// The properties of a packet or of a will, checked and borrowed (MQTT 5.0 §2.2.2).
///
/// MQTT 3.1.1 packets have none. Looking one up is linear in the number of properties.
public struct PropertiesView: ~Escapable {
  private let bytes: RawSpan
  /// A bit for each identifier that is there.
  private let present: UInt64

  /// No properties.
  @_lifetime(immortal)
  init() {
    bytes = RawSpan()
    present = 0
  }

  /// Checks the bytes after the length of the properties.
  @_lifetime(copy bytes)
  init(checking bytes: RawSpan, of holder: PropertyHolder) throws(MQTTError) {
    var present: UInt64 = 0
    var iterator = PropertyIterator(bytes)
    while let property = try iterator.read() {
      let rule = PropertyRule(property.id)
      if rule.holders.isDisjoint(with: holder) { throw .misplacedProperty }
      let bit: UInt64 = 1 << UInt64(property.id.rawValue)
      if present & bit != 0, !rule.mayRepeat { throw .duplicateProperty }
      present |= bit
    }
    self.bytes = bytes
    self.present = present
  }

  /// The properties as they are on the wire, without their length before them.
  var encoded: RawSpan {
    @_lifetime(copy self)
    get { bytes }
  }

  /// Whether there is none.
  public var isEmpty: Bool { present == 0 }

  /// Whether there is such a property.
  public func contains(_ id: PropertyID) -> Bool {
    present & (1 << UInt64(id.rawValue)) != 0
  }

  /// Reads them one by one.
  @_lifetime(copy self)
  public func makeIterator() -> PropertyIterator { PropertyIterator(bytes) }

  /// The value of a property that is a number; nil when it is not there.
  public func number(_ id: PropertyID) -> UInt32? {
    guard contains(id) else { return nil }
    var iterator = makeIterator()
    while let property = iterator.next() {
      if property.id == id { return property.number }
    }
    return nil
  }

  /// The value of a property that is a string or bytes; nil when it is not there.
  @_lifetime(copy self)
  public func data(_ id: PropertyID) -> RawSpan? {
    guard contains(id) else { return nil }
    var iterator = makeIterator()
    while let property = iterator.next() {
      if property.id == id { return property.data }
    }
    return nil
  }
}
