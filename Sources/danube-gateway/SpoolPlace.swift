import Glibc
import IOPort
import Settings
import Uring

/// Where the spool is that a command is about.
enum SpoolPlace {
  /// A folder. `data` is the data_dir it is in, whose lock a gateway holds; nil for a copy that has
  /// none.
  case folder(spool: String, data: String?)
  /// A gateway that runs.
  case gateway(HostPort, token: [UInt8]?)

  /// Finds it, or says why not.
  static func find(_ options: SpoolOptions) throws(SpoolProblem) -> SpoolPlace {
    if let directory = options.directory { return folder(directory) }
    if let admin = options.admin, options.config == nil {
      return .gateway(try address(admin), token: try token(options, nil))
    }
    let path = ConfigurationFile.path(options.config)
    let configuration = ConfigurationFile.load(path, isCheck: true).configuration
    let given = try token(options, configuration.admin.token?.revealed)
    if let admin = options.admin { return .gateway(try address(admin), token: given) }
    let data = configuration.gateway.dataDirectory
    if options.canAsk, FileLock.isHeld(directory: data) {
      return .gateway(configuration.admin.address, token: given)
    }
    return .folder(spool: data + "/spool", data: data)
  }

  /// A folder that was named: a data_dir, or the spool's own.
  private static func folder(_ named: String) -> SpoolPlace {
    // The same folder has many names: whose it is its real one tells.
    let directory = FileLock.resolvedPath(named) ?? named
    var port = BlockingFiles(isReadOnly: true)
    if (try? port.openDirectory(directory + "/spool")) != nil {
      // A data_dir: it holds the folder of the spool.
      return .folder(spool: directory + "/spool", data: directory)
    }
    let parts = directory.split(separator: "/", omittingEmptySubsequences: false)
    let parent = parts.dropLast().joined(separator: "/")
    let data = parts.count == 1 ? "." : parent.isEmpty ? "/" : parent
    // A folder of another name is a copy, unless a gateway holds the folder that it is in.
    let isCopy = parts.last != "spool" && !FileLock.isHeld(directory: data)
    return .folder(spool: directory, data: isCopy ? nil : data)
  }

  private static func address(_ text: String) throws(SpoolProblem) -> HostPort {
    do throws(SettingsProblem) {
      return try HostPort(parsing: text, defaultPort: 9090)
    } catch {
      throw SpoolProblem("--admin needs HOST:PORT, such as 127.0.0.1:9090", code: ExitCode.usage)
    }
  }

  /// The token from a file, else the configuration's.
  private static func token(
    _ options: SpoolOptions, _ configured: [UInt8]?
  ) throws(SpoolProblem) -> [UInt8]? {
    guard let path = options.tokenFile else { return configured }
    do throws(FileReading.Failure) {
      let bytes = try FileReading.readFile(path, limitBytes: 64 << 10)
      return Array(bytes.prefix { $0 > 0x20 })
    } catch {
      throw SpoolProblem("\(path): \(error.message)", code: ExitCode.unavailable)
    }
  }
}

/// Why a command on the spool ends without what it was asked for.
struct SpoolProblem: Error {
  let message: String
  let code: Int32

  init(_ message: String, code: Int32) {
    self.message = message
    self.code = code
  }
}
