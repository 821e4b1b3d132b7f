import Settings

/// A file and, after its first NUL, variables of the environment: `NAME=VALUE`, NUL between them.
enum TOMLCheck {
  static func run(_ input: [UInt8]) throws(Finding) {
    let end = input.firstIndex(of: 0) ?? input.count
    let contents = Array(input[..<end])
    let variables = input[end...].split(separator: 0).compactMap { text in
      variable(String(decoding: text, as: UTF8.self))
    }
    let loaded: LoadedConfiguration
    do throws(SettingsErrors) {
      loaded = try load(contents, variables)
    } catch {
      try check(error, contents, variables)
      return
    }
    try checkShown(loaded, variables)
  }

  private static func variable(_ text: String) -> EnvironmentVariable? {
    let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2 else { return nil }
    return EnvironmentVariable(name: String(parts[0]), value: String(parts[1]))
  }

  private static func load(
    _ contents: [UInt8], _ variables: [EnvironmentVariable]
  ) throws(SettingsErrors) -> LoadedConfiguration {
    try LoadedConfiguration(
      path: "edge.toml", contents: contents, defaultName: "host-1a2b", environment: variables)
  }

  /// What is refused is refused for reasons that a person can find, and again.
  private static func check(
    _ refusal: SettingsErrors, _ contents: [UInt8], _ variables: [EnvironmentVariable]
  ) throws(Finding) {
    try require(!refusal.errors.isEmpty, "refused without an error")
    let lineCount = contents.split(separator: 10, omittingEmptySubsequences: false).count
    for error in refusal.errors {
      try require(!error.message.isEmpty, "an error without words")
      try require(error.position.line <= lineCount, "no such line: \(error)")
      let isClean = error.description.unicodeScalars.allSatisfy {
        $0.value >= 0x20 && $0.value != 0x7F || $0 == "\n"
      }
      try require(isClean, "control characters reach the terminal: \(error.description)")
    }
    var second: SettingsErrors?
    do throws(SettingsErrors) { _ = try load(contents, variables) } catch { second = error }
    try require(
      second == refusal, "refused once, and the second time: \(second?.description ?? "not")")
  }

  /// What is accepted, shown as TOML and read again, is the same configuration.
  private static func checkShown(
    _ loaded: LoadedConfiguration, _ variables: [EnvironmentVariable]
  ) throws(Finding) {
    let shown = loaded.shown
    let again: LoadedConfiguration
    do throws(SettingsErrors) {
      again = try load(Array(shown.utf8), [])
    } catch {
      throw Finding("shown, the configuration is refused: \(error)\n\(shown)")
    }
    let isSame = again.configuration == loaded.configuration
    try require(isSame, "shown, the configuration is another:\n\(shown)")
  }
}
