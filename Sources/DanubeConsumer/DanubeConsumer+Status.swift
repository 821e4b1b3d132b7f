public import IOPort

// When to come again, and what people see.
extension DanubeConsumer {
  /// When `advance` and `flush` are next needed, unless a completion comes first.
  public var nextDeadline: Instant {
    guard isStarted else { return .distantFuture }
    var deadline = min(callDeadline, settlementDeadline)
    for index in 0..<connections.upperBound {
      guard let id = connections.tenant(at: index) else { continue }
      if let next = connections[id].nextDeadline { deadline = min(deadline, next) }
    }
    if isShuttingDown { return deadline }
    switch discovery {
    case .due: deadline = min(deadline, seedDeadline)
    case .waiting(let until): deadline = min(deadline, until)
    case .asking, .over: break
    }
    for partition in partitions {
      deadline = min(deadline, min(partition.redeliveryDeadline, self.deadline(of: partition)))
    }
    return deadline
  }

  private func deadline(of partition: Partition) -> Instant {
    switch partition.phase {
    case .waiting(let until), .resolving(_, _, let until): return until
    case .wantsSeed: return seedDeadline
    case .attaching(let broker):
      return brokers[broker].connection == nil ? brokers[broker].retryAt : .distantFuture
    case .consuming(let broker, _):
      guard partition.healthTag == nil, let id = brokers[broker].connection,
        connections[id].isListening
      else { return .distantFuture }
      return partition.nextHealthCheck
    case .missing, .lookingUp, .subscribing: return .distantFuture
    }
  }

  /// The next notice for people, oldest first; nil when all is told.
  public mutating func nextNotice() -> ConsumerNotice? { notices.popFirst() }

  /// What the consumer does now. O(partitions), with allocations: not for every turn.
  public var status: ConsumerStatus {
    var status = ConsumerStatus()
    status.partitions = partitions.map {
      ConsumerStatus.Partition(topic: $0.name, phase: Self.phase(of: $0))
    }
    for broker in brokers {
      if let id = broker.connection, connections[id].isOpen {
        status.brokers.append(broker.authority)
      }
    }
    status.queuedCount = messages.queuedCount
    status.unacknowledgedCount = messages.takenCount
    status.settlementCount = messages.settlingCount
    status.lastError = notices.lastError
    return status
  }

  private static func phase(of partition: Partition) -> ConsumerStatus.Phase {
    switch partition.phase {
    case .missing: .missing
    case .waiting: .waiting
    case .wantsSeed, .lookingUp, .resolving, .attaching: .connecting
    case .subscribing: .subscribing
    case .consuming: .consuming
    }
  }
}
