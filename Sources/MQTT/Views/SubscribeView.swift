import Bytes

/// A SUBSCRIBE, checked and borrowed (MQTT 5.0 §3.8).
public struct SubscribeView: ~Escapable {
  /// What the SUBACK names; never 0.
  public let packetID: UInt16
  /// The number of topic filters, at least 1: the SUBACK has a code for each.
  public let filterCount: Int
  /// Subscription identifier and user properties; none in MQTT 3.1.1.
  public let properties: PropertiesView
  private let filters: RawSpan

  /// Reads what follows the fixed header.
  @_lifetime(copy body)
  init(_ body: RawSpan, version: ProtocolVersion) throws(MQTTError) {
    var reader = PacketReader(body)
    packetID = try reader.packetID()
    properties = version == .v5 ? try reader.properties(of: .subscribe) : PropertiesView()
    var identifiers = 0
    var iterator = properties.makeIterator()
    while let property = iterator.next() {
      if property.id == .subscriptionIdentifier { identifiers += 1 }
    }
    if identifiers > 1 { throw .duplicateProperty }
    filters = reader.rest
    var count = 0
    while !reader.isAtEnd {
      let filter = try reader.string()
      // [MQTT-4.7.3-1]
      if filter.isEmpty { throw .emptyTopicFilter }
      guard let options = SubscriptionOptions(rawValue: try reader.uint8(), version: version)
      else { throw .invalidSubscriptionOptions }
      if options.noLocal, Self.isShared(filter) { throw .invalidSubscriptionOptions }
      count += 1
    }
    // [MQTT-3.8.3-2] (3.1.1: [MQTT-3.8.3-3])
    if count == 0 { throw .noTopicFilter }
    filterCount = count
  }

  /// Reads the filters one by one, each with its options.
  @_lifetime(copy self)
  public func makeIterator() -> FilterIterator { FilterIterator(filters, hasOptions: true) }

  /// [MQTT-3.8.3-4] "No local" means nothing for a shared subscription, and is a violation.
  private static func isShared(_ filter: RawSpan) -> Bool {
    var reader = ByteReader(filter)
    // "$sha", "re", "/"
    return reader.readUInt32BigEndian() == 0x2473_6861 && reader.readUInt16BigEndian() == 0x7265
      && reader.readUInt8() == UInt8(ascii: "/")
  }
}
