import IOPort
import Settings

/// Owners of tokens, and how much a loop does in one turn.
enum LoopOwner {
  static let ingest: UInt8 = 1
  static let delivery: UInt8 = 2
  static let admin: UInt8 = 3
  static let consumer: UInt8 = 4
  static let main: UInt8 = 5
  static let spool: UInt8 = 6

  /// Completions taken in one turn, so that no part waits for another for long.
  static let completionLimit = 256
  /// Progress messages taken in one turn.
  static let progressLimit = 1_024
  /// Batches taken in one turn.
  static let batchLimit = 256
  /// At the end devices get so long to read why, milliseconds; less when there is not the time.
  static let leaveMilliseconds = 500
}

/// Why a loop could not start: a message for the person who started the gateway.
public struct StartError: Error, Sendable {
  /// What is wrong, where, and the remedy.
  public let message: String

  /// An error with this message.
  public init(message: String) { self.message = message }
}

/// Opens a listener at a configured address.
func listen<Port: IOPort & ~Copyable>(
  on address: HostPort, purpose: String, port: inout Port
) throws(StartError) -> (descriptor: Descriptor, bound: SocketAddress) {
  let host = address.host == "localhost" ? "127.0.0.1" : address.host
  guard let socket = SocketAddress(host: host, port: address.port) else {
    throw StartError(
      message: "\(purpose) address \(address): \(host) is not an IP address; "
        + "write the address of an interface, or 0.0.0.0 for all.")
  }
  do {
    return try port.listen(on: socket)
  } catch {
    throw StartError(message: "\(purpose) address \(address): \(listenProblem(error))")
  }
}

private func listenProblem(_ error: IOError) -> String {
  switch error.kind {
  case .addressInUse:
    "already in use. Stop the program that uses it, or choose another port in the configuration."
  case .addressNotAvailable:
    "not an address of this machine. Choose one of its interfaces, or 0.0.0.0 for all."
  case .notPermitted:
    "not allowed. Choose a port above 1023, or give the service CAP_NET_BIND_SERVICE."
  default:
    "cannot listen (error \(error.code))."
  }
}
