import Bytes
import IOPort
import MQTT
import Metrics
import Settings

// What the packets of a device mean.
extension Ingest {
  /// What to do after a packet.
  enum Next {
    /// Take the next packet.
    case goOn
    /// Nothing more can be taken from these bytes now; the packet at hand was not.
    case stopBefore
    /// Nothing more will be taken; the packet at hand was.
    case stopAfter
  }

  /// Takes the complete packets at the front of `bytes`, as far as there is room for what they
  /// carry, and returns how many bytes they were.
  mutating func process(
    _ id: SlotID, _ bytes: RawSpan, at now: Instant, operations: inout OperationQueue
  ) -> Int {
    var used = 0
    while used < bytes.byteCount {
      if mustWait(id) {
        pause(id, at: now, operations: &operations)
        return used
      }
      var packetBytes = 0
      connections[id].expectedBytes = 0
      let next = take(
        id, bytes.extracting(droppingFirst: used), packetBytes: &packetBytes, at: now,
        operations: &operations)
      switch next {
      case .stopBefore: return used
      case .stopAfter: return used + packetBytes
      case .goOn: used += packetBytes
      }
      connections[id].madeProgress = true
      connections[id].lastReceived = now
      connections[id].lastProgressBytes = 0
    }
    return used
  }

  /// An MQTT 3.1.1 device and a webhook have no receive maximum; their socket is the limit instead.
  /// A device that does not read its answers is not read either.
  func mustWait(_ id: SlotID) -> Bool {
    if connections[id].outbox.pendingBytes > limits.outboxBytes { return true }
    guard connections[id].answers.isFull else { return false }
    return connections[id].kind == .webhook || connections[id].session.version == .v3_1_1
  }

  private mutating func take(
    _ id: SlotID, _ bytes: RawSpan, packetBytes: inout Int, at now: Instant,
    operations: inout OperationQueue
  ) -> Next {
    do throws(MQTTError) {
      let event = try connections[id].session.next(in: bytes, consumed: &packetBytes)
      switch event {
      case .needMore(let expectedBytes):
        connections[id].expectedBytes = expectedBytes ?? 0
        return .stopBefore
      case .connect(let view):
        return connect(id, view, at: now, operations: &operations)
      case .publish(let view):
        if let alias = view.topicAlias {
          return publish(id, view, alias: alias, at: now, operations: &operations)
        }
        return publish(id, view, at: now, operations: &operations)
      case .pingRequest:
        connections[id].write { session, output in session.writePingresp(into: &output) }
        markDirty(id)
        return .goOn
      case .subscribe(let packetID, let filterCount):
        refuseSubscription(id, packetID, filterCount: filterCount)
        return .goOn
      case .unsubscribe(let packetID, let filterCount):
        connections[id].write { session, output in
          session.writeUnsuback(packetID, filterCount: filterCount, into: &output)
        }
        markDirty(id)
        return .goOn
      case .unexpectedAcknowledgement(let type, let packetID):
        connections[id].write { session, output in
          session.writeAnswer(toUnexpected: type, packetID, into: &output)
        }
        markDirty(id)
        return .goOn
      case .disconnect(let view):
        if view.publishesWill {
          shortenWillDelay(of: id, view.properties.number(.sessionExpiryInterval))
        } else {
          // [MQTT-3.14.4-3] (3.1.1: [MQTT-3.14.4-3])
          discardWill(of: id)
        }
        close(id, operations: &operations)
        return .stopAfter
      }
    } catch {
      violation(id, error, at: now, operations: &operations)
      return .stopAfter
    }
  }

  private mutating func refuseSubscription(
    _ id: SlotID, _ packetID: UInt16, filterCount: Int
  ) {
    connections[id].write { session, output in
      session.writeSuback(packetID, filterCount: filterCount, into: &output)
    }
    markDirty(id)
    note(
      .protocolError, "SUBSCRIBE refused: this gateway only takes messages in",
      peer: connections[id].peer, subject: clientText(id))
  }

  /// A PUBLISH with a topic alias, whose topic may have come before.
  private mutating func publish(
    _ id: SlotID, _ view: borrowing PublishView, alias: UInt16, at now: Instant,
    operations: inout OperationQueue
  ) -> Next {
    let held = connections[id].session.topicAliasBytes
    aliasBytes += held - connections[id].countedAliasBytes
    connections[id].countedAliasBytes = held
    if aliasBytes > limits.topicAliasBytes {
      metrics.disconnects(.aliasMemory).add(1)
      note(
        .limitReached, "no memory is left for topic aliases", peer: connections[id].peer,
        subject: clientText(id))
      disconnect(id, reason: .quotaExceeded, at: now, operations: &operations)
      return .stopAfter
    }
    guard view.topic.isEmpty, let topic = connections[id].session.topic(ofAlias: alias) else {
      return publish(id, view, at: now, operations: &operations)
    }
    return publish(
      id, PublishView(view, topic: topic.rawBytes), at: now, operations: &operations)
  }

  /// Accepts a device.
  private mutating func connect(
    _ id: SlotID, _ view: borrowing ConnectView, at now: Instant,
    operations: inout OperationQueue
  ) -> Next {
    if let refusal = refusal(of: view) {
      refuse(id, view.version, refusal, at: now, operations: &operations)
      return .stopAfter
    }
    var assigned: [UInt8]?
    if view.needsClientID {
      assigned = assignedClientID()
      connections[id].clientID = assigned ?? []
    } else {
      connections[id].clientID = [UInt8](copying: view.clientID)
    }
    // An older connection of the device may have ended in this turn, or ends now: its will comes
    // before anything that the device says on this one.
    settleEndedWills(at: now, operations: &operations)
    let isPresent = takeOver(
      connections[id].clientID, by: id, isCleanStart: view.isCleanStart, at: now,
      operations: &operations)
    settleEndedWills(at: now, operations: &operations)
    var attribute = GrowableBytes()
    RecordFields.appendAttribute(
      "mqtt.client_id", connections[id].clientID, to: &attribute)
    connections[id].clientAttribute = [UInt8](copying: attribute.bytes)
    let kept = keepWill(id, view)
    if aliasBytes > limits.topicAliasBytes / 2 {
      connections[id].session.withholdTopicAliases()
    }
    connections[id].write { session, output in
      session.writeConnack(
        assignedClientID: assigned?.rawBytes, isSessionPresent: isPresent,
        sessionExpirySeconds: kept, into: &output)
    }
    markDirty(id)
    connections[id].phase = .open
    let keepAlive = Int(connections[id].session.keepAliveSeconds)
    connections[id].keepAliveMilliseconds = keepAlive * 1_500
    if keepAlive > 0 {
      schedule(id, at: now.advanced(milliseconds: keepAlive * 1_500), from: now)
    }
    if wills.hasWaiting() {
      // Its own may be among them.
      waitForMemory(id, at: now, operations: &operations)
      return .stopAfter
    }
    return .goOn
  }

  /// Refuses a device for its will.
  private mutating func refuse(
    _ id: SlotID, _ version: ProtocolVersion, _ refusal: WillRefusal, at now: Instant,
    operations: inout OperationQueue
  ) {
    metrics.disconnects(.will).add(1)
    note(.limitReached, refusal.text, peer: connections[id].peer, subject: "")
    let reason: ReasonCode =
      switch refusal {
      case .noMemory: .quotaExceeded
      // What will not change by trying again is 5 in MQTT 3.1.1.
      case .tooManyProperties: .quotaExceeded
      case .unrouted: version == .v5 ? .topicNameInvalid : .notAuthorized
      }
    disconnect(id, reason: reason, at: now, operations: &operations)
  }

  /// One connection a client identifier: an older one ends [MQTT-3.1.4-3] (3.1.1: [MQTT-3.1.4-2]).
  /// Whether the device goes on with its session.
  ///
  /// What it sent and we did not take in is thrown away: the device sends it again, and a dead
  /// connection whose reading is withheld would not be noticed otherwise.
  private mutating func takeOver(
    _ clientID: [UInt8], by id: SlotID, isCleanStart: Bool, at now: Instant,
    operations: inout OperationQueue
  ) -> Bool {
    var older = clients.updateValue(id, forKey: clientID)
    if let slot = older,
      slot == id || !connections.contains(slot) || connections[slot].phase != .open
    {
      older = nil
    }
    let isPresent = resumeSession(clientID, older: older, isCleanStart: isCleanStart)
    if let older {
      metrics.disconnects(.takenOver).add(1)
      disconnect(older, reason: .sessionTakenOver, at: now, operations: &operations)
    }
    return isPresent
  }

  /// `gw-` and 16 hexadecimal digits.
  private mutating func assignedClientID() -> [UInt8] {
    let digits = String(random.next(), radix: 16)
    return Array("gw-\(String(repeating: "0", count: 16 - digits.utf8.count))\(digits)".utf8)
  }

  /// A packet that is not accepted ends the connection, with the reason where there is a way.
  private mutating func violation(
    _ id: SlotID, _ error: MQTTError, at now: Instant, operations: inout OperationQueue
  ) {
    metrics.disconnects(.protocolError).add(1)
    note(
      .protocolError, error.text, peer: connections[id].peer, subject: clientText(id))
    connections[id].write { session, output in session.writeRejection(error, into: &output) }
    linger(id, at: now, operations: &operations)
  }

  /// Ends a device's connection with a reason.
  mutating func disconnect(
    _ id: SlotID, reason: ReasonCode, at now: Instant, operations: inout OperationQueue
  ) {
    connections[id].write { session, output in session.writeDisconnect(reason, into: &output) }
    linger(id, at: now, operations: &operations)
  }
}
