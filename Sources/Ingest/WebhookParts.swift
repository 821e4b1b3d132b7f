import Bytes
import HTTP1
import Records

/// What all webhook connections share: memory that is used again, and what never changes.
struct WebhookParts: ~Copyable {
  var parser = HeadParser()
  var clock = WebhookClock()
  /// A chunked body that arrived whole, out of its chunks.
  var gathered = GrowableBytes()
  /// A value of an attribute.
  var text = GrowableBytes()
  /// The body of an answer.
  var answer = GrowableBytes()
  /// The lanes that answers name.
  let lanes: LaneTable
  /// The attribute `webhook.source`, encoded.
  let sourceAttribute: [UInt8]

  init(gatewayName: String, lanes: LaneTable) {
    self.lanes = lanes
    var output = GrowableBytes()
    RecordFields.appendAttribute("webhook.source", Array(gatewayName.utf8), to: &output)
    sourceAttribute = RecordFields.array(output.bytes)
    clock.set(unixMilliseconds: 0)
  }
}
