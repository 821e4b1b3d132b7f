import CLinux
public import IOPort

/// One request and its answer over TCP by ordinary calls, which block: for commands that ask and
/// then end.
public enum BlockingConnection {
  /// Connects, sends `request` and reads until the other end closes. The bytes read, at most
  /// `limitBytes`; no call may take longer than `timeoutSeconds`.
  public static func exchange(
    _ request: [UInt8], with address: SocketAddress, limitBytes: Int, timeoutSeconds: Int
  ) throws(IOError) -> [UInt8] {
    let kernelAddress = KernelAddress(address)
    let fileDescriptor = try Sockets.open(family: kernelAddress.family, limits: UringLimits())
    defer { Sockets.close(fileDescriptor) }
    setTimeout(fileDescriptor, SO_RCVTIMEO, timeoutSeconds)
    setTimeout(fileDescriptor, SO_SNDTIMEO, timeoutSeconds)
    let connected = unsafe kernelAddress.withPointer { unsafe connect(fileDescriptor, $0, $1) }
    guard connected == 0 else { throw KernelError.ioError(clinux_errno()) }
    var sent = 0
    while sent < request.count {
      let rest = Array(request[sent...])
      let count = unsafe send(fileDescriptor, rest, rest.count, Int32(MSG_NOSIGNAL))
      guard count > 0 else { throw failure() }
      sent += count
    }
    var answer: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let count = unsafe recv(fileDescriptor, &chunk, chunk.count, 0)
      if count == 0 { return answer }
      guard count > 0, answer.count + count <= limitBytes else { throw failure() }
      answer += chunk[..<count]
    }
  }

  private static func setTimeout(_ fileDescriptor: Int32, _ name: Int32, _ seconds: Int) {
    var time = timeval(tv_sec: seconds, tv_usec: 0)
    // Without it a call only takes longer.
    _ = unsafe setsockopt(
      fileDescriptor, SOL_SOCKET, name, &time, socklen_t(MemoryLayout<timeval>.size))
  }

  private static func failure() -> IOError {
    let code = clinux_errno()
    // What a socket with a time limit says when that has passed (socket(7)).
    return code == EAGAIN ? IOError(.timedOut, code: ETIMEDOUT) : KernelError.ioError(code)
  }
}
