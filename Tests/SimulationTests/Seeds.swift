import Foundation

/// Which seeds the simulation runs.
enum Seeds {
  private static func number(_ name: String) -> Int? {
    ProcessInfo.processInfo.environment[name].flatMap(Int.init)
  }

  /// How many: `SIMULATION_SEEDS`.
  static let count = number("SIMULATION_SEEDS") ?? 320
  /// The first: `SIMULATION_FIRST_SEED`.
  static let first = UInt64(number("SIMULATION_FIRST_SEED") ?? 1)
  static let shards = 8
  /// Whether tests tell what they met: `SIMULATION_VERBOSE`.
  static let isVerbose = number("SIMULATION_VERBOSE") != nil
  /// More seeds than usual take longer than usual.
  static let limitMinutes = max(1, count / 320)

  /// How many for the spool: `SPOOL_SEEDS`.
  static let spoolCount = number("SPOOL_SEEDS") ?? 1_000
  /// How long a shard of them may take.
  static let spoolLimitMinutes = max(3, spoolCount / 300)

  static func seeds(ofShard shard: Int) -> [UInt64] {
    stride(from: shard, to: count, by: shards).map { first + UInt64($0) }
  }

  static func spoolSeeds(ofShard shard: Int) -> [UInt64] {
    stride(from: shard, to: spoolCount, by: shards).map { first + UInt64($0) }
  }
}
