import Bytes
import MQTT

/// What a server wrote, read by the other side.
enum MQTTAnswers {
  /// Throws unless `bytes` are whole packets that a client takes.
  static func check(_ bytes: RawSpan, version: ProtocolVersion) throws(Finding) {
    var client = ClientSession(version: version)
    var consumed = 0
    do throws(MQTTError) {
      while consumed < bytes.byteCount {
        let before = consumed
        _ = try client.next(in: bytes, consumed: &consumed)
        if consumed == before { break }
      }
    } catch {
      throw Finding("the client does not take the answer at \(consumed): \(error)")
    }
    try require(consumed == bytes.byteCount, "the last answer is not whole")
  }
}
