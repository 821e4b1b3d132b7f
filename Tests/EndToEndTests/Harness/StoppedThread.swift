import Foundation

/// One thread of a process, stopped as if it hung, by ptrace(2); the others go on. It goes on when
/// its owner is gone, which has to happen on the thread that stopped it.
final class StoppedThread {
  private typealias Trace = @convention(c) (Int, Int, Int, Int) -> Int
  private static let seize = 0x4206
  private static let interrupt = 0x4207
  private static let detach = 17

  private let trace: Trace
  private let thread: Int

  /// Stops the thread called `name`. Throws where the system does not let us (Yama, containers).
  init(_ name: String, of process: pid_t) throws {
    guard let symbol = dlsym(nil, "ptrace") else { throw EndToEndError("there is no ptrace") }
    // It is variadic, which Swift does not call; with four whole words both conventions agree.
    trace = unsafeBitCast(symbol, to: Trace.self)
    thread = try Self.find(name, of: process)
    guard trace(Self.seize, thread, 0, 0) == 0, trace(Self.interrupt, thread, 0, 0) == 0 else {
      throw EndToEndError("ptrace: errno \(errno)")
    }
    try Deadline().wait(for: "the stop of \(name)") {
      let stat = try String(contentsOfFile: "/proc/\(process)/task/\(thread)/stat", encoding: .utf8)
      // proc(5): `pid (comm) state …`; t is stopped by a tracer.
      return stat.split(separator: ")").last?.split(separator: " ").first == "t" ? () : nil
    }
  }

  deinit {
    var status: Int32 = 0
    _ = waitpid(pid_t(thread), &status, Int32(bitPattern: 0x4000_0000) | WNOHANG)
    _ = trace(Self.detach, thread, 0, 0)
  }

  private static func find(_ name: String, of process: pid_t) throws -> Int {
    for task in try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/task") {
      let comm = try? String(contentsOfFile: "/proc/\(process)/task/\(task)/comm", encoding: .utf8)
      if comm == "\(name)\n", let number = Int(task) { return number }
    }
    throw EndToEndError("process \(process) has no thread \(name)")
  }
}
