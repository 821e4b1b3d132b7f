import Bytes
import DanubeProtocol
import GRPC
import IOPort
import JWT
import LocalBroker
import Metrics
import Simulator
import TestCertificates
import Testing

@Suite("With tokens every call needs one")
struct TokenTests {
  /// When the port's clock begins, Unix milliseconds.
  private static let begin: Int64 = 1_700_000_000_000
  private static let topic = "/default/t"

  private let scene: Scene

  init() throws {
    scene = try Scene(tokens: TokenVerifier(secret: TokenMaker.secret))
    scene.broker.wallOffset = Self.begin
    scene.broker.turn()
  }

  private static func token(_ seconds: Int64, notBefore: Int64 = 0) throws -> String {
    let end = begin / 1_000 + seconds
    return try TokenMaker.token(
      "{\"exp\":\(end),\"sub\":\"edge-7\",\"nbf\":\(begin / 1_000 + notBefore)}")
  }

  private func client(_ token: String, field: String = "Bearer ") -> ClientLoop {
    scene.makeClient(headers: [("authorization", field + token)])
  }

  /// How a call of any method ends, its request being of no use.
  private func outcome(_ method: DanubeMethod, _ client: ClientLoop) -> ClientLoop.Outcome {
    if method == .replicateData {
      let tag = client.open(method)
      client.send(tag, Scene.batch(Self.topic, ["x"], last: 1))
      client.finish(tag)
      scene.driver.run(milliseconds: 1_000) { client.outcomes[tag]?.status != nil }
      return client.outcomes[tag] ?? ClientLoop.Outcome()
    }
    return scene.unary(method, from: client) { $0.append(0xff) }
  }

  @Test(
    "No method of any service answers without a token, or with a wrong one",
    arguments: DanubeMethod.allCases)
  func everyMethod(method: DanubeMethod) throws {
    let none = outcome(method, scene.client)
    #expect(none.status == .unauthenticated)
    #expect(none.text == "a token is needed: authorization: Bearer TOKEN")
    let unsigned = TokenMaker.base64URL(#"{"alg":"none"}"#) + "." + TokenMaker.base64URL("{}") + "."
    let wrong = outcome(method, client(unsigned))
    #expect(wrong.status == .unauthenticated)
    #expect(wrong.text.contains("not signed with this broker's secret"))
    let good = outcome(method, client(try Self.token(1_000), field: "bearer "))
    #expect(good.status != nil && good.status != .unauthenticated, "\(good)")
    #expect(scene.broker.metrics.rejectedCalls(.missing).value == 1)
    #expect(scene.broker.metrics.rejectedCalls(.signature).value == 1)
    #expect(scene.broker.takeNotices().map(\.reason).sorted() == ["missing", "signature"])
  }

  @Test("Nor does a method that there is not, and no header stands for a token")
  func unknownMethod() throws {
    let tag = scene.client.call(MethodID(rawValue: 200)) { _ in }
    scene.driver.run(milliseconds: 1_000)
    #expect(scene.client.outcomes[tag]?.status == .unauthenticated)
    let broker = scene.makeClient(headers: [("x-danube-internal-broker", "broker-1")])
    #expect(outcome(.topicLookup, broker).status == .unauthenticated)
    let key = scene.makeClient(headers: [("x-api-key", try Self.token(1_000))])
    #expect(outcome(.topicLookup, key).status == .unauthenticated)
  }

  @Test("What is no token, twice there, or too long, is none")
  func malformed() throws {
    let token = try Self.token(1_000)
    for (field, text) in [
      ("", token), ("Basic ", token), ("Bearer", token), ("Bearer  ", token),
      ("Bearer ", token + "x y"),
    ] {
      let outcome = outcome(.topicLookup, client(text, field: field))
      #expect(outcome.status == .unauthenticated, "\(field)")
      #expect(outcome.text == "the token is no JSON Web Token", "\(field)")
    }
    let twice = scene.makeClient(
      headers: [("authorization", "Bearer \(token)"), ("authorization", "Bearer \(token)")])
    #expect(outcome(.topicLookup, twice).text.contains("a token is needed"))
    let long = client(String(repeating: "a", count: 8_192))
    #expect(outcome(.topicLookup, long).text.contains("a token is needed"))
  }

  @Test("A connection's token is over a minute after its end, to the second")
  func expiry() throws {
    let client = client(try Self.token(100))
    func status(_ seconds: Int64) -> StatusCode? {
      scene.broker.wallOffset =
        Self.begin + seconds * 1_000
        - Int64(scene.broker.port.now.nanoseconds / 1_000_000)
      scene.broker.turn()
      return outcome(.topicPartitions, client).status
    }
    #expect(status(0) != .unauthenticated)
    #expect(status(159) != .unauthenticated)
    #expect(status(161) == .unauthenticated)
    #expect(scene.broker.metrics.rejectedCalls(.expired).value == 1)
    #expect(scene.broker.takeNotices().first?.subject == utf8("edge-7"))
    // Somebody set the clock right.
    #expect(status(10) != .unauthenticated)
  }

  @Test("A token that begins later waits for its time, if the clock is known to be right")
  func notBefore() throws {
    let client = client(try Self.token(10_000, notBefore: 1_000))
    let early = outcome(.topicPartitions, client)
    #expect(early.status == .unauthenticated && early.text == "the token is not valid yet")
    scene.broker.isClockTrusted = false
    scene.broker.turn()
    #expect(outcome(.topicPartitions, client).status != .unauthenticated)
    // But one that is over by a clock that is behind is over.
    let old = self.client(try Self.token(-100))
    #expect(outcome(.topicPartitions, old).status == .unauthenticated)
  }

  @Test("A stream that is open goes on when its token is over; the next call does not")
  func openStream() throws {
    let client = client(try Self.token(100))
    let consumer = try scene.subscribe("/default/lane", from: client)
    let stream = scene.receive(consumer, from: client)
    let call = client.open(.replicateData)
    client.send(call, Scene.batch("/default/lane2", ["x"], last: 1))
    scene.driver.run(milliseconds: 100)
    scene.broker.wallOffset = Self.begin + 1_000_000
    scene.broker.turn()
    _ = scene.broker.append(body: ConsumingTests.record("late"))
    let messages = try scene.messages(stream, count: 1, from: client)
    #expect(messages.payloads == ["late"])
    let message = try #require(messages.first)
    #expect(scene.ack(message, from: client).status == .unauthenticated)
    #expect(client.outcomes[stream]?.status == nil)
  }

  @Test("A new secret is for calls to come, and the old one's tokens are none at once")
  func newSecret() throws {
    let client = client(try Self.token(1_000))
    #expect(outcome(.topicPartitions, client).status != .unauthenticated)
    scene.broker.updateTokens(TokenVerifier(secret: utf8("another-secret-of-32-characters!")))
    #expect(outcome(.topicPartitions, client).status == .unauthenticated)
    scene.broker.updateTokens(nil)
    #expect(outcome(.topicPartitions, scene.client).status == .unauthenticated)
    scene.broker.updateTokens(TokenVerifier(secret: TokenMaker.secret))
    #expect(outcome(.topicPartitions, client).status != .unauthenticated)
  }

  @Test("Without tokens nobody looks at what is sent")
  func withoutTokens() throws {
    let scene = try Scene()
    let client = scene.makeClient(headers: [("authorization", "Bearer nonsense")])
    #expect(scene.trySubscribe("/default/lane", from: client).status == .ok)
  }
}
