import IOPort

/// A completion that waits in the port itself.
struct HeldCompletion: BitwiseCopyable {
  /// The events that come without bytes.
  enum Event: BitwiseCopyable {
    case acceptEnded(IOError)
    case connectFailed(IOError)
    case receiveEnded(IOError?)
    case sendFailed(IOError)
    case queueMeasured(Int)
    case file(FileEvent)
  }

  let token: Token
  let event: Event

  /// The completion for the port's owner.
  var completion: Completion {
    switch event {
    case .acceptEnded(let error): Completion(token: token, event: .acceptEnded(error))
    case .connectFailed(let error): Completion(token: token, event: .connectFailed(error))
    case .receiveEnded(let error): Completion(token: token, event: .receiveEnded(error))
    case .sendFailed(let error): Completion(token: token, event: .sendFailed(error))
    case .queueMeasured(let count): Completion(token: token, event: .queueMeasured(count))
    case .file(let event): Completion(token: token, event: .file(event))
    }
  }
}
