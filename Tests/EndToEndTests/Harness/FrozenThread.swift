import Foundation

/// One thread of another process, held as a debugger holds it: the process and its other threads go
/// on.
///
/// The kernel wants every call about a held thread from the thread that took hold of it: what
/// happens meanwhile is synchronous.
enum FrozenThread {
  // <sys/ptrace.h> and <sys/wait.h>; Swift does not import functions with variable arguments.
  private static let seize = 0x4206
  private static let interrupt = 0x4207
  private static let detach = 17
  private static let waitAll: Int32 = 0x4000_0000

  private typealias Trace = @convention(c) (Int, Int, Int, Int) -> Int

  /// Stops the thread of a process that has this name, as `top` shows it, until `body` returns.
  static func hold(named name: String, of process: pid_t, while body: () throws -> Void) throws {
    let folder = "/proc/\(process)/task"
    let threads = try FileManager.default.contentsOfDirectory(atPath: folder)
    let found = threads.first { thread in
      let text = try? String(contentsOfFile: "\(folder)/\(thread)/comm", encoding: .utf8)
      return text?.trimmingCharacters(in: .newlines) == name
    }
    guard let thread = found.flatMap({ pid_t($0) }) else {
      throw EndToEndError("process \(process) has no thread \(name)")
    }
    try trace(seize, thread)
    try trace(interrupt, thread)
    var status: Int32 = 0
    guard waitpid(thread, &status, waitAll) == thread else {
      throw EndToEndError("waitpid: errno \(errno)")
    }
    do {
      try body()
    } catch {
      try? trace(detach, thread)
      throw error
    }
    try trace(detach, thread)
  }

  private static func trace(_ request: Int, _ thread: pid_t) throws {
    guard let symbol = dlsym(nil, "ptrace") else { throw EndToEndError("there is no ptrace") }
    let call = unsafeBitCast(symbol, to: Trace.self)
    guard call(request, Int(thread), 0, 0) == 0 else {
      throw EndToEndError("ptrace \(request) of thread \(thread): errno \(errno)")
    }
  }
}
