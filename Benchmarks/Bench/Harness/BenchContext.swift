import BenchKit

/// What a round of a scenario is told.
struct BenchContext: Sendable {
  /// Short rounds and small data: counts are checked, figures are rough.
  let isQuick: Bool
  /// A folder of the case's own, on the disk to measure, without a slash at its end. It stays for
  /// all rounds of a case.
  let folder: String
  /// From 0.
  let round: Int
  /// A fault to plant, by which the bench's own honesty is tried.
  let plant: Plant?
  /// Whether to say who calls the C heap.
  let tellsHeapCallers: Bool
  /// Round trips to measure behind, milliseconds.
  var roundTrips: [Int] = []

  /// How long to measure in a round, about.
  var seconds: Double { isQuick ? 0.4 : 2 }

  /// Says what is being done, on one line of standard error.
  func progress(_ text: String) { Progress.show(text) }
}

/// A fault that the bench makes itself commit; it must fail then, or show it.
enum Plant: String, CaseIterable, Sendable {
  /// A message goes missing.
  case lost
  /// A message comes twice.
  case duplicate
  /// An acknowledgement has a wrong packet identifier.
  case wrongAck = "wrong-ack"
  /// Every message takes longer.
  case slow
}
