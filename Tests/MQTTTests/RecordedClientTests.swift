import MQTT
import Testing

/// Bytes of clients that nobody here wrote.
@Suite("Recorded clients")
struct RecordedClientTests {
  @Test("mosquitto_pub 2.0.11 -V 311 -i dev -t … -m 21.5 -q 1")
  func mosquitto3() throws {
    var server = Server()
    let heard = try server.feed(
      hex(
        """
        100f00044d5154540402003c0003646576
        3223001b73656e736f72732f6b69746368656e2f74656d7065726174757265000132312e35 e000
        """))
    let message = Heard.Message(
      topic: "sensors/kitchen/temperature", payload: Array("21.5".utf8), qos: .atLeastOnce,
      packetID: 1)
    #expect(
      heard.events == [
        .connect(.v3_1_1, clientID: "dev", will: nil, details: ["clean true", "keep alive 60"]),
        .publish(message), .disconnect(.success, []), .needMore(nil),
      ])
    #expect(server.takeOutput() == hex("20020000 40020001"))
  }

  @Test("mosquitto_pub 2.0.11 -V 5, with RETAIN, a will and properties")
  func mosquitto5() throws {
    var server = Server()
    let heard = try server.feed(
      hex(
        """
        101d00044d5154540506003c032100140003646576000001770004676f6e65
        3338001b73656e736f72732f6b69746368656e2f74656d7065726174757265000114
        26000161000162 03000a746578742f706c61696e 32312e35 e000
        """))
    let message = Heard.Message(
      topic: "sensors/kitchen/temperature", payload: Array("21.5".utf8), qos: .atLeastOnce,
      isRetained: true, packetID: 1,
      properties: [
        "userProperty 0 [97] [98]",
        "contentType 0 \(Array("text/plain".utf8)) []",
      ])
    #expect(
      heard.events == [
        .connect(
          .v5, clientID: "dev", will: .init(topic: "w", payload: Array("gone".utf8)),
          details: ["clean true", "keep alive 60", "receiveMaximum 20 [] []"]),
        .publish(message), .disconnect(.success, []), .needMore(nil),
      ])
  }
}
