import Settings

/// A route that is always acceptable, so that a test can look at one other key.
let anyRoute = "[[route]]\nmqtt = \"#\"\nto = \"/default/all\"\n"

/// The same where only webhooks are listened to.
let anyWebhookRoute = "[[route]]\nwebhook = \"/*\"\nto = \"/default/all\"\n"

/// The configuration that `text` makes.
func load(_ text: String) throws(SettingsErrors) -> GatewayConfiguration {
  try GatewayConfiguration.load(
    path: "edge.toml", contents: Array(text.utf8), defaultName: "host-1a2b")
}

/// The lines of errors that `text` causes; empty when it is acceptable.
func errors(_ text: String) -> [String] {
  do throws(SettingsErrors) {
    _ = try load(text)
    return []
  } catch {
    return error.errors.map(\.description)
  }
}

/// A small seeded generator (SplitMix64), so that a failing run can be repeated.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) {
    state = seed
  }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
