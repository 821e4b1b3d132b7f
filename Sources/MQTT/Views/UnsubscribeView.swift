/// An UNSUBSCRIBE, checked and borrowed (MQTT 5.0 §3.10).
public struct UnsubscribeView: ~Escapable {
  /// What the UNSUBACK names; never 0.
  public let packetID: UInt16
  /// The number of topic filters, at least 1.
  public let filterCount: Int
  /// User properties; none in MQTT 3.1.1.
  public let properties: PropertiesView
  private let filters: RawSpan

  /// Reads what follows the fixed header.
  @_lifetime(copy body)
  init(_ body: RawSpan, version: ProtocolVersion) throws(MQTTError) {
    var reader = PacketReader(body)
    packetID = try reader.packetID()
    properties = version == .v5 ? try reader.properties(of: .unsubscribe) : PropertiesView()
    filters = reader.rest
    var count = 0
    while !reader.isAtEnd {
      if try reader.string().isEmpty { throw .emptyTopicFilter }
      count += 1
    }
    // [MQTT-3.10.3-2]
    if count == 0 { throw .noTopicFilter }
    filterCount = count
  }

  /// Reads the filters one by one; the options of each are nothing.
  @_lifetime(copy self)
  public func makeIterator() -> FilterIterator { FilterIterator(filters, hasOptions: false) }
}
