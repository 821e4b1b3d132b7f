import Bytes
import MQTT

/// One connection to an MQTT server: what came, and what was answered.
struct MQTTConversation: ~Copyable {
  private let setup: MQTTCheck.Setup
  private var session: ServerSession
  private var output = GrowableBytes()
  private var log = EventLog()
  private var wasTakenBack = false

  private init(_ setup: MQTTCheck.Setup) {
    self.setup = setup
    session = ServerSession(limits: setup.limits)
  }

  /// All events of `bytes` that arrive in pieces with these ends.
  static func log(
    of bytes: [UInt8], ends: [Int], _ setup: MQTTCheck.Setup
  ) throws(Finding) -> EventLog {
    var conversation = MQTTConversation(setup)
    var start = 0
    for end in ends {
      start += try conversation.feed(bytes.rawBytes.extracting(start..<end))
      if conversation.session.state == .closed { break }
    }
    let output = Array(copying: conversation.output.bytes)
    try MQTTAnswers.check(output.rawBytes, version: conversation.session.version)
    conversation.log.begin("end")
    conversation.log.add(conversation.session.state.rawValue)
    conversation.log.add(conversation.session.unansweredPublishes)
    conversation.log.add(bytes: output)
    return conversation.log
  }

  /// Reads all packets there are, and answers them; how many bytes they have.
  private mutating func feed(_ bytes: RawSpan) throws(Finding) -> Int {
    var consumed = 0
    while true {
      let before = consumed
      let stateBefore = session.state
      var wantsMore = false
      var isExpectationWrong = false
      do throws(MQTTError) {
        let event = try session.next(in: bytes, consumed: &consumed)
        switch event {
        case .needMore(let expected):
          wantsMore = true
          if let expected {
            isExpectationWrong =
              expected <= bytes.byteCount - consumed
              || expected > session.limits.maximumPacketBytes
          }
        case .publish(let view):
          if isReadAgain(view.qos) { consumed = before } else { note(view) }
        default: note(event)
        }
      } catch {
        reject(error, stateBefore)
        return consumed
      }
      try require(!isExpectationWrong, "more is wanted that is there, or will never be taken")
      try require(consumed >= before && consumed <= bytes.byteCount, "consumed \(consumed)")
      if wantsMore {
        try require(
          consumed == before || stateBefore == .closed, "consumed, and wants more")
        return consumed
      }
      try require(consumed > before || wasTakenBack, "an event of no bytes")
    }
  }

  /// Whether the caller plays that it has no room for the message yet.
  private mutating func isReadAgain(_ qos: QoS) -> Bool {
    guard setup.takesBack else { return false }
    wasTakenBack.toggle()
    if wasTakenBack { session.takeBackPublish(qos) }
    return wasTakenBack
  }

  private mutating func reject(_ error: MQTTError, _ before: ServerSession.State) {
    log.begin("error \(error)")
    let start = output.count
    session.writeRejection(error, into: &output)
    // Of a CONNECT that is too large the version may not be there yet: the answer depends on it.
    if error == .packetTooLarge, before == .awaitingConnect {
      output.removeLast(output.count - start)
    }
  }
}

// What comes, and its answers.
extension MQTTConversation {
  private mutating func note(_ event: borrowing ServerEvent) {
    switch event {
    case .connect(let view): note(view)
    case .pingRequest:
      log.begin("ping")
      session.writePingresp(into: &output)
    case .subscribe(let packetID, let count):
      log.begin("subscribe")
      log.add(packetID)
      log.add(count)
      session.writeSuback(packetID, filterCount: count, into: &output)
    case .unsubscribe(let packetID, let count):
      log.begin("unsubscribe")
      log.add(packetID)
      log.add(count)
      session.writeUnsuback(packetID, filterCount: count, into: &output)
    case .unexpectedAcknowledgement(let type, let packetID):
      log.begin("acknowledgement")
      log.add(type.rawValue)
      log.add(packetID)
      session.writeAnswer(toUnexpected: type, packetID, into: &output)
    case .disconnect(let view):
      log.begin("disconnect \(view.reason)")
      note(view.properties)
    default: log.begin("event")
    }
  }

  private mutating func note(_ view: borrowing PublishView) {
    log.begin("publish")
    log.add(view.topic)
    log.add(view.payload)
    log.add(view.qos.rawValue)
    log.add(view.isRetained)
    log.add(view.isDuplicate)
    log.add(view.packetID)
    note(view.properties)
    if setup.answersPublishes, view.qos != .atMostOnce {
      session.writePuback(view.packetID, into: &output)
    }
  }

  private mutating func note(_ view: borrowing ConnectView) {
    log.begin("connect")
    log.add(view.version.rawValue)
    log.add(view.clientID)
    log.add(view.keepAliveSeconds)
    log.add(view.isCleanStart)
    log.add(view.receiveMaximum)
    log.add(view.maximumPacketBytes)
    log.add(view.sessionExpirySeconds)
    log.add(view.requestsProblemInformation)
    if let name = view.userName { log.add(name) }
    if let password = view.password { log.add(password) }
    note(view.properties)
    if let will = view.will {
      log.begin("will")
      log.add(will.topic)
      log.add(will.payload)
      log.add(will.qos.rawValue)
      log.add(will.isRetained)
      log.add(will.delaySeconds)
      note(will.properties)
    }
    if setup.refuses {
      session.writeDisconnect(.notAuthorized, text: "not you", into: &output)
    } else if view.needsClientID {
      let assigned: [UInt8] = [0x61, 0x62]
      session.writeConnack(assignedClientID: assigned.rawBytes, into: &output)
    } else {
      session.writeConnack(into: &output)
    }
  }

  private mutating func note(_ properties: borrowing PropertiesView) {
    var iterator = properties.makeIterator()
    while let property = iterator.next() {
      log.add(property.id.rawValue)
      log.add(property.number)
      log.add(property.data)
      log.add(property.value)
    }
  }
}
