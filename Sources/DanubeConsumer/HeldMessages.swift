import Bytes
import DanubeProtocol
import IOPort

/// Messages that arrived and are not settled: those that wait to be taken with their bytes, the
/// others with what an acknowledgement needs. No allocation a message in steady state.
struct HeldMessages: ~Copyable {
  /// What became of bytes that arrived.
  enum Arrival: BitwiseCopyable {
    case queued
    /// The message was in hand already.
    case repeated
    case malformed
  }

  private struct Place: BitwiseCopyable {
    var message: HeldMessage
    var generation: UInt32
    var isUsed: Bool
  }

  /// What names a message again in another session.
  private struct RepeatKey: Hashable {
    let partition: Int
    let topicOffset: UInt64
  }

  private var places: [Place] = []
  /// Places of messages of earlier sessions, to recognise them by when they come again.
  private var repeatIndex: [RepeatKey: UInt32] = [:]
  /// The session of each partition that `repeatIndex` was made for, and how many messages of
  /// earlier ones are held still.
  private var indexed: [Int: (session: UInt32, count: Int)] = [:]
  private var freePlaces: [UInt32] = []
  private var queue: [PlaceID] = []
  private var queueHead = 0
  /// The message taken last, then those that wait, in order.
  private var bytes = GrowableBytes()
  private var currentByteCount = 0
  private(set) var names = NameTable()
  /// Settlements that wait to be sent.
  private(set) var settlements: [PlaceID] = []
  /// Messages that the caller has.
  private(set) var takenCount = 0
  /// Settlements that wait or are under way.
  private(set) var settlingCount = 0
  /// Settlements that are under way.
  private(set) var underWayCount = 0

  /// Messages that wait to be taken.
  var queuedCount: Int { queue.count - queueHead }
  /// Bytes of messages that wait to be taken.
  var queuedBytes: Int { bytes.count - currentByteCount }

  /// The bytes of the message taken last.
  var current: RawSpan {
    @_lifetime(borrow self)
    get { bytes.bytes.extracting(first: currentByteCount) }
  }

  /// A message that is still held; nil for any other.
  subscript(id: PlaceID) -> HeldMessage? {
    let index = Int(id.index)
    guard index < places.count, places[index].isUsed, places[index].generation == id.generation
    else { return nil }
    return places[index].message
  }

  // MARK: Arrival

  /// Takes a message in. With `mayRepeat` it may be one that an earlier session of the partition
  /// delivered: then it belongs to this session from here on, and is not queued twice.
  mutating func receive(
    _ bytes: RawSpan, partition: Int, session: UInt32, mayRepeat: Bool
  ) -> Arrival {
    do throws(DanubeProtocolError) {
      let view = try StreamMessageView(decoding: bytes)
      // Without an id nobody could settle it.
      guard view.hasMessageID else { return .malformed }
      if mayRepeat, adopt(view, partition: partition, session: session) { return .repeated }
      let message = HeldMessage(
        partition: partition, session: session, producerID: view.producerID,
        topicOffset: view.topicOffset, publishTimeMilliseconds: view.publishTimeMilliseconds,
        byteCount: bytes.byteCount, topicName: names.refer(to: view.topicName),
        brokerAddress: names.refer(to: view.brokerAddress))
      queue.append(insert(message))
      self.bytes.append(bytes)
      return .queued
    } catch {
      return .malformed
    }
  }

  private mutating func adopt(
    _ view: borrowing StreamMessageView, partition: Int, session: UInt32
  ) -> Bool {
    indexHeld(partition, session)
    let key = RepeatKey(partition: partition, topicOffset: view.topicOffset)
    guard let index = repeatIndex[key].map(Int.init), places[index].isUsed else { return false }
    let message = places[index].message
    guard message.partition == partition, message.session != session,
      message.topicOffset == view.topicOffset, message.producerID == view.producerID,
      message.publishTimeMilliseconds == view.publishTimeMilliseconds,
      message.byteCount == view.bytes.byteCount
    else { return false }
    // What is being rejected is to come again.
    if case .rejecting = message.state { return false }
    places[index].message.session = session
    indexed[partition]?.count -= 1
    return true
  }

  /// Notes where the messages of a partition are that earlier sessions than `session` delivered.
  /// Once a session: there may be thousands, and as many come again.
  private mutating func indexHeld(_ partition: Int, _ session: UInt32) {
    if indexed[partition]?.session == session { return }
    var count = 0
    repeatIndex = repeatIndex.filter { $0.key.partition != partition }
    for index in places.indices where places[index].isUsed {
      let message = places[index].message
      guard message.partition == partition, message.session != session else { continue }
      count += 1
      let key = RepeatKey(partition: partition, topicOffset: message.topicOffset)
      // After a restart of the broker without its log two messages may have one offset; the broker
      // that is there now has the one of the later session.
      if let other = repeatIndex[key],
        places[Int(other)].message.session &- message.session < .max / 2
      {
        continue
      }
      repeatIndex[key] = UInt32(index)
    }
    indexed[partition] = (session, count)
  }

  // MARK: Taking and settling

  /// The next message that waits; its bytes are ``current`` from then on. nil when there is none.
  mutating func take() -> (id: PlaceID, message: HeldMessage)? {
    bytes.removeFirst(currentByteCount)
    currentByteCount = 0
    guard queueHead < queue.count else {
      bytes.removeAll(keepingCapacityUpTo: 64 * 1024)
      return nil
    }
    let id = queue[queueHead]
    queueHead += 1
    if queueHead == queue.count {
      queue.removeAll(keepingCapacity: true)
      queueHead = 0
    } else if queueHead >= 256, queueHead * 2 >= queue.count {
      queue.removeFirst(queueHead)
      queueHead = 0
    }
    places[Int(id.index)].message.state = .taken
    takenCount += 1
    let message = places[Int(id.index)].message
    currentByteCount = message.byteCount
    return (id, message)
  }

  /// The caller settles a message that it has; false when it has no such message.
  mutating func settle(_ id: PlaceID, as state: HeldMessage.State) -> Bool {
    guard let message = self[id], case .taken = message.state else { return false }
    places[Int(id.index)].message.state = state
    takenCount -= 1
    settlingCount += 1
    settlements.append(id)
    return true
  }

  /// Takes the settlements out, to go through them.
  mutating func takeSettlements() -> [PlaceID] {
    defer { settlements = [] }
    return settlements
  }

  /// Puts those back that still wait, in place of all.
  mutating func putBack(_ waiting: [PlaceID]) { settlements = waiting }

  /// A call that settles a message began.
  mutating func settlementStarted(_ id: PlaceID) {
    places[Int(id.index)].message.isUnderWay = true
    underWayCount += 1
  }

  /// A call that settles a message failed; it is sent again at `retryAt`.
  mutating func settlementFailed(_ id: PlaceID, counts: Bool, retryAt: Instant) {
    guard let message = self[id], message.isUnderWay else { return }
    underWayCount -= 1
    places[Int(id.index)].message.isUnderWay = false
    places[Int(id.index)].message.retryAt = retryAt
    if counts { places[Int(id.index)].message.failedAttempts += 1 }
    settlements.append(id)
  }

  /// Forgets a message that is being settled.
  mutating func release(_ id: PlaceID) {
    guard let message = self[id], message.isSettling else { return }
    if message.isUnderWay { underWayCount -= 1 }
    if let known = indexed[message.partition], known.session != message.session {
      indexed[message.partition]?.count -= 1
    }
    settlingCount -= 1
    names.release(message.topicName)
    names.release(message.brokerAddress)
    places[Int(id.index)].isUsed = false
    freePlaces.append(id.index)
  }

  /// Whether messages that earlier sessions of a partition delivered are held, after one of them
  /// came again.
  func expectsRepeats(of partition: Int) -> Bool { (indexed[partition]?.count ?? 0) > 0 }

  /// Whether messages of a partition are held that another session than `session` delivered. O(all
  /// that are held).
  func hasOthers(than session: UInt32, of partition: Int) -> Bool {
    places.contains {
      $0.isUsed && $0.message.partition == partition && $0.message.session != session
    }
  }

  private mutating func insert(_ message: HeldMessage) -> PlaceID {
    if let index = freePlaces.popLast() {
      let generation = places[Int(index)].generation &+ 1
      places[Int(index)] = Place(message: message, generation: generation, isUsed: true)
      return PlaceID(index: index, generation: generation)
    }
    places.append(Place(message: message, generation: 0, isUsed: true))
    return PlaceID(index: UInt32(places.count - 1), generation: 0)
  }
}
