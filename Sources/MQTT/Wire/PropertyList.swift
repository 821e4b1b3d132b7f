import Bytes

/// Properties to send, in their order, encoded as they are appended (MQTT 5.0 §2.2.2).
///
/// It is the caller who knows which properties a packet may have: ``isAllowed(in:)`` tells.
public struct PropertyList: Sendable, Hashable {
  /// The properties as they are on the wire, without their length before them.
  private(set) var encoded: [UInt8] = []

  /// No properties.
  public init() {}

  /// The properties of a packet that was received, as they are.
  public init(_ view: PropertiesView) {
    encoded = [UInt8](copying: view.encoded)
  }

  /// Whether there is none.
  public var isEmpty: Bool { encoded.isEmpty }

  /// Appends a property that is a number. Its value must be one that the property can have.
  public mutating func append(_ id: PropertyID, _ value: UInt32) {
    encoded.append(id.rawValue)
    switch PropertyRule(id).kind {
    case .flag:
      precondition(value <= 1)
      encoded.append(UInt8(value))
    case .uint16, .positive16:
      precondition(value <= UInt32(UInt16.max))
      appendBigEndian(UInt16(value))
    case .uint32, .positive32:
      appendBigEndian(UInt16(value >> 16))
      appendBigEndian(UInt16(truncatingIfNeeded: value))
    case .positiveVariable:
      var rest = value
      precondition(rest > 0 && rest <= 268_435_455)
      while rest > 0x7F {
        encoded.append(UInt8(rest & 0x7F) | 0x80)
        rest >>= 7
      }
      encoded.append(UInt8(rest))
    case .string, .binary, .stringPair: preconditionFailure("the property is no number")
    }
  }

  /// Appends a property that is a string or bytes, up to 65,535 of them.
  public mutating func append(_ id: PropertyID, _ value: [UInt8]) {
    switch PropertyRule(id).kind {
    case .string, .binary: break
    default: preconditionFailure("the property is neither a string nor bytes")
    }
    encoded.append(id.rawValue)
    append(value)
  }

  /// Appends a property that is a string.
  public mutating func append(_ id: PropertyID, _ value: String) {
    append(id, Array(value.utf8))
  }

  /// Appends a user property.
  public mutating func append(_ property: UserProperty) {
    encoded.append(PropertyID.userProperty.rawValue)
    append(property.name)
    append(property.value)
  }

  private mutating func append(_ value: [UInt8]) {
    precondition(value.count <= 65_535)
    appendBigEndian(UInt16(value.count))
    encoded.append(contentsOf: value)
  }

  private mutating func appendBigEndian(_ value: UInt16) {
    encoded.append(UInt8(value >> 8))
    encoded.append(UInt8(truncatingIfNeeded: value))
  }

  /// Whether a packet of this type may carry these properties. Linear in their number.
  public func isAllowed(in type: PacketType) -> Bool { isAllowed(of: PropertyHolder(type)) }

  func isAllowed(of holder: PropertyHolder) -> Bool {
    do throws(MQTTError) {
      _ = try PropertiesView(checking: encoded.rawBytes, of: holder)
      return true
    } catch {
      return false
    }
  }
}
