/// A configured seed and its entry among the brokers.
struct SeedEntry {
  var seed: UplinkSeed
  var broker: Int
}
