/// A checked configuration, and how it came about.
public struct LoadedConfiguration: Sendable {
  /// The configuration.
  public private(set) var configuration: GatewayConfiguration
  /// What the environment does to it, or fails to do.
  public let notes: [EnvironmentNote]
  /// The file's name for errors.
  let path: String
  /// The tree of the file, with the environment laid over it.
  let root: SettingsNode

  /// Reads and checks a configuration file and the variables that change it. Variables come before
  /// the file, the file before defaults.
  ///
  /// - Parameters: as of ``GatewayConfiguration/load(path:contents:defaultName:)``.
  /// - Throws: everything that is wrong in file and environment; only the first error when the file
  ///   is not TOML.
  public init(
    path: String, contents: [UInt8], defaultName: String, environment: [EnvironmentVariable]
  ) throws(SettingsErrors) {
    let tree = try SettingsTree(parsing: contents, file: path)
    let overlay = EnvironmentOverlay(tree.root, variables: environment)
    configuration = try GatewayConfiguration.load(
      overlay.root, path: path, defaultName: defaultName)
    notes = overlay.notes
    root = overlay.root
    self.path = path
  }

  /// Reads every secret with `read`, which gets the place and answers what is there, or nil to
  /// leave it unread.
  ///
  /// - Throws: an error a secret that cannot be read, or whose text cannot be one.
  public mutating func readSecrets(
    _ read: (Secret.Source) throws(SettingsProblem) -> [UInt8]?
  ) throws(SettingsErrors) {
    var errors: [SettingsError] = []
    if let token = configuration.admin.token {
      do throws(SettingsProblem) {
        if let contents = try read(token.source) {
          configuration.admin.token = Secret(
            source: token.source, contents: try SecretText.token(contents))
        }
      } catch {
        errors.append(self.error(error, section: "admin", keys: Self.tokenKeys))
      }
    }
    if let token = configuration.danube.token {
      do throws(SettingsProblem) {
        if let contents = try read(token.source) {
          configuration.danube.token = Secret(
            source: token.source, contents: try Self.brokerToken(contents))
        }
      } catch {
        errors.append(self.error(error, section: "danube", keys: Self.tokenKeys))
      }
    }
    if let secret = configuration.broker.tokenSecret {
      do throws(SettingsProblem) {
        if let contents = try read(secret.source) {
          configuration.broker.tokenSecret = Secret(
            source: secret.source, contents: try Self.signingSecret(contents))
        }
      } catch {
        errors.append(
          self.error(error, section: "broker", keys: ["jwt_secret_file", "jwt_secret_env"]))
      }
    }
    if !errors.isEmpty { throw SettingsErrors(errors) }
  }

  private static let tokenKeys = ["token_file", "token_env"]

  /// The token for brokers in what a file, a credential or a variable holds.
  public static func brokerToken(_ contents: [UInt8]) throws(SettingsProblem) -> [UInt8] {
    try SecretText.token(
      contents, remedy: "Make one, for example with: danube-admin security tokens create")
  }

  /// What tokens are signed with, in what a file, a credential or a variable holds: as long as the
  /// hash, or longer (RFC 7518 §3.2).
  public static func signingSecret(_ contents: [UInt8]) throws(SettingsProblem) -> [UInt8] {
    try SecretText.token(contents, shortest: 32)
  }

  /// A problem with what one of the keys names, as an error at the first that the file has.
  public func error(
    _ problem: SettingsProblem, section: String, keys names: [String]
  ) -> SettingsError {
    let name = names.first { root[section]?[$0] != nil } ?? names[0]
    return SettingsError(
      file: path, position: root[section]?[name]?.position ?? .start,
      keyPath: "\(section).\(name)", message: problem.message, remedy: problem.remedy)
  }
}
