import Ingest
import Logs

extension IngestNotice {
  /// How grave it is.
  var level: LogLevel {
    switch kind {
    case .unrouted: .info
    case .recordRefused, .recordsLost, .willDropped: .error
    case .protocolError: .warning
    case .connectionLimit: .warning
    case .limitReached: .warning
    case .badRequest: .warning
    case .topicRefused: .warning
    case .acceptFailed: .warning
    }
  }

  /// The event's name in the log.
  var event: StaticString {
    switch kind {
    case .protocolError: "mqtt.protocol_error"
    case .connectionLimit: "ingest.connection_refused"
    case .unrouted: "ingest.unrouted"
    case .limitReached: "mqtt.disconnected"
    case .willDropped: "mqtt.will_dropped"
    case .recordRefused: "danube.record_refused"
    case .badRequest: "webhook.bad_request"
    case .topicRefused: "route.topic_refused"
    case .recordsLost: "route.records_lost"
    case .acceptFailed: "ingest.accept_failed"
    }
  }

  /// What the subject is.
  var subjectName: StaticString {
    switch kind {
    case .unrouted, .topicRefused: "topic"
    case .acceptFailed, .badRequest: "error"
    case .recordsLost: "count"
    default: "client_id"
    }
  }
}
