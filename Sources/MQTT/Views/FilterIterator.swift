/// Reads the topic filters of a SUBSCRIBE or UNSUBSCRIBE, in the order of the packet.
public struct FilterIterator: ~Escapable {
  /// One filter, borrowed from its packet.
  public struct Element: ~Escapable {
    /// The topic filter: UTF-8 without NUL, 1 to 65,535 bytes. Whether its wildcards are where
    /// they may be is told by ``TopicFilter``.
    public let filter: RawSpan
    /// What a SUBSCRIBE asks for with it; QoS 0 in an UNSUBSCRIBE.
    public let options: SubscriptionOptions

    @_lifetime(copy filter)
    init(filter: RawSpan, options: SubscriptionOptions) {
      self.filter = filter
      self.options = options
    }
  }

  private var reader: PacketReader
  private let hasOptions: Bool

  @_lifetime(copy bytes)
  init(_ bytes: RawSpan, hasOptions: Bool) {
    reader = PacketReader(bytes)
    self.hasOptions = hasOptions
  }

  /// The next filter; nil at the end.
  @_lifetime(copy self)
  public mutating func next() -> Element? {
    if reader.isAtEnd { return nil }
    // The bytes were checked when the view was made: nothing is thrown here.
    do throws(MQTTError) {
      let filter = try reader.binary()
      let byte = hasOptions ? try reader.uint8() : 0
      let options =
        SubscriptionOptions(rawValue: byte) ?? SubscriptionOptions(maximumQoS: .atMostOnce)
      return Element(filter: filter, options: options)
    } catch {
      return nil
    }
  }
}
