import GRPC

/// Why a call gets no answer but a status.
struct Refusal: Error, Equatable {
  let status: StatusCode
  let message: String

  init(_ status: StatusCode, _ message: String) {
    self.status = status
    self.message = message
  }

  /// What Danube 0.15 does with a message that has no `msg_id`: its handler breaks.
  static var missingMessageID: Refusal { Refusal(.cancelled, "msg_id is missing") }

  /// There is no space on the disk, or it does not keep up.
  static var noSpace: Refusal {
    Refusal(.resourceExhausted, "the disk is full or does not keep up; try again")
  }

  static var malformed: Refusal { Refusal(.internalError, "the request is not a protobuf message") }
}

/// Bytes of a client as a person can read them in a message.
func shown(_ bytes: [UInt8]) -> String { String(decoding: bytes.prefix(300), as: UTF8.self) }
