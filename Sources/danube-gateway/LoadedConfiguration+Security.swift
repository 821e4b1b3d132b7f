import Settings
import Uring

extension LoadedConfiguration {
  /// A problem with a file as an error at the key that names it.
  func error(_ problem: SecurityFiles.Problem) -> SettingsErrors {
    SettingsErrors([
      error(
        SettingsProblem(problem.text, remedy: problem.remedy), section: problem.section,
        keys: problem.keys)
    ])
  }

  private var namedPlaces: [(key: String, source: Secret.Source?)] {
    let danube = configuration.danube
    let broker = configuration.broker
    return [
      ("admin.token_file", configuration.admin.token?.source),
      ("danube.ca_file", danube.authorities), ("danube.certificate_file", danube.certificate),
      ("danube.key_file", danube.key), ("danube.token_file", danube.token?.source),
      ("broker.certificate_file", broker.certificate), ("broker.key_file", broker.key),
      ("broker.client_ca_file", broker.clientAuthorities),
      ("broker.jwt_secret_file", broker.tokenSecret?.source),
    ]
  }

  /// The keys that name credentials of systemd where there are none: only the service sees them.
  var unseenCredentials: [String] {
    guard ProcessEnvironment.value(of: "CREDENTIALS_DIRECTORY") == nil else { return [] }
    return namedPlaces.compactMap { key, source in
      if case .credential = source { key } else { nil }
    }
  }

  /// The configuration less what only the service sees.
  var visible: GatewayConfiguration {
    var result = configuration
    let unseen = unseenCredentials
    func isUnseen(_ key: String) -> Bool { unseen.contains(key) }
    if isUnseen("danube.ca_file") { result.danube.authorities = nil }
    if isUnseen("danube.token_file") { result.danube.token = nil }
    if isUnseen("danube.certificate_file") || isUnseen("danube.key_file") {
      result.danube.certificate = nil
      result.danube.key = nil
    }
    if isUnseen("broker.certificate_file") || isUnseen("broker.key_file") {
      result.broker.certificate = nil
      result.broker.key = nil
    }
    if isUnseen("broker.jwt_secret_file") { result.broker.tokenSecret = nil }
    if isUnseen("broker.client_ca_file") { result.broker.clientAuthorities = nil }
    return result
  }
}
