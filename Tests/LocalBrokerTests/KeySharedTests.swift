import Bytes
import DanubeProtocol
import GRPC
import IOPort
import Metrics
import Simulator
import Spool
import Testing

@testable import LocalBroker

@Suite("KeyShared subscriptions", .timeLimit(.minutes(1)))
struct KeySharedTests {
  private static let topic = "/default/kept"

  @Test("One record of a key is under way at a time; other keys go on")
  func oneAKey() throws {
    let scene = try Scene()
    let producer = try scene.createProducer(Self.topic)
    let stream = scene.receive(try scene.subscribe(Self.topic, type: .keyShared))
    scene.sendKeyed(
      Self.topic, producer: producer, ["a/0", "a/1", "b/0", "a/2", "c/0", "b/1", "a/3"])
    #expect(
      try scene.messages(stream, count: 4, milliseconds: 300).payloads == ["a/0", "b/0", "c/0"])
    func ack(_ payload: String, next: String?) throws {
      let before = try scene.messages(stream, count: 1)
      let message = try #require(before.last { $0.payload == utf8(payload) })
      scene.ack(message)
      let after = try scene.messages(stream, count: before.count + 1, milliseconds: 300)
      #expect(after.dropFirst(before.count).map { $0 }.payloads == (next.map { [$0] } ?? []))
    }
    try ack("c/0", next: nil)
    try ack("a/0", next: "a/1")
    try ack("a/1", next: "a/2")
    try ack("b/0", next: "b/1")
    try ack("a/2", next: "a/3")
    try ack("b/1", next: nil)
    try ack("a/3", next: nil)
    #expect(scene.broker.metrics.recordsRedelivered.value == 0)
    scene.sendKeyed(Self.topic, producer: producer, ["a/4"])
    try #require(try scene.messages(stream, count: 8).last?.payload == utf8("a/4"))
  }

  @Test("A record that was refused holds back its key alone, and comes before the later ones")
  func nack() throws {
    let scene = try Scene()
    let producer = try scene.createProducer(Self.topic)
    let stream = scene.receive(try scene.subscribe(Self.topic, type: .keyShared))
    scene.sendKeyed(Self.topic, producer: producer, ["a/0", "a/1", "b/0"])
    let first = try scene.messages(stream, count: 2)
    scene.nack(first[0])
    scene.sendKeyed(Self.topic, producer: producer, ["b/1", "a/2"])
    scene.ack(first[1])
    #expect(
      try scene.messages(stream, count: 4, milliseconds: 500).payloads == ["a/0", "b/0", "b/1"])
    let again = try scene.messages(stream, count: 4)
    #expect(again.payloads == ["a/0", "b/0", "b/1", "a/0"])
    scene.ack(again[3])
    #expect(try scene.messages(stream, count: 5).payloads.last == "a/1")
  }

  @Test("Keys keep their consumer; when it goes, its keys alone move, in order")
  func assignment() throws {
    let scene = try Scene()
    let producer = try scene.createProducer(Self.topic)
    let clients = (0..<3).map { _ in scene.makeClient() }
    let streams = try clients.enumerated().map { number, client in
      scene.receive(
        try scene.subscribe(
          Self.topic, consumer: "c\(number)", type: .keyShared, from: client), from: client)
    }
    let keys = (0..<30).map { "k\($0)" }
    var owners: [String: Int] = [:]
    var taken = [0, 0, 0]
    /// Acknowledges what came, and notes who got it.
    func drain(_ round: Int) throws {
      for (number, client) in clients.enumerated() where client.isClosed == false {
        let all = try scene.messages(streams[number], count: 0, from: client, milliseconds: 0)
        for message in all[taken[number]...] {
          let key = String(decoding: message.routingKey ?? [], as: UTF8.self)
          if let owner = owners[key], taken[owner] >= 0 { #expect(owner == number, "\(key)") }
          owners[key] = number
          scene.ack(message, from: client)
        }
        taken[number] = all.count
      }
    }
    for round in 0..<4 {
      scene.sendKeyed(Self.topic, producer: producer, keys.map { "\($0)/\(round)" })
      for _ in 0..<6 {
        scene.driver.run(milliseconds: 50)
        try drain(round)
      }
    }
    #expect(taken.reduce(0, +) == 120)
    #expect(Set(owners.values) == [0, 1, 2])
    // One goes with what it has not acknowledged.
    scene.sendKeyed(Self.topic, producer: producer, keys.map { "\($0)/4" })
    scene.driver.run(milliseconds: 100)
    let before = owners
    clients[1].disconnect()
    scene.driver.run(milliseconds: 100)
    for key in keys where before[key] == 1 { owners[key] = nil }
    for _ in 0..<6 {
      scene.driver.run(milliseconds: 50)
      for number in [0, 2] {
        let all = try scene.messages(
          streams[number], count: 0, from: clients[number], milliseconds: 0)
        for message in all[taken[number]...] {
          let key = String(decoding: message.routingKey ?? [], as: UTF8.self)
          if let owner = owners[key] { #expect(owner == number, "\(key)") }
          owners[key] = number
          scene.ack(message, from: clients[number])
        }
        taken[number] = all.count
      }
    }
    #expect(taken[0] + taken[2] + before.values.filter { $0 == 1 }.count * 4 == 150)
    #expect(Set(owners.values) == [0, 2])
  }

  @Test("Without a routing key the producer's name is the key")
  func producerName() throws {
    let scene = try Scene()
    let producer = try scene.createProducer(Self.topic)
    let stream = scene.receive(try scene.subscribe(Self.topic, type: .keyShared))
    for (name, payload) in [("p", "0"), ("q", "1"), ("p", "2")] {
      let outcome = scene.unary(.sendMessage) {
        var message = Scene.message(Self.topic, producer: producer, payload)
        message.routingKey = nil
        message.producerName = utf8(name)
        message.encode(into: &$0)
      }
      #expect(outcome.status == .ok)
    }
    #expect(try scene.messages(stream, count: 3, milliseconds: 300).payloads == ["0", "1"])
  }

  @Test("Filters choose keys; a key that nobody takes waits until somebody does")
  func filters() throws {
    let scene = try Scene()
    let producer = try scene.createProducer(Self.topic)
    let stream = scene.receive(
      try scene.subscribe(
        Self.topic, consumer: "a", type: .keyShared, filters: ["eu-*", "?x"]))
    scene.sendKeyed(
      Self.topic, producer: producer, ["us-1/0", "eu-1/0", "us-1/1", "ax/0", "axx/0", "eu-/0"])
    #expect(
      try scene.messages(stream, count: 4, milliseconds: 300).payloads == [
        "eu-1/0", "ax/0", "eu-/0",
      ])
    let other = scene.makeClient()
    let rest = scene.receive(
      try scene.subscribe(
        Self.topic, consumer: "b", type: .keyShared, filters: ["*-1", "a*"], from: other),
      from: other)
    let messages = try scene.messages(rest, count: 2, from: other)
    #expect(messages.payloads == ["us-1/0", "axx/0"])
    scene.ack(messages[0], from: other)
    #expect(try scene.messages(rest, count: 3, from: other).payloads.last == "us-1/1")
    let refused = scene.trySubscribe(
      Self.topic, type: .keyShared, filters: [String](repeating: "*", count: 65))
    #expect(refused.status == .invalidArgument)
  }

  @Test("Of a non-reliable topic what nobody takes is gone, and keys wait for nothing")
  func nonReliable() throws {
    let scene = try Scene()
    let topic = "/default/fleeting"
    let producer = try scene.createProducer(topic, strategy: .nonReliable)
    let stream = scene.receive(
      try scene.subscribe(topic, type: .keyShared, filters: ["a*"]))
    scene.sendKeyed(topic, producer: producer, ["a/0", "b/0", "a/1", "aa/0"])
    #expect(try scene.messages(stream, count: 3).payloads == ["a/0", "a/1", "aa/0"])
    #expect(scene.broker.metrics.recordsMissed.value == 1)
  }

  @Test("Keys whose records are on the disk are served in order, whoever takes what")
  func fromDisk() throws {
    let configuration = LocalBrokerConfiguration(
      newSubscription: .earliest, retainBytes: 65_536, maximumUnacknowledged: 50)
    let scene = try Scene.durable(configuration: configuration)
    let producer = try scene.createProducer(Self.topic)
    let padding = String(repeating: "x", count: 1_000)
    for turn in 0..<10 {
      scene.sendKeyed(
        Self.topic, producer: producer, (0..<30).map { "k\($0 % 7)/\(turn * 30 + $0) \(padding)" })
    }
    // Nobody takes the keys of one of them, which are among the others.
    let filters = [["k[0]", "k0", "k1", "k2"], ["k3", "k4", "k5"]]
    let clients = [scene.client, scene.makeClient()]
    let streams = try clients.enumerated().map { number, client in
      scene.receive(
        try scene.subscribe(
          Self.topic, consumer: "c\(number)", type: .keyShared, filters: filters[number],
          from: client), from: client)
    }
    var seen: [[UInt8]: [Int]] = [:]
    var taken = [0, 0]
    for _ in 0..<400 {
      scene.driver.run(milliseconds: 20)
      for (number, client) in clients.enumerated() {
        let all = try scene.messages(streams[number], count: 0, from: client, milliseconds: 0)
        for message in all[taken[number]...] {
          let text = String(decoding: message.payload, as: UTF8.self)
          let place = text.split(separator: "/")[1].split(separator: " ")[0]
          seen[message.routingKey ?? [], default: []].append(Int(place) ?? -1)
          scene.ack(message, from: client)
        }
        taken[number] = all.count
      }
    }
    // The window is full of what waits for a consumer of k6: the rest comes with it.
    #expect(seen[utf8("k6")] == nil)
    #expect(seen.values.reduce(0) { $0 + $1.count } > 100)
    let last = scene.makeClient()
    let stream = scene.receive(
      try scene.subscribe(
        Self.topic, consumer: "c2", type: .keyShared, filters: ["k6"], from: last), from: last)
    var count = 0
    for _ in 0..<600 {
      scene.driver.run(milliseconds: 20)
      let all = try scene.messages(stream, count: 0, from: last, milliseconds: 0)
      for message in all[count...] {
        let text = String(decoding: message.payload, as: UTF8.self)
        let place = text.split(separator: "/")[1].split(separator: " ")[0]
        seen[message.routingKey ?? [], default: []].append(Int(place) ?? -1)
        scene.ack(message, from: last)
      }
      count = all.count
      for (number, client) in clients.enumerated() {
        let all = try scene.messages(streams[number], count: 0, from: client, milliseconds: 0)
        for message in all[taken[number]...] {
          let text = String(decoding: message.payload, as: UTF8.self)
          let place = text.split(separator: "/")[1].split(separator: " ")[0]
          seen[message.routingKey ?? [], default: []].append(Int(place) ?? -1)
          scene.ack(message, from: client)
        }
        taken[number] = all.count
      }
    }
    #expect(seen.values.reduce(0) { $0 + $1.count } == 300)
    for (key, places) in seen { #expect(places == places.sorted(), "\(key)") }
  }

  @Test(
    "Globs",
    arguments: [
      ("*", "", true), ("*", "abc", true), ("", "", true), ("", "a", false), ("a", "a", true),
      ("a", "b", false), ("a*", "a", true), ("a*c", "abbc", true), ("a*c", "abcd", false),
      ("*c", "abc", true), ("?", "a", true), ("?", "", false), ("?", "ab", false),
      ("a?c", "abc", true), ("*a*b*", "xxaxxbxx", true), ("*a*b*", "xxbxxaxx", false),
      ("**", "x", true), ("a?", "a\u{e9}", true), ("?b", "\u{20ac}b", true),
      ("??b", "\u{20ac}b", false), ("*?b", "\u{20ac}b", true), ("[a]", "a", false),
    ])
  func globs(pattern: String, key: String, matches: Bool) {
    let bytes = utf8(key)
    let isMatch = KeyGlob.matches(utf8(pattern), bytes.rawBytes)
    #expect(isMatch == matches)
  }

  @Test("A long key and many stars take little time")
  func slowGlob() {
    let key = [UInt8](repeating: UInt8(ascii: "a"), count: 1 << 20)
    let pattern = utf8(String(repeating: "*a", count: 120) + "b")
    let clock = ContinuousClock()
    let start = clock.now
    let isMatch = KeyGlob.matches(pattern, key.rawBytes)
    #expect(!isMatch)
    #expect(clock.now - start < .seconds(2))
  }
}
