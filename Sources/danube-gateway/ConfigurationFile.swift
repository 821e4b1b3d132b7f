import Glibc
import Settings
import Uring

/// The configuration as the process finds it: a file, the environment, and secrets in their places.
enum ConfigurationFile {
  /// The path from the command line, or else from the environment, or else `edge.toml`.
  static func path(_ given: String?) -> String {
    if let given { return given }
    for name in [
      EnvironmentReference.configurationPath, EnvironmentReference.connectorConfigurationPath,
    ] {
      if let value = ProcessEnvironment.value(of: name), !value.isEmpty { return value }
    }
    return "edge.toml"
  }

  /// Reads and checks everything; errors end the process. `isCheck` excuses a credential of systemd
  /// where there are none, because only the service itself sees its credentials.
  static func load(_ path: String, isCheck: Bool) -> LoadedConfiguration {
    let contents: [UInt8]
    do throws(FileReading.Failure) {
      contents = try FileReading.readFile(path, limitBytes: 1 << 20)
    } catch {
      Complaint.write("\(path): \(error.message)")
      exit(ExitCode.configuration)
    }
    do throws(SettingsErrors) {
      var loaded = try LoadedConfiguration(
        path: path, contents: contents,
        defaultName: "\(MachineIdentity.hostName)-\(MachineIdentity.shortHash)",
        environment: ProcessEnvironment.variables.map {
          EnvironmentVariable(name: $0.name, value: $0.value)
        })
      try loaded.readSecrets { (source) throws(SettingsProblem) in
        try read(source, isCheck: isCheck)
      }
      return loaded
    } catch {
      Complaint.write(error.description)
      exit(ExitCode.configuration)
    }
  }

  /// What is in the place of a secret. No message shows a path or a name: it may be the secret, put
  /// into the wrong key.
  private static func read(
    _ source: Secret.Source, isCheck: Bool
  ) throws(SettingsProblem) -> [UInt8]? {
    switch source {
    case .file(let path): return try readFile(path, limitBytes: 64 << 10)
    case .variable(let name):
      guard let value = ProcessEnvironment.value(of: name), !value.isEmpty else {
        throw SettingsProblem(
          "the variable that it names is not set",
          remedy: "Set it where the gateway is started, or name another.")
      }
      return Array(value.utf8)
    case .credential(let name):
      guard let directory = ProcessEnvironment.value(of: "CREDENTIALS_DIRECTORY") else {
        if isCheck { return nil }
        throw SettingsProblem(
          "there are no credentials: this is no service of systemd that has any",
          remedy: "Add LoadCredential=\(name):/path to the service, or write the path of a file.")
      }
      return try readFile("\(directory)/\(name)", limitBytes: 64 << 10)
    }
  }

  /// What is in a place now, when the configuration was read already.
  static func contents(
    of source: Secret.Source, limitBytes: Int
  ) throws(SettingsProblem) -> [UInt8] {
    if case .file(let path) = source { return try readFile(path, limitBytes: limitBytes) }
    return try read(source, isCheck: false) ?? []
  }

  private static func readFile(
    _ path: String, limitBytes: Int
  ) throws(SettingsProblem) -> [UInt8] {
    do throws(FileReading.Failure) {
      return try FileReading.readFile(path, limitBytes: limitBytes)
    } catch {
      throw SettingsProblem(
        "the file cannot be read: \(error.message)",
        remedy: "Make it, readable for the gateway and for nobody else.")
    }
  }
}
