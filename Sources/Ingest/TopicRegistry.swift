import Bytes
import Records

/// The Danube topics of the gateway by their bytes, without their partitions: an open-addressed
/// table, so that a look-up makes no string and allocates nothing.
struct TopicRegistry: ~Copyable {
  /// A topic and its lanes.
  struct Entry: BitwiseCopyable {
    /// Its lane, or that of its first partition; the others follow.
    let lane: LaneID
    /// 0 for a topic without partitions.
    let partitions: UInt32
    let isReliable: Bool
    let storage: LanePolicy.Storage
    fileprivate var start = 0
    fileprivate var length = 0

    init(lane: LaneID, partitions: UInt32, isReliable: Bool, storage: LanePolicy.Storage) {
      self.storage = storage
      self.lane = lane
      self.partitions = partitions
      self.isReliable = isReliable
    }
  }

  private struct Place: BitwiseCopyable {
    var hash: UInt64 = 0
    /// Index of an entry plus 1; 0 where the place is free.
    var entry: UInt32 = 0
  }

  /// A power of two of places, at most half of them taken.
  private var places = [Place](repeating: Place(), count: 64)
  private var entries: [Entry] = []
  private var texts = GrowableBytes()
  /// Bytes that every hash begins with.
  private let seed: [UInt8]

  /// `seed` keeps devices from choosing topics that share a place.
  init(seed: UInt64) {
    self.seed = (0..<8).map { UInt8(truncatingIfNeeded: seed >> (8 * $0)) }
  }

  /// The entry of a topic; nil when there is none.
  func find(_ topic: RawSpan) -> Entry? {
    let hash = hash(of: topic)
    var index = Int(truncatingIfNeeded: hash) & (places.count - 1)
    while places[index].entry != 0 {
      if places[index].hash == hash {
        let entry = entries[Int(places[index].entry) - 1]
        let text = texts.bytes.extracting(entry.start..<entry.start + entry.length)
        if text.isEqual(to: topic) { return entry }
      }
      index = (index + 1) & (places.count - 1)
    }
    return nil
  }

  /// Adds a topic that is not there yet.
  mutating func insert(_ topic: RawSpan, _ entry: Entry) {
    var entry = entry
    entry.start = texts.count
    entry.length = topic.byteCount
    texts.append(topic)
    entries.append(entry)
    if entries.count * 2 > places.count { grow() }
    place(Place(hash: hash(of: topic), entry: UInt32(entries.count)))
  }

  private mutating func grow() {
    let old = places
    places = [Place](repeating: Place(), count: old.count * 2)
    for taken in old where taken.entry != 0 { place(taken) }
  }

  private mutating func place(_ new: Place) {
    var index = Int(truncatingIfNeeded: new.hash) & (places.count - 1)
    while places[index].entry != 0 { index = (index + 1) & (places.count - 1) }
    places[index] = new
  }

  private func hash(of topic: RawSpan) -> UInt64 {
    var hash = FNV1a()
    hash.combine(seed.rawBytes)
    hash.combine(topic)
    return mixed(hash.value)
  }
}
