import CLinux

/// What a thread of the gateway does: a value that is handed over to it, and ends with it.
public protocol ThreadBody: ~Copyable, Sendable {
  /// Runs on the new thread. What belongs to one thread, such as a ``Uring``, is made in here.
  consuming func run()
}

/// A thread of the operating system. It is joined, once.
public struct NamedThread: ~Copyable {
  private let thread: pthread_t

  /// Starts a thread that runs `body`. `name` is what `top` and `ps` show of it, 15 bytes at most.
  public init<Body: ThreadBody & ~Copyable>(
    name: StaticString, running body: consuming Body
  ) throws(ThreadError) {
    let place = UnsafeMutablePointer<Body>.allocate(capacity: 1)
    unsafe place.initialize(to: body)
    let start = ThreadStart(name: name) {
      let body = unsafe place.move()
      unsafe place.deallocate()
      body.run()
    }
    let argument = unsafe Unmanaged.passRetained(start).toOpaque()
    var thread = pthread_t()
    let code = unsafe pthread_create(
      &thread, nil,
      { argument in
        if let argument = unsafe argument {
          unsafe Unmanaged<ThreadStart>.fromOpaque(argument).takeRetainedValue().enter()
        }
        return nil
      }, argument)
    guard code == 0 else {
      unsafe Unmanaged<ThreadStart>.fromOpaque(argument).release()
      _ = unsafe place.move()
      unsafe place.deallocate()
      throw ThreadError(code: code)
    }
    self.thread = thread
  }

  /// A thread nobody joins runs on by itself.
  deinit { pthread_detach(thread) }

  /// Waits for the thread's end.
  public consuming func join() {
    let thread = thread
    discard self
    let code = pthread_join(thread, nil)
    precondition(code == 0, "a thread is joined once, and not by itself")
  }
}

/// Why no thread was started.
public struct ThreadError: Error, Equatable, Sendable {
  /// The system's error number.
  public let code: Int32

  /// The cause in words.
  public var message: String { KernelError.text(code) }
}

/// What a new thread finds: a C function can't be generic, so the body waits behind one closure.
private final class ThreadStart {
  private let name: StaticString
  private let body: () -> Void

  init(name: StaticString, body: @escaping () -> Void) {
    self.name = name
    self.body = body
  }

  func enter() {
    unsafe clinux_name_thread(
      UnsafeRawPointer(name.utf8Start).assumingMemoryBound(to: CChar.self))
    body()
  }
}
