/// Faults that the simulation plants to see that it catches them.
package enum PlantedSpoolFault: Sendable, CaseIterable {
  /// Records are called durable when they are written.
  case answersBeforeSync
  /// What follows damage in a segment without a footer is cut off, though it was synced.
  case cutsAtDamage
  /// A new segment counts as soon as its content is durable: its name may not be.
  case forgetsNameSync
}
