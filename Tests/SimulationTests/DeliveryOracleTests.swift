import MQTT
import Testing

@Suite("What counts as out of order")
struct DeliveryOracleTests {
  /// Message 0 comes after message 1 of its key.
  private func oracle(
    isV5: Bool = true, spaceIsShort: Bool = true, isAnswered: Bool = false
  ) -> DeliveryOracle {
    let oracle = DeliveryOracle()
    oracle.seesAcceptance = false
    oracle.spaceIsShort = spaceIsShort
    oracle.addDevice(messageCount: 2, isRefusable: isV5)
    if isAnswered {
      oracle.answered(device: 0, number: 0, reason: 0, isRouted: true, isV5: isV5)
    }
    for number in [1, 0] {
      oracle.accepted(
        topic: "t", key: [1],
        payload: DeliveryOracle.payload(device: 0, number: number, byteCount: 8)
      ) { _, _ in .atLeastOnce }
    }
    return oracle
  }

  @Test("A message whose refusal for want of space nobody heard of may come late, and is told")
  func unheardRefusal() {
    let oracle = oracle()
    #expect(oracle.violations.isEmpty)
    #expect(oracle.unheardRefusals == ["record 0:0 of t came after 1"])
  }

  @Test("Late is late on MQTT 3.1.1, with space, and of what was answered before")
  func late() {
    for oracle in [
      oracle(isV5: false), oracle(spaceIsShort: false), oracle(isAnswered: true),
    ] {
      #expect(oracle.violations == ["record 0:0 of t came after 1"])
      #expect(oracle.unheardRefusals.isEmpty)
    }
  }
}
