/// Names an operation to its owner: the port hands it back, unread, with every completion.
///
/// It packs the owner (which part of a loop), the verb (what was asked) and the slot with its
/// generation (for whom), so that a late completion for a reused slot is recognised.
public struct Token: BitwiseCopyable, Sendable, Hashable {
  /// Bits 56...63 owner, 48...55 verb, 24...47 slot, 0...23 generation.
  public let rawValue: UInt64

  /// A token from its parts. `owner` and `verb` are the owner's own numbering.
  @inlinable
  public init(owner: UInt8, verb: UInt8, slot: SlotID = SlotID(index: 0, generation: 0)) {
    rawValue =
      UInt64(owner) << 56 | UInt64(verb) << 48 | UInt64(slot.index & 0xff_ffff) << 24
      | UInt64(slot.generation & 0xff_ffff)
  }

  /// A token from its packed form.
  @inlinable
  public init(rawValue: UInt64) { self.rawValue = rawValue }

  /// Which part of the loop asked.
  @inlinable public var owner: UInt8 { UInt8(truncatingIfNeeded: rawValue >> 56) }
  /// What was asked.
  @inlinable public var verb: UInt8 { UInt8(truncatingIfNeeded: rawValue >> 48) }
  /// For whom.
  @inlinable public var slot: SlotID {
    SlotID(
      index: UInt32(truncatingIfNeeded: rawValue >> 24) & 0xff_ffff,
      generation: UInt32(truncatingIfNeeded: rawValue) & 0xff_ffff)
  }
}

/// A place in a ``SlotTable`` and which tenant of it is meant.
public struct SlotID: BitwiseCopyable, Sendable, Hashable {
  /// Place in the table, below 2^24.
  public var index: UInt32
  /// Counts the tenants of the place, modulo 2^24.
  public var generation: UInt32

  /// The tenant `generation` of place `index`.
  @inlinable
  public init(index: UInt32, generation: UInt32) {
    self.index = index
    self.generation = generation
  }
}
