import Bytes
import DanubeProtocol
import IOPort

// Which consumer of a subscription gets a record.
extension BrokerState {
  /// Of a Failover subscription the consumer that receives: the first one that subscribed, and when
  /// its stream ends the first of those that are there; it stays so when the other comes back.
  mutating func activeConsumer(of subscription: SlotID) -> SlotID? {
    if let active = subscriptions[subscription].active, consumers.contains(active),
      consumers[active].stream != nil
    {
      return active
    }
    let next = subscriptions[subscription].consumers.first { consumers[$0].stream != nil }
    subscriptions[subscription].active = next
    return next
  }

  /// The key of a record: the routing key, or else the producer's name.
  private static func withKey<Result>(
    of record: RawSpan, _ body: (RawSpan) -> Result
  ) -> Result {
    do throws(DanubeProtocolError) {
      let view = try StreamMessageView(decoding: record)
      return body(view.hasRoutingKey ? view.routingKey : view.producerName)
    } catch {
      return body(RawSpan())
    }
  }

  static func keyHash(of record: RawSpan) -> UInt64 {
    withKey(of: record) { hash($0) }
  }

  /// FNV-1a of 64 bits.
  static func hash(_ bytes: RawSpan) -> UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    var reader = ByteReader(bytes)
    while let byte = reader.readUInt8() {
      hash ^= UInt64(byte)
      hash &*= 0x0000_0100_0000_01b3
    }
    return hash
  }

  /// Who of those that are there gets the records of a key: always the same one while the same ones
  /// are there, and when one comes or goes only its keys change hands (the highest of the values
  /// that key and name of a consumer make together wins).
  func choice(for record: RawSpan, of subscription: SlotID) -> KeyChoice {
    Self.withKey(of: record) { key in
      let hash = Self.hash(key)
      var best: (weight: UInt64, consumer: SlotID)?
      for consumer in subscriptions[subscription].consumers
      where consumers[consumer].stream != nil {
        let filters = consumers[consumer].keyFilters
        guard filters.isEmpty || filters.contains(where: { KeyGlob.matches($0, key) }) else {
          continue
        }
        let weight = Self.mixed(hash ^ consumers[consumer].nameHash)
        if best.map({ weight > $0.weight }) ?? true { best = (weight, consumer) }
      }
      guard let best else { return .nobody }
      return .consumer(best.consumer)
    }
  }

  /// Spreads what differs in few bits (the finalizer of SplitMix64).
  private static func mixed(_ value: UInt64) -> UInt64 {
    var mixed = value
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}
