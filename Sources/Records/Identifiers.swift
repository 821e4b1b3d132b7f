/// A place in the ``BatchStore``. Valid from `open` to `release`.
public struct BatchID: BitwiseCopyable, Hashable, Sendable {
  /// Number of the place, below ``BatchStore/maximumBatches``.
  public let rawValue: UInt32
  /// The place with this number.
  @inlinable public init(rawValue: UInt32) { self.rawValue = rawValue }
}

/// A Danube topic of this gateway, with its order and its progress.
public struct LaneID: BitwiseCopyable, Hashable, Sendable {
  /// Index of the lane, from 0.
  public let rawValue: UInt32
  /// The lane with this index.
  @inlinable public init(rawValue: UInt32) { self.rawValue = rawValue }
}

/// One record of a batch.
public struct RecordRef: BitwiseCopyable, Hashable, Sendable {
  /// The batch that holds it.
  public let batch: BatchID
  /// Its index in the batch, from 0, below ``BatchStore/maximumRecordsPerBatch``.
  public let index: UInt32

  /// Record `index` of `batch`.
  @inlinable
  public init(batch: BatchID, index: UInt32) {
    self.batch = batch
    self.index = index
  }

  /// Batch and index in one word, never `.max`: a store has no batch that could make it that.
  @inlinable public var packed: UInt32 { batch.rawValue << 12 | index }

  /// The record behind a packed word; nil for `.max`.
  @inlinable
  public init?(packed: UInt32) {
    guard packed != .max else { return nil }
    self.init(batch: BatchID(rawValue: packed >> 12), index: packed & 0xfff)
  }
}

/// Who waits for a record's answer: a connection's slot and the place in its queue of answers, in
/// ingest's own numbering.
public struct RecordSource: BitwiseCopyable, Hashable, Sendable {
  /// Slot index, and in the highest bit whether there is no way to say no.
  let place: UInt32
  /// Generation of the slot.
  public let generation: UInt32
  /// Number of the answer in the connection's queue.
  public let sequence: UInt32

  /// Answer `sequence` of the connection in a slot, below 2³¹; `.max` for nobody.
  /// `takesRefusals`: there is an answer that says no, and leaves the connection as it is.
  public init(index: UInt32, generation: UInt32, sequence: UInt32, takesRefusals: Bool = true) {
    self.init(
      place: takesRefusals ? index : index | Self.muteBit, generation: generation,
      sequence: sequence)
  }

  init(place: UInt32, generation: UInt32, sequence: UInt32) {
    self.place = place
    self.generation = generation
    self.sequence = sequence
  }

  private static var muteBit: UInt32 { 1 << 31 }

  /// Slot index; `.max` when nobody waits.
  public var index: UInt32 { place == .max ? .max : place & ~Self.muteBit }

  /// Whether somebody waits who can be told no.
  public var takesRefusals: Bool { place & Self.muteBit == 0 }

  /// Nobody waits for an answer (MQTT QoS 0).
  public static var none: RecordSource { RecordSource(index: .max, generation: 0, sequence: 0) }
}

/// What the delivery side tells the ingest side about a batch. Travels through a ring.
public struct Progress: BitwiseCopyable, Sendable, Equatable {
  /// What is told.
  public enum Kind: UInt8, BitwiseCopyable, Sendable {
    /// Records 64 × `word` + n are safe for every bit n of `bits`.
    case safe
    /// Record `word` was refused for good; `bits` holds a ``RefusalReason``.
    case refused
    /// Every record that was not refused is safe and nobody reads the batch any more: release it.
    case complete
    /// Nobody reads the block any more that the batch had before it was compacted: give it back.
    /// May come after `complete`; the batch's place is in use until then.
    case compacted
  }

  /// The batch.
  public let batch: BatchID
  /// Index of a group of 64 records, or of one record.
  public let word: UInt16
  /// What is told.
  public let kind: Kind
  /// The records of the group, lowest first, or the reason.
  public let bits: UInt64

  /// A message about `batch`.
  public init(batch: BatchID, kind: Kind, word: UInt16 = 0, bits: UInt64 = 0) {
    self.batch = batch
    self.kind = kind
    self.word = word
    self.bits = bits
  }
}

/// Why a record that was taken in is not made safe any more.
public enum RefusalReason: UInt8, BitwiseCopyable, Sendable {
  /// The record is larger than the broker allows.
  case tooLarge
  /// The broker's schema validation refused the payload.
  case invalidPayload
  /// The broker called the request invalid.
  case invalidRequest
  /// The broker takes no records, and there is no space on the disk, or the disk fails.
  case noSpace

  /// The value of a metric's label.
  public var label: String {
    switch self {
    case .tooLarge: "too_large"
    case .invalidPayload: "invalid_payload"
    case .invalidRequest: "invalid_request"
    case .noSpace: "no_space"
    }
  }
}
