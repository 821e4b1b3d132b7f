import DanubeProtocol
import GRPC
import IOPort
import Simulator

/// The brokers of a failure, and what they were given.
public final class FailureStage {
  /// Which message it is: the number of its device, and its own.
  public struct Name: Hashable, Sendable {
    /// The device.
    public var device: Int
    /// Counted from 0.
    public var number: Int

    /// Reads a payload `device:number:…`.
    public init?(payload: [UInt8]) {
      let parts = payload.prefix(24).split(
        separator: UInt8(ascii: ":"), maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 3, let device = Int(String(decoding: parts[0], as: UTF8.self)),
        let number = Int(String(decoding: parts[1], as: UTF8.self))
      else { return nil }
      self.device = device
      self.number = number
    }
  }

  /// Calls that the brokers had.
  struct Calls {
    var connections = 0
    var lookups = 0
    var creates = 0
    var sends = 0
  }

  /// The topic that has the trouble.
  public static let topic = "/default/keyed"
  /// One that has none of its own.
  public static let otherTopic = "/default/temperature"

  /// The broker that the gateway is configured with.
  public let broker: ScriptedBroker
  /// Another one of its cluster.
  public let other: ScriptedBroker
  /// Is told of every payload that the broker refused for good.
  public var onRefused: ([UInt8]) -> Void = { _ in }
  /// What the broker refused for good.
  private(set) var refused: Set<Name> = []
  private var accepted: Set<Name> = []
  private var acceptedOfOtherTopic = 0
  private var seen = [0, 0]

  /// A stage with both brokers, which live in the same world.
  public init(broker: ScriptedBroker, other: ScriptedBroker) {
    self.broker = broker
    self.other = other
  }

  // MARK: What failures do

  /// Every message of the topic gets one answer.
  func answerMessages(_ answer: ScriptedBroker.SendAnswer) {
    broker.onMessage = { $0.topic == Self.topic ? answer : .init(.ok) }
  }

  /// Every message of the topic ends with a status.
  func failMessages(_ status: StatusCode, _ text: String) {
    answerMessages(.init(.fail(status, text)))
  }

  /// The first messages of the topic get an answer of their own, each at its first time.
  func answerFirst(_ count: Int, _ answer: ScriptedBroker.SendAnswer) {
    var answered: Set<Name> = []
    broker.onMessage = { message in
      guard message.topic == Self.topic, answered.count < count,
        let name = Name(payload: message.payload), answered.insert(name).inserted
      else { return .init(.ok) }
      return answer
    }
  }

  /// Some messages of the topic are refused for good.
  func refuseSome(_ status: StatusCode, _ text: String) {
    broker.onMessage = { [unowned self] message in
      guard message.topic == Self.topic, let name = Name(payload: message.payload),
        name.number % 10 == 3
      else { return .init(.ok) }
      refused.insert(name)
      onRefused(message.payload)
      return .init(.fail(status, text))
    }
  }

  /// Every CreateProducer of the topic gets one answer.
  func answerCreates(_ answer: ScriptedBroker.CreateAnswer) {
    broker.onCreate = { topic, _ in topic == Self.topic ? answer : .ok }
  }

  /// Every look-up of the topic gets one answer; other topics are served here.
  func answerLookups(_ answer: ScriptedBroker.LookupAnswer) {
    let url = broker.advertisedURL
    broker.onLookup = { topic in
      topic == Self.topic ? answer : .at(connectURL: url, brokerURL: url, type: .connect)
    }
  }

  /// The topic is on the other broker.
  func redirect() {
    let url = other.advertisedURL
    other.addTopic(Self.topic)
    answerLookups(.at(connectURL: url, brokerURL: url, type: .redirect))
  }

  /// Both behave again.
  func heal() {
    for broker in [broker, other] {
      broker.onMessage = nil
      broker.onCreate = nil
      broker.onLookup = nil
      broker.onConnection = nil
    }
  }

  // MARK: What came of it

  var calls: Calls {
    var calls = Calls()
    for broker in [broker, other] {
      calls.connections += broker.connectionCount
      calls.lookups += broker.lookupCount
      calls.creates += broker.createCount
      calls.sends += broker.sendCount
    }
    return calls
  }

  /// Messages of all and of the other topic that arrived, each counted once, and refused ones.
  var settled: (all: Int, ofOtherTopic: Int) {
    for (place, broker) in [broker, other].enumerated() {
      while seen[place] < broker.accepted.count {
        let message = broker.accepted[seen[place]]
        seen[place] += 1
        guard let name = Name(payload: message.payload), accepted.insert(name).inserted else {
          continue
        }
        if message.topic == Self.otherTopic { acceptedOfOtherTopic += 1 }
      }
    }
    return (accepted.count + refused.count, acceptedOfOtherTopic)
  }

  /// What is wrong with what arrived.
  func complaints(mayRepeat: Int) -> [String] {
    struct Line: Hashable {
      let topic: String
      let key: [UInt8]
      let device: Int
    }
    var complaints: [String] = []
    var counts: [Name: Int] = [:]
    var newest: [Line: Int] = [:]
    let messages = (broker.accepted + other.accepted).enumerated()
      .sorted { ($0.element.arrivedAt, $0.offset) < ($1.element.arrivedAt, $1.offset) }
      .map(\.element)
    for message in messages {
      guard let name = Name(payload: message.payload) else {
        complaints.append("a message that nobody published")
        continue
      }
      counts[name, default: 0] += 1
      guard counts[name] == 1 else { continue }
      let line = Line(topic: message.topic, key: message.key, device: name.device)
      if let last = newest[line], last > name.number {
        complaints.append("\(name.device):\(name.number) came after \(last)")
      }
      newest[line] = name.number
      if refused.contains(name) { complaints.append("a refused message was accepted") }
    }
    let repeats = counts.values.reduce(0) { $0 + $1 - 1 }
    if repeats > mayRepeat { complaints.append("\(repeats) messages came twice") }
    return complaints
  }
}
