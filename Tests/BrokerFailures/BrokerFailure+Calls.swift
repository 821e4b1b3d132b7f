import DanubeProtocol
import GRPC
import IOPort
import Simulator

// Status × text of the three calls.
extension BrokerFailure {
  private struct Answer {
    let status: StatusCode
    let name: String
    let text: String
    let route: Route

    init(_ status: StatusCode, _ name: String, _ text: String, _ route: Route) {
      self.status = status
      self.name = name
      self.text = text
      self.route = route
    }
  }

  private static let topic = FailureStage.topic

  /// SendMessage.
  static let sends: [BrokerFailure] = [
    Answer(.unavailable, "UNAVAILABLE", "served by another broker, redo the Lookup", .lookUpAgain),
    Answer(.notFound, "NOT_FOUND", "The producer with id 7 was not found", .recreate),
    Answer(
      .permissionDenied, "PERMISSION_DENIED", "Topic \(topic) is draining or closed; retry lookup",
      .lookUpAgain),
    Answer(
      .permissionDenied, "PERMISSION_DENIED", "Producer is not attached to \(topic)",
      .lookUpAgain),
    Answer(.permissionDenied, "PERMISSION_DENIED", "Topic \(topic) not found", .lookUpAgain),
    Answer(.permissionDenied, "PERMISSION_DENIED", "Schema validation failed", .setAside),
    Answer(.permissionDenied, "PERMISSION_DENIED", "Storage error: no room", .wait),
    Answer(.permissionDenied, "PERMISSION_DENIED", "missing role Produce on \(topic)", .wait),
    Answer(.invalidArgument, "INVALID_ARGUMENT", "payload over the policy", .setAside),
    Answer(.outOfRange, "OUT_OF_RANGE", "decoded message length too large", .setAside),
    Answer(.resourceExhausted, "RESOURCE_EXHAUSTED", "too many", .wait),
    Answer(.internalError, "INTERNAL", "metadata store", .wait),
    Answer(.unauthenticated, "UNAUTHENTICATED", "token expired", .wait),
    Answer(.deadlineExceeded, "DEADLINE_EXCEEDED", "a proxy gave up", .wait),
    Answer(.unknown, "UNKNOWN", "?", .wait),
    Answer(.cancelled, "CANCELLED", "?", .wait),
    Answer(.aborted, "ABORTED", "?", .wait),
    Answer(.alreadyExists, "ALREADY_EXISTS", "?", .wait),
    Answer(.failedPrecondition, "FAILED_PRECONDITION", "?", .wait),
    Answer(.unimplemented, "UNIMPLEMENTED", "?", .wait),
    Answer(.dataLoss, "DATA_LOSS", "?", .wait),
  ].map { answer in
    BrokerFailure(
      "SendMessage \(answer.name) \"\(answer.text)\"", answer.route,
      says: "\"error\":\"SendMessage \(answer.name): \(answer.text)\""
    ) {
      let (status, text) = (answer.status, answer.text)
      switch answer.route {
      case .setAside:
        $0.endsItself = true
        $0.looksUp = false
        $0.strike = { $0.refuseSome(status, text) }
        $0.check = { $0.refused.isEmpty ? ["nothing was set aside"] : [] }
      default:
        $0.looksUp = answer.route != .wait
        $0.strike = { $0.failMessages(status, text) }
      }
    }
  }

  /// CreateProducer.
  static let creates: [BrokerFailure] =
    [
      Answer(
        .unavailable, "UNAVAILABLE", "Unable to find the namespace default: it has to exist",
        .configuration),
      Answer(
        .unavailable, "UNAVAILABLE", "metadata was created, need to redo the lookup", .lookUpAgain),
      Answer(.notFound, "NOT_FOUND", "topic missing and auto-creation is off", .wait),
      Answer(
        .permissionDenied, "PERMISSION_DENIED", "missing role Produce on \(topic)", .configuration),
      Answer(.permissionDenied, "PERMISSION_DENIED", "Topic \(topic) is draining", .lookUpAgain),
      Answer(
        .failedPrecondition, "FAILED_PRECONDITION", "dispatch strategy mismatch", .configuration),
      Answer(
        .failedPrecondition, "FAILED_PRECONDITION", "schema subject mismatch", .configuration),
      Answer(.invalidArgument, "INVALID_ARGUMENT", "not a topic name", .configuration),
      Answer(.alreadyExists, "ALREADY_EXISTS", "the topic has partitions", .configuration),
      Answer(.resourceExhausted, "RESOURCE_EXHAUSTED", "max_producers_per_topic", .wait),
      Answer(.internalError, "INTERNAL", "metadata store", .wait),
      Answer(.unauthenticated, "UNAUTHENTICATED", "token expired", .wait),
      Answer(.unimplemented, "UNIMPLEMENTED", "?", .wait),
    ].map { answer in
      BrokerFailure(
        "CreateProducer \(answer.name) \"\(answer.text)\"", answer.route,
        says: "\"error\":\"CreateProducer \(answer.name): \(answer.text)\""
      ) {
        let (status, text) = (answer.status, answer.text)
        $0.startsHealthy = false
        $0.prepare = { $0.answerCreates(.fail(status, text, createsTopic: false)) }
      }
    } + [
      BrokerFailure(
        "CreateProducer without an answer", .wait,
        says: "CreateProducer DEADLINE_EXCEEDED: no answer in time"
      ) {
        $0.startsHealthy = false
        $0.prepare = { $0.answerCreates(.never) }
      }
    ]

  /// TopicLookup.
  static let lookups: [BrokerFailure] =
    [
      Answer(.unavailable, "UNAVAILABLE", "no leader", .wait),
      Answer(
        .permissionDenied, "PERMISSION_DENIED", "missing role Lookup on \(topic)", .configuration),
      Answer(.invalidArgument, "INVALID_ARGUMENT", "not a topic name", .configuration),
      Answer(.unauthenticated, "UNAUTHENTICATED", "token expired", .wait),
      Answer(.internalError, "INTERNAL", "metadata store", .wait),
      Answer(.unimplemented, "UNIMPLEMENTED", "?", .wait),
    ].map { answer in
      BrokerFailure(
        "TopicLookup \(answer.name) \"\(answer.text)\"", answer.route,
        says: "\"error\":\"TopicLookup \(answer.name): \(answer.text)\""
      ) {
        let (status, text) = (answer.status, answer.text)
        $0.startsHealthy = false
        $0.prepare = { $0.answerLookups(.fail(status, text)) }
      }
    } + [
      BrokerFailure(
        "TopicLookup without an answer", .wait,
        says: "TopicLookup DEADLINE_EXCEEDED: no answer in time"
      ) {
        $0.startsHealthy = false
        $0.prepare = { $0.answerLookups(.never) }
      },
      BrokerFailure("TopicLookup with no address in it", .wait, says: "not an address") {
        $0.startsHealthy = false
        $0.prepare = {
          $0.answerLookups(.at(connectURL: "gopher:x", brokerURL: "gopher:x", type: .connect))
        }
      },
    ]
}
